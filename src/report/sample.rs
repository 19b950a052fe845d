//! A small report for tests: the reference measurement on photographs of 64 px, with made-up curves.

use std::io::Cursor;

use serde_json::json;

use super::{
    ClassPictures, CompositePicture, Compressed, Cost, Curve, DataFindings, DataSummary, Duplicate, Found,
    Gallery, Histogram, MethodResult, Picture, Report, RunOutcome, Scoring, Setting, SharedWithVal,
    SuspectedLabel, ValOrigin,
};
use crate::random::{Purpose, Stream};
use crate::score::Metric;

const CLASSES: [&str; 10] = [
    "tench",
    "English springer",
    "cassette player",
    "chain saw",
    "church",
    "French horn",
    "garbage truck",
    "gas pump",
    "golf ball",
    "parachute",
];

pub(super) fn sample() -> Report {
    let data = DataSummary {
        name: "imagenette128-4k".into(),
        classes: 10,
        train: 3200,
        val: 800,
        val_origin: Some(ValOrigin::HeldOut { fraction: 0.2, seed: 0 }),
        bytes: 34_210_000,
        layout: None,
    };
    let options = json!({
        "ipc": 10, "grid": "2", "image_size": 64, "seed": 0, "device": "cpu", "methods": ["random", "el2n", "pca"],
        "train": {"preset": "small", "steps": 600, "batch": 50, "optimizer": {"name": "adamw", "lr": 0.001}},
    });
    let mut report = Report::new(data, options);
    report.created = Some("2026-11-24 09:30 UTC".into());
    report.compressed = Some(Compressed {
        ipc: 10,
        grid: grid("2"),
        image_size: 64,
        images: 100,
        tiles: 400,
        bytes: 812_345,
    });
    report.set_results(vec![
        result("random", "1", "global", 790_000, [33.2, 37.3, 37.8]),
        result("el2n", "1", "global", 702_400, [40.4, 40.8, 42.2]),
        result("pca", "2", "extract", 812_345, [32.7, 28.8, 28.3]),
        result("random-composites", "2", "extract", 833_000, [25.5, 22.9, 23.4]),
    ]);
    let mut draw = Stream::new(3, Purpose::Test, 0, 0);
    let scores: Vec<f64> =
        (0..3200).map(|_| 1.0 + 12.0 * unit(&mut draw).powf(0.6) * unit(&mut draw).sqrt()).collect();
    let mut kept = scores.clone();
    kept.sort_by(f64::total_cmp);
    kept.truncate(400);
    report.scoring = Some(Scoring {
        seconds: 48.2,
        epochs: 10,
        runs: 1,
        proxy_accuracy: vec![21.4, 30.2, 35.9, 39.8, 42.1, 44.7, 46.4, 48.2, 49.9, 51.3],
        metric: Metric::El2n,
        histogram: Histogram::of(&scores, 32).map(|histogram| histogram.with_kept(&kept)),
    });
    report.cost = Cost {
        score_seconds: Some(48.2),
        combine_seconds: Some(1.3),
        train_seconds: Some(528.4),
        ..Cost::default()
    };
    report.warnings = vec![
        "No val folder: 20 % of every class were held out (seed 0). Give root/val to measure on your own split.".into(),
        "3 files could not be decoded and were left out; problems.csv lists them with the reason.".into(),
    ];
    report.findings = findings();
    report.gallery = gallery();
    report
}

fn grid(text: &str) -> crate::data::Grid {
    text.parse().expect("a grid")
}

fn unit(draw: &mut Stream) -> f64 {
    f64::from(draw.next_u32()) / f64::from(u32::MAX)
}

fn result(method: &str, tiles: &str, view: &str, bytes: u64, top1: [f64; 3]) -> MethodResult {
    let setting = Setting {
        method: method.into(),
        ipc: 10,
        grid: grid(tiles),
        augment: view.into(),
        model: "convnet".into(),
        labels: "hard".into(),
        images: 100,
        bytes,
        image_size: 64,
    };
    let classes: Vec<String> = CLASSES.iter().map(|&class| class.to_owned()).collect();
    let runs = (0..).zip(top1).map(|(seed, top1)| run(seed, top1)).collect();
    MethodResult::new(setting, &classes, runs, 800).expect("three runs")
}

