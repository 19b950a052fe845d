//! A student for timing, which trains on random pixels without end.

use std::sync::Arc;

use burn::tensor::Device;

use super::{Length, Preset, Student, Task, TrainConfig, TrainError};
use crate::augment::{Augmentation, Normalise};
use crate::bounds::STEPS;
use crate::data::{Grid, ImageSet};
use crate::model::ModelConfig;
use crate::random::{Purpose, Stream};

/// A student with the config of the preset `small`, but batches of `batch` images and no end, on four batches of random
/// pixels. The device is the plain one, without autodiff.
///
/// # Errors
/// [`TrainError`] when there is no such network.
pub fn synthetic_student(
    model: &ModelConfig,
    batch: usize,
    seed: u64,
    device: &Device,
) -> Result<Student, TrainError> {
    let side = model.image_size;
    let count = 4 * batch;
    let mut stream = Stream::new(0, Purpose::Test, 0, 0);
    let pixels = (0..count * side * side * 3).map(|_| stream.next_u32() as u8).collect();
    let labels = (0..count).map(|image| (image % model.classes) as u32).collect();
    // Sizes fit by construction.
    let images = ImageSet::from_parts(side as u32, pixels, labels).map_err(|_| TrainError::Empty)?;
    let task = Task {
        images: Arc::new(images),
        grid: Grid::TWO,
        augmentation: Augmentation::default(),
        normalise: Normalise::IMAGENET,
    };
    let length = Length::Steps(STEPS.most as usize);
    let config = TrainConfig { batch, length, horizon: length, ..Preset::Small.settings().student };
    Student::new(model, config, task, seed, device)
}
