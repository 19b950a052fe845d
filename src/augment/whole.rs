//! Views that are cut out of images in their own pixels: boxes, pixels and laws.

use proptest::prelude::*;

use super::{Augmentation, Crop, Executor, Layout, MixKind, Normalise, Planner, View};
use crate::data::{Grid, Image, ImageSet, Pictures, Rect, Source};

/// Leaves bytes as they are, so that differences read in units of [0, 255].
const BYTES: Normalise = Normalise { mean: [0.0; 3], std: [1.0 / 255.0; 3] };

#[derive(serde::Deserialize)]
struct Golden {
    sizes: Vec<(u32, u32)>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    seed: u64,
    epoch: u32,
    min_scale: f64,
    side: u32,
    views: Vec<Cut>,
}

#[derive(serde::Deserialize)]
struct Cut {
    crop: Rect,
    flip: bool,
    fallback: bool,
}

/// The generator of `tests/golden/crops.py`.
fn picture(number: u32, (width, height): (u32, u32)) -> Image {
    let mut state = 77 + number;
    let pixel = |place: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 26) + 3 * (place / 3 % width) % 192) as u8
    };
    Image::new(width, height, (0..width * height * 3).map(pixel).collect()).expect("a whole image")
}

fn pictures(side: u32, sizes: &[(u32, u32)]) -> Pictures {
    let images = (0..).zip(sizes).map(|(number, &size)| picture(number, size)).collect();
    Pictures::new(side, images, vec![0; sizes.len()])
}

fn planner(min_scale: f64, side: u32, seed: u64) -> Planner {
    let policy = Augmentation { crop: Crop::Global { min_scale }, ..Augmentation::default() };
    Planner::new(policy, Grid::WHOLE, side, seed).expect("a valid policy")
}

fn planned(planner: &Planner, source: &dyn Source, epoch: u32) -> Vec<View> {
    let (mut views, images) = (Vec::new(), (0..source.len() as u32).collect::<Vec<_>>());
    planner.plan_of(source, epoch, 0, &images, &mut views);
    views
}

fn run(source: &dyn Source, views: &[View], side: u32) -> Vec<f32> {
    let mut out = vec![f32::NAN; views.len() * (side * side * 3) as usize];
    Executor::new(side).execute(source, views, &BYTES, Layout::Nhwc, &mut out).expect("memory does not fail");
    out
}

