//! One network in training.

use std::ops::Deref;
#[cfg(not(target_family = "wasm"))]
use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::batch::Batch;
use super::config::TrainConfig;
use super::error::TrainError;
use super::optimizer::OptimizerState;
use super::progress::{Progress, targets};
#[cfg(not(target_family = "wasm"))]
use super::ranks::Ranks;
use super::resident::Resident;
use super::task::Task;
use crate::device::upload;
use crate::kernel::cross_entropy::{Target, mixed_cross_entropy};
use crate::kernel::read_all;
use crate::model::{ModelConfig, Network};
use crate::parallel::both;

/// Number of steps between two readings of the device.
pub const READ_EVERY: usize = 16;

/// One step of training; its numbers are still on the device.
pub struct Step<'a> {
    /// The epoch that the step belongs to, from 0.
    pub epoch: usize,
    /// The images of the batch.
    pub images: &'a [u32],
    /// Their logits `[B, classes]` in this training forward pass, off the autodiff graph.
    pub logits: Tensor<2>,
}

/// One network in training, which can be advanced some steps, saved and continued: the network, its optimiser and its
/// [`Progress`].
pub struct Student {
    pub(super) progress: Progress,
    pub(super) network: Network,
    pub(super) optimizer: OptimizerState,
    /// The images of the last step.
    pub(super) images: Vec<u32>,
    /// The ranks that make each step together, if there are any.
    #[cfg(not(target_family = "wasm"))]
    pub(super) shared: Option<Arc<dyn Ranks>>,
    /// Every sample's share of the loss in the steps since the last reading.
    pub(super) losses: Vec<Tensor<1>>,
}

impl Deref for Student {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.progress
    }
}

impl Student {
    /// A student with fresh weights. `seed` decides weights, order and views; the device is the plain one, without autodiff.
    ///
    /// # Errors
    /// [`TrainError`] when there is no image or no such network.
    pub fn new(
        model: &ModelConfig,
        config: TrainConfig,
        task: Task,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Self::beside([], model, config, task, seed, device)
    }

