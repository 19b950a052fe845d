//! A small dataset in memory and small requests, for the tests of whole runs.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use super::prune::Pruning;
use super::request::{Budget, Common, ProxyRequest, ScoreRequest};
use super::set::Style;
use super::views::ViewRequest;
use super::{Dataset, Originals, Overrides, ReadError, Skipped, Split, TrainOverrides};
use crate::combine::{Format, IpcCounts};
use crate::data::{ClassMap, ContentHash, Fit, Grid, Image, ImageSet, Layout, Look, Sample};
use crate::prune::Fill;
use crate::random::{Purpose, Stream};
use crate::report::{Loading, ValOrigin};
use crate::train::{Length, Preset, ScoringPass};

const SIDE: u32 = 16;
const CLASSES: [&str; 2] = ["left", "right"];

/// Noise with a bright half, made from the path.
struct Made;

fn pixels(path: &str) -> Image {
    let number = path.bytes().fold(0, |sum, byte| sum * 31 + u64::from(byte));
    let mut stream = Stream::new(5, Purpose::Test, 0, number);
    let bright = |x: u32| (x < SIDE / 2) == path.contains("left");
    let values = (0..SIDE * SIDE).flat_map(|place| {
        let value = stream.below(100) as u8 + if bright(place % SIDE) { 120 } else { 0 };
        [value, value / 2, value]
    });
    Image::new(SIDE, SIDE, values.collect()).expect("sizes fit")
}

impl Originals for Made {
    fn image(&self, path: &str) -> Result<Image, ReadError> {
        Ok(pixels(path))
    }

    fn file_size(&self, path: &str) -> Option<u64> {
        Some(path.len() as u64)
    }
}

fn split(part: &str, per_class: usize) -> Split {
    let mut images = ImageSet::with_capacity(SIDE, 2 * per_class);
    let (mut samples, mut looks) = (Vec::new(), Vec::new());
    for (class, name) in (0..).zip(CLASSES) {
        for image in 0..per_class {
            let path = format!("{part}/{name}/{image:02}.png");
            let made = pixels(&path);
            images.push(&made, class).expect("sizes fit");
            looks.push(Look::of(&made));
            samples.push(Sample { hash: ContentHash::of(path.as_bytes()), path, class });
        }
    }
    let bytes = samples.iter().map(|sample| sample.path.len() as u64).sum();
    Split { images: Arc::new(images), samples: samples.into(), looks, bytes }
}

/// Two classes of twelve training and six validation images.
pub(super) fn dataset() -> Dataset {
    Dataset {
        name: "halves".to_owned(),
        classes: ClassMap::new(CLASSES.map(str::to_owned)),
        train: split("train", 12),
        val: split("val", 6),
        val_origin: Some(ValOrigin::Given),
        problems: Vec::new(),
        ignored: Vec::new(),
        originals: Arc::new(Made),
        skipped: Skipped::default(),
        layout: Layout::default(),
        warnings: Vec::new(),
        loading: Loading::default(),
        copies: OnceLock::new(),
    }
}

/// A request whose networks learn in a moment.
pub(super) fn common() -> Common {
    let asked = Overrides {
        width: Some(4),
        image_size: Some(SIDE),
        student: TrainOverrides {
            length: Some(Length::Steps(4)),
            batch: Some(4),
            ..TrainOverrides::default()
        },
        proxy_epochs: Some(2),
        ..Overrides::default()
    };
    let settings = asked.on(Preset::Small.settings());
    Common {
        preset: Preset::Small,
        settings,
        seed: 3,
        budget: Budget { ipc: 2, grid: Grid::TWO, counts: IpcCounts::Composites },
        score: ScoreRequest {
            given: None,
            proxy: ProxyRequest { runs: NonZeroUsize::MIN, window: None, pass: ScoringPass::Train },
        },
        pruning: Pruning { fill: Fill::Error, dedup: false },
        style: Style { fit: Fit::Squash, format: Format::Png },
        views: ViewRequest { crop: None, min_scale: settings.min_scale, flip: true, cutout: None, mix: None },
        save_every: 0.0,
    }
}