/// `tests/golden/crops.py`: Philox and torchvision's rule in Python, pixels by Pillow.
#[test]
fn boxes_flips_and_pixels_are_those_of_python_and_pillow() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/crops.json"))
        .expect("the golden file is valid");
    let mut floats = include_bytes!("../../tests/golden/crops.f32").as_chunks::<4>().0.iter();
    let (mut worst, mut fallbacks, mut compared) = (0.0f32, 0, 0);
    for Case { seed, epoch, min_scale, side, views: expected } in &golden.cases {
        let source = pictures(*side, &golden.sizes);
        let views = planned(&planner(*min_scale, *side, *seed), &source, *epoch);
        assert_eq!(views.len(), expected.len());
        let pixels = run(&source, &views, *side);
        let each = pixels.chunks((side * side * 3) as usize);
        for ((number, (view, expected)), pixels) in views.iter().zip(expected).enumerate().zip(each) {
            assert_eq!((view.crop, view.flip), (expected.crop, expected.flip), "seed {seed}, image {number}");
            fallbacks += u32::from(expected.fallback);
            if *side < 40 || number == 7 {
                for &value in pixels {
                    let golden = f32::from_le_bytes(*floats.next().expect("as many floats as ours"));
                    worst = worst.max((value - golden).abs());
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(floats.next(), None);
    assert!(compared > 30_000 && fallbacks > 10);
    assert!(worst < 1e-3, "{worst}");
}

#[test]
fn a_view_of_the_image_is_resampled_once_and_one_of_the_square_twice() {
    // Stripes of one pixel are gone from a square a quarter as wide, but not from the image.
    let stripes = |place: u32| if (place / 3).is_multiple_of(2) { 0 } else { 255 };
    let image = Image::new(64, 32, (0..64 * 32 * 3).map(stripes).collect()).expect("a whole image");
    let source = Pictures::new(16, vec![image], vec![0]);
    let crop = Rect { x: 8, y: 4, width: 16, height: 16 };
    let view = View { image: 0, shuffle: None, crop, flip: false, cutout: None, mix: None };
    let contrast = |pixels: &[f32]| {
        pixels.iter().copied().fold(0.0, f32::max) - pixels.iter().copied().fold(255.0, f32::min)
    };
    assert!(contrast(&run(&source, &[view], 16)) > 254.0);
    let squares = source.fetch(0, &mut Vec::new()).expect("memory does not fail").to_vec();
    let squares = ImageSet::from_parts(16, squares, vec![0]).expect("one square");
    let same_part = View { crop: Rect { x: 2, y: 2, width: 4, height: 8 }, ..view };
    assert!(contrast(&run(&squares, &[same_part], 16)) < 64.0);
}

#[test]
fn a_batch_of_images_of_any_sizes_is_the_same_with_any_number_of_threads() {
    let sizes: Vec<(u32, u32)> = (0..23).map(|k| (1 + k * 37 % 90, 1 + k * 53 % 70)).collect();
    let source = pictures(16, &sizes);
    let policy = Augmentation {
        crop: Crop::Global { min_scale: 0.08 },
        mix: Some(MixKind::CutMix { alpha: 1.0 }),
        ..Augmentation::default()
    };
    let views = planned(&Planner::new(policy, Grid::WHOLE, 16, 4).expect("a valid policy"), &source, 2);
    let expected = run(&source, &views, 16);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert_eq!(pool.install(|| run(&source, &views, 16)), expected, "{threads} threads");
    }
}

proptest! {
    #[test]
    fn a_box_lies_inside_its_image_and_has_the_shape_and_area_that_were_asked_for(
        width in 1u32..400, height in 1u32..400, min_scale in 0.001f64..=1.0,
        seed in any::<u64>(), epoch in any::<u32>(), image in any::<u32>(),
    ) {
        let Rect { x, y, width: w, height: h } = planner(min_scale, 16, seed).view_within(epoch, image, (width, height)).crop;
        prop_assert!(w > 0 && h > 0 && x + w <= width && y + h <= height);
        // What no try could cut is the largest central box of an allowed shape.
        let [across, down] = [width, height].map(f64::from);
        let largest = (f64::min(across, down * 4.0 / 3.0), f64::min(down, across * 4.0 / 3.0));
        let fallback = (f64::from(w) - largest.0).abs() <= 0.5
            && (f64::from(h) - largest.1).abs() <= 0.5
            && (x, y) == ((width - w) / 2, (height - h) / 2);
        // Each side is rounded to whole pixels.
        let [least, most] = [-0.5, 0.5].map(|by| {
            let side = |pixels: u32| f64::from(pixels) + by;
            (side(w) * side(h), side(w), side(h))
        });
        let area = most.0 >= min_scale * across * down && least.0 <= across * down;
        let shape = most.1 / least.2 >= 3.0 / 4.0 && least.1 / most.2 <= 4.0 / 3.0;
        prop_assert!(fallback || (area && shape), "{w} x {h} of {width} x {height}, scale {min_scale}");
    }

    #[test]
    fn a_square_image_is_cut_as_its_stored_copy(
        side in 1u32..300, min_scale in 0.001f64..=1.0, seed in any::<u64>(), epoch in any::<u32>(), image in any::<u32>(),
    ) {
        let planner = planner(min_scale, side, seed);
        prop_assert_eq!(planner.view(epoch, image), planner.view_within(epoch, image, (side, side)));
    }

    #[test]
    fn every_crop_of_a_whole_image_can_be_cut(
        width in 1u32..60, height in 1u32..60, seed in any::<u64>(),
        crop in prop_oneof![
            Just(Crop::None),
            Just(Crop::Shuffle),
            (0.001f64..=1.0).prop_map(|min_scale| Crop::Global { min_scale }),
            (0.001f64..=1.0).prop_map(|min_scale| Crop::Extract { min_scale }),
        ],
    ) {
        let policy = Augmentation { crop, ..Augmentation::default() };
        let source = pictures(8, &[(width, height)]);
        let views = planned(&Planner::new(policy, Grid::WHOLE, 8, seed).expect("a valid policy"), &source, 0);
        // No value lies outside those of the image.
        let (low, high) = picture(0, (width, height)).pixels().iter().fold((255, 0), |(low, high), &value| {
            (value.min(low), value.max(high))
        });
        for value in run(&source, &views, 8) {
            prop_assert!(value > f32::from(low) - 0.01 && value < f32::from(high) + 0.01, "{}", value);
        }
    }
}
