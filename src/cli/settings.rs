//! From flags to resolved settings: the preset, overridden.

use serde::Serialize;

use super::args::{ModelArgs, ScoreArgs, StudentArgs};
use super::exit::UsageError;
use crate::augment::{Augmentation, Crop};
use crate::model::ModelConfig;
use crate::train::{Length, Settings};

/// The preset with the user's overrides.
pub(super) fn resolve(
    model: &ModelArgs,
    student: Option<&StudentArgs>,
    score: Option<&ScoreArgs>,
) -> Settings {
    let mut settings = model.preset.settings();
    settings.architecture = model.model.unwrap_or(settings.architecture);
    settings.width = model.width.map_or(settings.width, |width| width.get());
    settings.stem = model.stem.unwrap_or(settings.stem);
    settings.precision = model.precision;
    if let Some(side) = model.image_size {
        settings.image_size = side as usize;
        // Validation keeps the protocol's 256 : 224.
        settings.val_resize = settings.val_resize.map(|_| (side * 256).div_ceil(224));
    }
    if let Some(student) = student {
        override_student(&mut settings, student);
    }
    if let Some(score) = score {
        let proxy = &mut settings.proxy;
        *proxy = proxy.stopped_after(score.score_epochs.get());
        proxy.lr = score.score_lr.unwrap_or(proxy.lr);
        proxy.batch = score.score_batch_size.map_or(proxy.batch, |batch| batch.get());
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
    settings.min_scale = student.min_scale.unwrap_or(settings.min_scale);
}

/// The network of a student or proxy.
pub(super) fn model(settings: &Settings, classes: usize) -> ModelConfig {
    ModelConfig {
        architecture: settings.architecture,
        width: settings.width,
        stem: settings.stem,
        classes,
        image_size: settings.image_size,
        precision: settings.precision,
    }
}

/// How composites are cut: `--augment`, whose scale is `--min-scale` unless it names its own.
pub(super) fn composite_crop(settings: &Settings, student: &StudentArgs) -> Crop {
    let min_scale = settings.min_scale;
    match student.augment {
        None => Crop::Extract { min_scale },
        Some(Crop::Extract { min_scale: own }) if own == Crop::EXTRACT_MIN_SCALE => {
            Crop::Extract { min_scale }
        }
        Some(Crop::Global { min_scale: own }) if own == Crop::GLOBAL_MIN_SCALE => Crop::Global { min_scale },
        Some(crop) => crop,
    }
}

/// A student's views with this crop and the user's other choices.
pub(super) fn augmentation(crop: Crop, student: &StudentArgs) -> anyhow::Result<Augmentation> {
    let augmentation = Augmentation {
        crop,
        flip: !student.no_flip,
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