fn run(seed: u64, top1: f64) -> RunOutcome {
    let mut draw = Stream::new(seed, Purpose::Test, 1, top1 as u64);
    let step: Vec<u64> = (1..=60).map(|i| i * 10).collect();
    let train_loss =
        step.iter().map(|&step| 2.3 * (-(step as f64) / 180.0).exp() + 0.12 * unit(&mut draw)).collect();
    RunOutcome {
        seed,
        top1,
        top1_at_tile_size: None,
        adapted_top1: None,
        macro_top1: Some(top1),
        correct: None,
        top5: Some(top1 + 50.0),
        per_class: (0..10)
            .map(|class| Some((top1 + 6.0 * (f64::from(class) - 4.5)).clamp(0.0, 100.0)))
            .collect(),
        seconds: 44.0,
        curve: Curve { seed, step, train_loss },
    }
}

fn findings() -> DataFindings {
    let path = |name: &str| format!("train/church/{name}.JPEG");
    DataFindings {
        near_duplicates: Found {
            count: 2,
            examples: vec![Duplicate { path: path("n03028079_1"), other: path("n03028079_9"), distance: 3 }],
        },
        shared_with_val: Found {
            count: 1,
            examples: vec![SharedWithVal {
                train: path("n03028079_4"),
                val: "val/church/n03028079_77.JPEG".into(),
                same_file: false,
                distance: 2,
            }],
        },
        suspected_labels: Found {
            count: 5,
            examples: vec![SuspectedLabel { path: path("n03028079_8"), class: "church".into() }],
        },
    }
}

fn gallery() -> Gallery {
    let picture = |class: usize, rank: usize, tiles: u32| Picture {
        file: png(class, rank, tiles),
        path: format!("train/{}/{rank:04}.JPEG", CLASSES[class]),
        score: Some(0.8 + 0.9 * rank as f64),
    };
    Gallery {
        classes: (0..CLASSES.len())
            .map(|class| ClassPictures {
                class: CLASSES[class].into(),
                easiest: (0..8).map(|rank| picture(class, rank, 1)).collect(),
                hardest: (0..8).map(|rank| picture(class, 400 - rank, 1)).collect(),
            })
            .collect(),
        composites: (0..6)
            .map(|class| CompositePicture {
                picture: Picture {
                    path: format!("{}/0000.png", CLASSES[class]),
                    score: None,
                    ..picture(class, 0, 2)
                },
                class: CLASSES[class].into(),
                sources: (0..4)
                    .map(|tile| format!("train/{}/{:04}.JPEG", CLASSES[class], tile * 10))
                    .collect(),
            })
            .collect(),
    }
}

/// Some shapes in some colours; enough to see where a picture ends.
fn png(class: usize, rank: usize, tiles: u32) -> Vec<u8> {
    let side = 64;
    let image = image::RgbImage::from_fn(side, side, |x, y| {
        let tile = side / tiles;
        let (u, v) = ((x % tile) as f64 / f64::from(tile), (y % tile) as f64 / f64::from(tile));
        let shift = rank as f64 + f64::from(x / tile + 2 * (y / tile));
        let disc = ((u - 0.5).powi(2) + (v - 0.5 + 0.05 * shift.sin()).powi(2)).sqrt() < 0.3;
        let tone = |k: f64| (120.0 + 90.0 * (k * (class as f64 + 1.0) + shift + 2.0 * u + v).sin()) as u8;
        if disc {
            image::Rgb([tone(1.3), tone(2.1), tone(0.7)])
        } else {
            image::Rgb([tone(0.4), tone(0.5), tone(0.6)])
        }
    });
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).expect("memory does not fail");
    file.into_inner()
}
