//! The batches of a student: their images, the views of these, and the pixels.

use burn::tensor::TensorData;

use super::config::TrainConfig;
use super::task::Task;
use crate::augment::{AugmentError, Executor, Layout, Planner, View};
use crate::data::DataError;
use crate::kernel::pixels;
use crate::kernel::probe::{Work, span};
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

/// Makes the batches of a student, any of them at any time: a batch depends on its step and the seed alone.
pub(super) struct Batches {
    task: Task,
    config: TrainConfig,
    planner: Planner,
    /// `None` where the device cuts the views itself.
    executor: Option<Executor>,
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
        let executor = (!planned_only).then(|| Executor::new(side));
        Ok(Self { task, config, planner, executor, seed, epoch: None, order: Vec::new() })
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
        let planned = self.planned(step);
        self.cut(planned)
    }

    /// The images and the views of a batch, without pixels.
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
        self.planner.plan(epoch as u32, batch as u64, &images, &mut views);
        Batch { epoch, images, views, pixels: None }
    }

    /// A part of a planned batch, whose views are not mixed with each other, with its pixels.
    ///
    /// # Errors
    /// [`DataError`] when an image of the part cannot be read.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn part(
        &mut self,
        planned: &Batch,
        places: std::ops::Range<usize>,
    ) -> Result<Batch, DataError> {
        let (images, views) = (planned.images[places.clone()].to_vec(), planned.views[places].to_vec());
        self.cut(Batch { epoch: planned.epoch, images, views, pixels: None })
    }

    fn cut(&mut self, Batch { epoch, images, views, .. }: Batch) -> Result<Batch, DataError> {
        let Self { task, executor, .. } = self;
        let pixels = executor.as_mut().map(|executor| {
            let mut cut = Ok(());
            let side = task.images.side() as usize;
            let shape = [images.len(), side, side, 3];
            let _span = span("views", || Work {
                shape: format!("{side}x{side}"),
                flops: 0.0,
                floats: shape.iter().product(),
            });
            let pixels = pixels(shape, |pixels| {
                cut = executor.execute(&*task.images, &views, &task.normalise, Layout::Nhwc, pixels);
            });
            cut.map(|()| pixels)
        });
        Ok(Batch { epoch, images, views, pixels: pixels.transpose()? })
    }
}
