//! From flags to resolved settings: the preset, overridden.

use serde::Serialize;

use super::args::{ModelArgs, ProxyArgs, StudentArgs};
use super::exit::UsageError;
use crate::augment::{Augmentation, Crop, CropChoice};
use crate::combine::Grid;
use crate::model::{Choices, ModelConfig};
use crate::train::{Length, Settings};

/// The preset with the user's overrides.
pub(super) fn resolve(
    model: &ModelArgs,
    student: Option<&StudentArgs>,
    score: Option<&ProxyArgs>,
) -> Settings {
    let mut settings = model.preset.settings();
    settings.architecture = model.model.unwrap_or(settings.architecture);
    settings.width = model.width.map_or(settings.width, |width| width.get());
    settings.stem = model.stem.unwrap_or(settings.stem);
    settings.precision = model.precision;
    if let Some(side) = model.image_size {
        settings = settings.with_image_size(side);
    }
    if let Some(student) = student {
        override_student(&mut settings, student);
    }
    if let Some(score) = score {
        let proxy = &mut settings.proxy;
        *proxy = proxy.stopped_after(score.score_epochs.get());
        proxy.lr = score.score_lr.unwrap_or(proxy.lr);
        proxy.batch = score.score_batch_size.map_or(proxy.batch, |batch| batch.get());
        settings.proxy_min_scale = score.score_min_scale.unwrap_or(settings.proxy_min_scale);
    }
    settings
}

fn override_student(settings: &mut Settings, student: &StudentArgs) {
    let recipe = &mut settings.student;
    if let Some(optimizer) = student.opt {
        *recipe = recipe.with_optimizer(optimizer);
    }
    let length = student.steps.map(|steps| Length::Steps(steps.get()));
    if let Some(length) = length.or(student.epochs.map(|epochs| Length::Epochs(epochs.get()))) {
        *recipe = recipe.with_length(length);
    }
    recipe.batch = student.batch_size.map_or(recipe.batch, |batch| batch.get());
    recipe.lr = student.lr.unwrap_or(recipe.lr);
    recipe.weight_decay = student.weight_decay.unwrap_or(recipe.weight_decay);
    // One range for composites and whole images, wherever it was named.
    let named = student.min_scale.or(student.augment.and_then(CropChoice::min_scale));
    settings.min_scale = named.unwrap_or(settings.min_scale);
}

/// The network of a student or proxy.
pub(super) fn model(settings: &Settings, classes: usize) -> ModelConfig {
    let choices = Choices { width: settings.width, stem: settings.stem };
    ModelConfig {
        network: settings.architecture.with(choices),
        classes,
        image_size: settings.image_size,
        precision: settings.precision,
    }
}

/// How stored images of a grid are cut: by `--augment`, or else composites inside a tile and whole images anywhere.
/// The smallest crop is the same for all.
pub(super) fn crop(settings: &Settings, student: &StudentArgs, grid: Grid) -> Crop {
    match student.augment {
        // Patch extraction of a 1×1 grid is just that.
        None | Some(CropChoice::Extract { .. }) if grid == Grid::WHOLE => {
            Crop::Global { min_scale: settings.min_scale }
        }
        choice => choice.unwrap_or_default().or_scale(settings.min_scale),
    }
}

/// A student's views with this crop and the user's other choices.
pub(super) fn augmentation(
    settings: &Settings,
    crop: Crop,
    student: &StudentArgs,
) -> anyhow::Result<Augmentation> {
    let augmentation = Augmentation {
        crop,
        flip: settings.flip && !student.no_flip,
        cutout: student.cutout.map(|choice| choice.0),
        mix: student.mix.map(|choice| choice.0),
    };
    augmentation.validate().map_err(|why| UsageError(why.to_string()))?;
    Ok(augmentation)
}

/// Any options as they are saved in manifests and reports.
pub(super) fn as_json(options: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(options).unwrap_or_default()
}
