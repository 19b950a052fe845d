//! Our patch extraction beside that of `tilepress_transform.py`, which users of torchvision train with.
//!
//! `tests/golden/transform.py` runs the transform as it is written beside every compressed set and
//! notes what it draws and cuts.

use serde::Deserialize;

use super::{Augmentation, Crop, Executor, Layout, Normalise, Planner, View};
use crate::data::{Grid, ImageSet, Rect};

fn inside(inner: Rect, outer: Rect) -> bool {
    inner.x >= outer.x
        && inner.y >= outer.y
        && inner.x + inner.width <= outer.x + outer.width
        && inner.y + inner.height <= outer.y + outer.height
}

#[test]
fn extracted_boxes_are_distributed_as_those_of_the_torchvision_transform() {
    #[derive(Deserialize)]
    struct Case {
        grid: String,
        side: u32,
        min_scale: f64,
        draws: u32,
        /// Number of times each tile was drawn.
        counts: Vec<u32>,
        /// Mean and standard deviation of the share s of the tile's area, s², a = ln(w/h), a², x, y, w, h,
        /// x², y², x·w, y·h; x and y from the corner of the composite.
        moments: Vec<(f64, f64)>,
    }
    const DRAWS: u32 = 100_000;
    // Standard errors of the difference of two samples; of 80 numbers none is to be farther off.
    const ERRORS: f64 = 4.0;
    let text = include_str!("../../tests/golden/transform_boxes.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the golden file is valid");
    assert!(cases.len() >= 5);
    for case in cases {
        let grid: Grid = case.grid.parse().expect("a valid grid");
        let crop = Crop::Extract { min_scale: case.min_scale };
        let policy = Augmentation { crop, ..Augmentation::default() };
        let planner = Planner::new(policy, grid, case.side, 31).expect("a valid policy");
        let tiles: Vec<Rect> = (0..grid.tiles()).map(|tile| grid.tile(case.side, tile)).collect();
        let (mut counts, mut sums) = (vec![0; tiles.len()], [0.0; 12]);
        for draw in 0..DRAWS {
            // Passes over 500 composites.
            let r = planner.view(draw / 500, draw % 500).crop;
            let tile = tiles.iter().position(|&tile| inside(r, tile)).expect("a crop lies in one tile");
            counts[tile] += 1;
            let share = f64::from(r.width * r.height) / f64::from(tiles[tile].width * tiles[tile].height);
            let [x, y, w, h] = [r.x, r.y, r.width, r.height].map(f64::from);
            let aspect = (w / h).ln();
            let values =
                [share, share * share, aspect, aspect * aspect, x, y, w, h, x * x, y * y, x * w, y * h];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        let (ours, theirs) = (f64::from(DRAWS), f64::from(case.draws));
        let spread = (1.0 / ours + 1.0 / theirs).sqrt();
        assert_eq!(case.counts.len(), counts.len());
        for (tile, (&count, &expected)) in counts.iter().zip(&case.counts).enumerate() {
            let p = 1.0 / counts.len() as f64;
            let difference = f64::from(count) / ours - f64::from(expected) / theirs;
            let error = (p * (1.0 - p)).sqrt() * spread;
            assert!(difference.abs() <= ERRORS * error, "{grid}, tile {tile}: {count} and {expected}");
        }
        assert_eq!(case.moments.len(), sums.len());
        for (place, (sum, (mean, sd))) in sums.into_iter().zip(case.moments).enumerate() {
            let difference = sum / ours - mean;
            // The last term is for what does not vary, such as the only width a tile allows.
            assert!(
                difference.abs() <= ERRORS * sd * spread + 1e-9,
                "{grid} at {}, moment {place}: {} and {mean}",
                case.side,
                sum / ours
            );
        }
    }
}

/// The transform works on bytes and rounds twice, between the passes and at the end, by half a level at
/// most each time; its weights are whole numbers, which adds a little. Ours are floats, rounded nowhere.
#[test]
fn extracted_pixels_are_those_of_the_torchvision_transform_but_for_its_rounding() {
    #[derive(Deserialize)]
    struct Case {
        grid: String,
        side: u32,
        tile: u32,
        crop: Rect,
        output: u32,
    }
    let text = include_str!("../../tests/golden/transform_views.json");
    let cases: Vec<Case> = serde_json::from_str(text).expect("the golden file is valid");
    assert!(cases.len() >= 20);
    let mut golden = include_bytes!("../../tests/golden/transform_views.u8").iter();
    let (mut worst, mut total, mut count) = (0.0f32, 0.0, 0);
    for case in cases {
        let grid: Grid = case.grid.parse().expect("a valid grid");
        assert!(inside(case.crop, grid.tile(case.side, case.tile)), "{grid}: {:?}", case.crop);
        let mut state = 12_345u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let pixels = std::iter::repeat_with(next).take((case.side * case.side * 3) as usize).collect();
        let set = ImageSet::from_parts(case.side, pixels, vec![0]).expect("a whole image");
        let view = View { image: 0, shuffle: None, crop: case.crop, flip: false, cutout: None, mix: None };
        // Bytes as they are: before normalisation.
        let bytes = Normalise { mean: [0.0; 3], std: [1.0 / 255.0; 3] };
        let mut out = vec![0.0; (case.output * case.output * 3) as usize];
        Executor::new(case.output)
            .execute(&set, &[view], &bytes, Layout::Nchw, &mut out)
            .expect("memory does not fail");
        for value in out {
            let expected = golden.next().expect("as many golden bytes as our numbers");
            let off = (value - f32::from(*expected)).abs();
            worst = worst.max(off);
            total += f64::from(off);
            count += 1;
        }
    }
    assert_eq!(golden.next(), None);
    assert!(worst < 1.1, "{worst}");
    // Two independent roundings are off by 0.3 on average; a shift of a tenth of a pixel would be off by several levels on
    // noise.
    assert!(total / f64::from(count) < 0.4, "{}", total / f64::from(count));
}