    /// As [`new`](Self::new), but if one of `others` has already copied the same images to the device, both share that copy.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn beside<'a>(
        others: impl IntoIterator<Item = &'a Progress>,
        model: &ModelConfig,
        config: TrainConfig,
        task: Task,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            progress: Progress::new(others, model, config, task, seed, device)?,
            network: model.init(seed, &device.clone().autodiff())?,
            optimizer: OptimizerState::new(&config),
            images: Vec::new(),
            #[cfg(not(target_family = "wasm"))]
            shared: None,
            losses: Vec::new(),
        })
    }

    /// Measures from now on by a clock of seconds.
    pub fn time_by(&mut self, clock: fn() -> f64) {
        self.progress.time_by(clock);
    }

    /// The network as it is, on the plain device, for evaluation or saving.
    pub fn network(&self) -> Network {
        self.network.valid()
    }

    /// Makes one step without waiting for the device. While it computes, another thread, if there is one, makes
    /// the next batch.
    ///
    /// # Errors
    /// [`TrainError::Data`] when an image of the batch cannot be read; the step is then not made, and may be tried again.
    ///
    /// # Panics
    /// When the student is [`finished`](Progress::finished).
    pub fn step(&mut self) -> Result<Step<'_>, TrainError> {
        assert!(!self.finished(), "all steps are made");
        let now = self.progress.clock;
        let begun = now();
        let batch = self.progress.take_batch()?;
        let taken = now();
        let (epoch, following) = (batch.epoch, self.step + 1);
        self.images.clone_from(&batch.images);
        let rate = self.learning_rate();
        let Self {
            progress: Progress { batches, resident, device, steps, ahead, .. },
            network,
            optimizer,
            ..
        } = self;
        let task = batches.task().clone();
        let train = || {
            let targets = targets(&batch, task.images.labels(), batch.images.len());
            let input = input(batch, resident.as_deref(), device);
            let copied = now();
            (learn(network, optimizer, rate, input, &targets, 1), copied, now())
        };
        let prepare = || (*ahead == 0 && following < *steps).then(|| batches.batch(following));
        let (((logits, loss), copied, learned), next) = both(train, prepare);
        self.progress.next = next;
        self.progress.times.wait += taken - begun + (now() - learned);
        self.progress.times.copy += copied - taken;
        self.losses.push(loss);
        self.progress.step = following;
        Ok(Step { epoch, images: &self.images, logits })
    }

    /// Makes one step, with the other ranks where there are some; none is given where the batch has no image for this one.
    ///
    /// # Errors
    /// The errors of [`step`](Self::step); those of the ranks.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub(super) async fn next_step(&mut self) -> Result<Option<Step<'_>>, TrainError> {
        #[cfg(not(target_family = "wasm"))]
        if let Some(ranks) = self.shared.clone() {
            assert!(!self.finished(), "all steps are made");
            return self.shared_step(&*ranks).await;
        }
        self.step().map(Some)
    }

    /// Makes up to `steps` steps and then reads the losses from the device.
    ///
    /// # Errors
    /// [`TrainError`] when an image cannot be read, the device fails or the loss is not finite.
    pub async fn advance(&mut self, steps: usize) -> Result<(), TrainError> {
        self.advance_while(steps, &|| true).await
    }

    /// Makes up to `steps` steps, as long as `go_on` says so before each, and then reads the losses. The curve gets a point for
    /// them only if all the steps were made, so that it does not tell when a student was stopped and continued.
    ///
    /// # Errors
    /// The errors of [`advance`](Self::advance).
    pub async fn advance_while(&mut self, steps: usize, go_on: &dyn Fn() -> bool) -> Result<(), TrainError> {
        for _ in 0..steps.min(self.steps - self.step) {
            if !go_on() {
                return self.gather_losses().await;
            }
            self.next_step().await?;
        }
        self.read_losses().await
    }

    /// Reads the losses of the steps since the last reading, one small transfer, and adds a point to the curve.
    ///
    /// # Errors
    /// [`TrainError`] when the device fails or the loss is not finite.
    pub async fn read_losses(&mut self) -> Result<(), TrainError> {
        self.gather_losses().await?;
        self.progress.note()
    }

    /// Reads the losses of the steps since the last reading and puts them aside: the curve gets no point for them yet.
    pub(super) async fn gather_losses(&mut self) -> Result<(), TrainError> {
        let losses = std::mem::take(&mut self.losses);
        if !losses.is_empty() {
            let steps = losses.len();
            self.progress.put_aside(&read_all(losses).await?, steps);
        }
        Ok(())
    }
}

/// The views of a batch on the network's device, `[B, H, W, 3]`.
pub(super) fn input(batch: Batch, resident: Option<&Resident>, device: &Device) -> Tensor<4> {
    match (batch.pixels, resident) {
        (Some(pixels), _) => upload::floats(pixels, &device.clone().autodiff()),
        (None, Some(resident)) => Tensor::from_inner(resident.views(&batch.views, device)),
        (None, None) => unreachable!("a batch has no pixels only where the device has the images"),
    }
}

/// Makes one step of S students' networks, stacked in one; returns the logits and every sample's share of the loss, off the
/// autodiff graph.
pub(super) fn learn(
    network: &mut Network,
    optimizer: &mut OptimizerState,
    rate: f64,
    input: Tensor<4>,
    targets: &[Target],
    students: usize,
) -> (Tensor<2>, Tensor<1>) {
    let logits = network.forward_train_stacked(input, students);
    let detached = logits.clone().inner();
    let loss = mixed_cross_entropy(logits, targets);
    let value = loss.clone().inner();
    let gradients = GradientsParams::from_grads(loss.backward(), network);
    // The optimiser takes the network and gives it back; a clone shares its tensors.
    *network = optimizer.step(rate, network.clone(), gradients);
    (detached, value)
}

#[cfg(all(test, feature = "flex"))]
pub(super) mod tests;
