//! The batches of a student: their images, the views of these, and the pixels.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::TensorData;

use super::config::TrainConfig;
use super::task::Task;
use crate::augment::{AugmentError, Executor, Layout, Planner, View};
use crate::data::DataError;
use crate::kernel::pixels;
use crate::kernel::probe::{Work, span};
use crate::parallel::{Begun, begin};
use crate::random::{Purpose, permutation};

/// One batch, ready to be trained on.
pub(super) struct Batch {
    /// The epoch it belongs to, from 0.
    pub(super) epoch: usize,
    /// The images.
    pub(super) images: Vec<u32>,
    /// A view of each.
    pub(super) views: Vec<View>,
    /// `[B, H, W, 3]`, normalised; `None` where the device cuts the views itself.
    pub(super) pixels: Option<TensorData>,
}

/// A batch whose pixels are being made.
pub(super) struct Coming {
    batch: Batch,
    pixels: Option<Begun<Result<TensorData, DataError>>>,
}

impl Coming {
    /// The batch, once its pixels are made.
    ///
    /// # Errors
    /// [`DataError`] when an image of the batch cannot be read.
    pub(super) fn wait(self) -> Result<Batch, DataError> {
        let pixels = self.pixels.map(Begun::wait).transpose()?;
        Ok(Batch { pixels, ..self.batch })
    }
}

/// Makes the batches of a student, any of them at any time: a batch depends on its step and the seed alone.
pub(super) struct Batches {
    task: Task,
    config: TrainConfig,
    planner: Planner,
    /// Executors that are not at work; `None` where the device cuts the views itself.
    executors: Option<Arc<Mutex<Vec<Executor>>>>,
    seed: u64,
    /// The epoch that `order` belongs to.
    epoch: Option<usize>,
    order: Vec<u32>,
}

impl Batches {
    /// With `planned_only` the batches have plans but no pixels.
    pub(super) fn new(
        task: Task,
        config: TrainConfig,
        seed: u64,
        planned_only: bool,
    ) -> Result<Self, AugmentError> {
        let side = task.images.side();
        let planner = Planner::new(task.augmentation, task.grid, side, seed)?;
        let executors = (!planned_only).then(Arc::default);
        Ok(Self { task, config, planner, executors, seed, epoch: None, order: Vec::new() })
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    /// The seed of order and views.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The batch of a step.
    ///
    /// # Errors
    /// [`DataError`] when an image of the batch cannot be read.
    pub(super) fn batch(&mut self, step: usize) -> Result<Batch, DataError> {
        let batch = self.planned(step);
        let Some(executors) = &self.executors else { return Ok(batch) };
        let pixels = cut(&self.task, &batch.views, executors)?;
        Ok(Batch { pixels: Some(pixels), ..batch })
    }

    /// Begins to make the batch of a step: the same batch, whatever else is being made at the same time.
    pub(super) fn begin(&mut self, step: usize) -> Coming {
        let batch = self.planned(step);
        let pixels = self.executors.clone().map(|executors| {
            let (task, views) = (self.task.clone(), batch.views.clone());
            begin(move || cut(&task, &views, &executors))
        });
        Coming { batch, pixels }
    }

    /// Bytes of the pixels of a full batch.
    pub(super) fn bytes(&self) -> usize {
        let side = self.task.images.side() as usize;
        self.config.batch.min(self.task.images.len()) * side * side * 3 * size_of::<f32>()
    }

    /// The batch of a step without its pixels.
    pub(super) fn planned(&mut self, step: usize) -> Batch {
        let count = self.task.images.len();
        let per_epoch = self.config.steps_per_epoch(count);
        let (epoch, batch) = (step / per_epoch, step % per_epoch);
        if self.epoch != Some(epoch) {
            self.order = permutation(self.seed, Purpose::Shuffle, epoch as u32, count);
            self.epoch = Some(epoch);
        }
        let start = batch * self.config.batch;
        let images = self.order[start..count.min(start + self.config.batch)].to_vec();
        let mut views = Vec::with_capacity(images.len());
        self.planner.plan_of(&*self.task.images, epoch as u32, batch as u64, &images, &mut views);
        Batch { epoch, images, views, pixels: None }
    }

    /// A part of a planned batch, whose views are not mixed with each other, with its pixels.
    ///
    /// # Errors
    /// [`DataError`] when an image of the part cannot be read.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn part(&self, planned: &Batch, places: std::ops::Range<usize>) -> Result<Batch, DataError> {
        let (images, views) = (planned.images[places.clone()].to_vec(), planned.views[places].to_vec());
        let pixels =
            self.executors.as_ref().map(|executors| cut(&self.task, &views, executors)).transpose()?;
        Ok(Batch { epoch: planned.epoch, images, views, pixels })
    }
}

/// The pixels of some views, made by an executor that is not at work. Several batches may be made at once.
fn cut(task: &Task, views: &[View], executors: &Mutex<Vec<Executor>>) -> Result<TensorData, DataError> {
    let idle = || executors.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = idle().pop();
    let mut executor = taken.unwrap_or_else(|| Executor::new(task.images.side()));
    let side = task.images.side() as usize;
    let shape = [views.len(), side, side, 3];
    let _span = span("views", || Work {
        shape: format!("{side}x{side}"),
        flops: 0.0,
        floats: shape.iter().product(),
    });
    let mut made = Ok(());
    let pixels = pixels(shape, |pixels| {
        made = executor.execute(&*task.images, views, &task.normalise, Layout::Nhwc, pixels);
    });
    idle().push(executor);
    made.map(|()| pixels)
}
