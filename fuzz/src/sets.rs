//! Files of a set, of a report, and the plans that are made of their numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use tilepress::augment::{Augmentation, Crop, Planner};
use tilepress::combine::{
    Composer, CompositeRecord, CostEstimate, Format, IpcCounts, Manifest, PickedSource, card, encode,
    plan_composites, read_metadata, sources_per_class, write_metadata,
};
use tilepress::data::{ClassMap, ContentHash, Grid, Image, Rect};
use tilepress::report::{Report, write_csv};

use super::bytes::Bytes;

/// A manifest that can be read is written and read back as it is, continues itself, and gives a card and an estimate or an error.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::read(bytes) else { return };
    let text = manifest.to_json();
    let back = Manifest::read(text.as_bytes()).expect("its own text");
    assert_eq!(back.to_json(), text, "other bytes than before");
    assert!(manifest.equal_options(&back).is_ok(), "a run cannot continue itself");
    let _ = card(&manifest, "a set", "at random");
    let _ = CostEstimate::new(&manifest.spec);
    let _ = encode(&Image::filled(3, 2, [1, 2, 3]), manifest.spec.format);
}

/// Records that can be read are written and read back as they are.
pub(crate) fn metadata(bytes: &[u8]) {
    let Ok(records) = read_metadata(bytes) else { return };
    let mut text = Vec::new();
    write_metadata(&mut text, &records).expect("memory takes every byte");
    assert_eq!(read_metadata(text.as_slice()).expect("its own text"), records);
}

/// A report that can be read is written and read back as it is, and its table has a row a run and as many cells in each.
pub(crate) fn report(bytes: &[u8]) {
    let Ok(report) = Report::read_json(bytes) else { return };
    let write = |report: &Report| {
        let mut text = Vec::new();
        report.write_json(&mut text).expect("memory takes every byte");
        text
    };
    let text = write(&report);
    let back = Report::read_json(text.as_slice()).expect("its own text");
    assert!(write(&back) == text, "other bytes than before");
    let mut table = Vec::new();
    write_csv(&report, &mut table).expect("memory takes every byte");
    let runs: usize =
        report.results.iter().map(|result| result.seeds.len().min(result.top1.runs.len())).sum();
    assert!(table.iter().filter(|byte| **byte == b'\n').count() > runs, "a line for each run and the header");
}

/// A policy that can be read and is within its ranges gives views inside the image, and patches inside one tile.
pub(crate) fn policy(bytes: &[u8]) {
    let Ok(policy) = serde_json::from_slice::<Augmentation>(bytes) else { return };
    let written = serde_json::to_vec(&policy).expect("plain numbers");
    assert_eq!(serde_json::from_slice::<Augmentation>(&written).expect("its own text"), policy);
    for (grid, side) in [("1", 1), ("2", 2), ("2", 33), ("8x1", 8), ("3x2", 224)] {
        let grid: Grid = grid.parse().expect("a grid");
        let Ok(planner) = Planner::new(policy, grid, side, 7) else { return };
        let mut views = Vec::new();
        planner.plan(3, 5, &[0, 1, 2, u32::MAX], &mut views);
        let whole = Rect { x: 0, y: 0, width: side, height: side };
        for view in views {
            assert!(inside(view.crop, whole), "{:?} of {side}", view.crop);
            let boxes = [view.cutout, view.mix.and_then(|mix| mix.region)];
            assert!(boxes.into_iter().flatten().all(|area| within(area, whole)), "{boxes:?} of {side}");
            assert!(view.mix.is_none_or(|mix| (0.0..=1.0).contains(&mix.lambda) && mix.other < 4));
            if let Crop::Extract { .. } = policy.crop {
                let tiles = (0..grid.tiles()).map(|tile| grid.tile(side, tile));
                assert!(
                    tiles.into_iter().any(|tile| inside(view.crop, tile)),
                    "{:?} leaves its tile",
                    view.crop
                );
            }
        }
    }
}

/// A box with pixels inside another.
fn inside(area: Rect, of: Rect) -> bool {
    area.width > 0 && area.height > 0 && within(area, of)
}

fn within(area: Rect, of: Rect) -> bool {
    let ends = |at: u32, length: u32| u64::from(at) + u64::from(length);
    area.x >= of.x
        && area.y >= of.y
        && ends(area.x, area.width) <= ends(of.x, of.width)
        && ends(area.y, area.height) <= ends(of.y, of.height)
}

/// Any numbers of a set are refused or laid out so that each pick has its tile, each tile its pixels, and each pixel its tile.
pub(crate) fn plan(bytes: &[u8]) {
    let mut input = Bytes(bytes);
    let Some(grid) = Grid::new(input.u32() % 11, input.u32() % 11) else { return };
    let counts = if input.u8() & 1 == 0 { IpcCounts::Composites } else { IpcCounts::Sources };
    let (ipc, side, classes) = (input.u32(), input.u32(), u32::from(input.u8() % 5));
    let Ok((composites, sources)) = sources_per_class(ipc, grid, counts) else { return };
    assert_eq!(u64::from(composites) * u64::from(grid.tiles()), u64::from(sources));
    let composer = Composer::new(grid, side);
    assert_eq!(composer.is_ok(), side >= grid.rows().max(grid.columns()), "a tile without pixels");
    // More would only take longer.
    let (Ok(composer), true, true) = (composer, sources <= 300, side <= 80) else { return };

    let map = ClassMap::new((0..classes).map(|class| format!("class {class}")));
    let missing = usize::from(input.u8() == 1);
    let picks: Vec<Vec<PickedSource>> = (0..classes)
        .map(|class| {
            let pick = |rank| {
                let path = format!("{class}/{rank}");
                PickedSource { hash: ContentHash::of(path.as_bytes()), path, score: None, rank }
            };
            (0..sources).map(pick).skip(missing).collect()
        })
        .collect();
    let plans = plan_composites(&picks, &map, composites, grid);
    assert_eq!(plans.is_ok(), classes == 0 || missing == 0, "too few images for the tiles");
    let Ok(plans) = plans else { return };
    let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
    plans.iter().flat_map(|plan| &plan.tiles).for_each(|tile| *uses.entry(&tile.path).or_default() += 1);
    assert_eq!(uses.len() as u64, u64::from(classes) * u64::from(sources), "a pick without a tile");
    assert!(uses.values().all(|&uses| uses == 1), "a pick in two tiles");
    let Some(first) = plans.first() else { return };

    let record = CompositeRecord::new(first, &map, composites, grid, side, Format::Png);
    let colour = |tile: u32| [tile as u8 + 1, 7, 9];
    let read = |tile: u32| Ok::<_, Infallible>(Cow::Owned(Image::filled(1, 1, colour(tile))));
    let fill = |image: &Image, width: u32, height: u32| {
        Image::filled(width, height, [image.pixels()[0], image.pixels()[1], image.pixels()[2]])
    };
    let image = composer.compose_from(read, fill).expect("nothing can fail");
    for (tile, record) in (0..).zip(&record.tiles) {
        let area = record.rect();
        for y in area.y..area.y + area.height {
            let row = (y * side + area.x) as usize * 3;
            let pixels = image.pixels()[row..row + area.width as usize * 3].chunks_exact(3);
            assert!(
                pixels.into_iter().all(|pixel| pixel == colour(tile)),
                "tile {tile} has pixels of another"
            );
        }
    }
    assert!(image.pixels().chunks_exact(3).all(|pixel| pixel[0] > 0), "a pixel of no tile");
}
