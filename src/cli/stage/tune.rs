//! A split to tune on: settings are chosen by it, and the validation images stay unseen until the last comparison.

use crate::cli::args::DataArgs;
use crate::cli::console::Console;
use crate::cli::stage::data::{self, Dataset, Listing};
use crate::data::{Entry, hold_out_together, near_duplicates};
use crate::random::{Purpose, seed_for};
use crate::report::ValOrigin;
use crate::report::words::{count, counted};
use crate::train::Settings;

/// The dataset with a share of each class's training images to measure on, in place of the validation images. Which
/// ones depends on the seed, and copies stay on one side; they are not trained on, and both parts are read once more.
///
/// # Errors
/// Those of [`data::load`].
pub(in crate::cli) fn tune(
    data: Dataset,
    args: &DataArgs,
    config: &Settings,
    fraction: f64,
    seed: u64,
    console: &Console,
) -> anyhow::Result<Dataset> {
    let drawn_by = seed_for(seed, Purpose::Tune);
    // Copies stay on one side here, too.
    let copies = near_duplicates(&data.train.looks);
    let labels = data.train.images.labels();
    let held = hold_out_together(labels, data.classes.len(), fraction, drawn_by, &copies);
    let unseen = data.val.samples.len();
    let Dataset { root, classes, train, problems, ignored, .. } = data;
    let part = |of_tune: bool| -> Vec<Entry> {
        let wanted = train.samples.iter().zip(&held).filter(|(_, held)| **held == of_tune);
        wanted.map(|(sample, _)| Entry { path: sample.path.clone(), class: sample.class }).collect()
    };
    let (rest, tune) = (part(false), part(true));
    drop(train);
    console.say(format_args!(
        "{} held out to tune on (--tune-fraction {fraction}); {} validation images stay unseen",
        counted(tune.len() as u64, "training image", "training images"),
        count(unseen as u64)
    ));
    let val_origin = Some(ValOrigin::Tune { fraction, seed, unseen });
    let listing = Listing { root, classes, train: rest, val: tune, val_origin, problems, ignored };
    data::load(listing, args, config.image_size as u32, config.val_resize, console)
}

/// What is to be said of numbers that were measured on a tune split; nothing of others.
pub(in crate::cli) fn caveat(data: &Dataset) -> Option<String> {
    let Some(ValOrigin::Tune { fraction, unseen, .. }) = data.val_origin else { return None };
    Some(format!(
        "measured on {} that were held out to tune on (--tune-fraction {fraction}), not on the {} validation images: \
         choose settings by these numbers, and report those of a last comparison without --tune-fraction, which trains on \
         these images again and, at the same --seed and --val-fraction, has kept its validation images unseen",
        counted(data.val.samples.len() as u64, "training image", "training images"),
        count(unseen as u64)
    ))
}
