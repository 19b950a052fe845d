//! One network in training.

use std::ops::Deref;
use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::batch::Batch;
use super::course::{Course, targets};
use super::optimizer::OptimizerState;
use super::recipe::Recipe;
use super::resident::Resident;
use crate::augment::{AugmentError, Augmentation, Normalise};
use crate::combine::Grid;
use crate::data::{DataError, Source};
use crate::device::{DeviceError, upload};
use crate::kernel::cross_entropy::{Target, mixed_cross_entropy};
use crate::kernel::read_all;
use crate::model::{ModelConfig, ModelError, Network};
use crate::parallel::both;

/// Steps between two readings of the device.
pub const READ_EVERY: usize = 16;

/// What a student is trained on, and how its views are made.
#[derive(Clone, Debug)]
pub struct Task {
    /// The stored images.
    pub images: Arc<dyn Source>,
    /// The grid of the stored images; [`Grid::WHOLE`] when they are no composites.
    pub grid: Grid,
    /// How a training view is made.
    pub augmentation: Augmentation,
    /// What pixels are normalised by.
    pub normalise: Normalise,
}

/// Training that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The network cannot be made.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The views cannot be made.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// An image cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is nothing to train on.
    #[error("the training set is empty")]
    Empty,
    /// The device did not answer.
    #[error("the device failed in training: {}", .0.reason())]
    Device(DeviceError),
    /// The loss is not a number any more.
    #[error("the loss became {loss} by step {step}; lower --lr")]
    Diverged {
        /// Steps made.
        step: usize,
        /// The loss read.
        loss: f32,
    },
}

impl From<DeviceError> for TrainError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

/// What one step did, still on the device.
pub struct Step<'a> {
    /// The epoch it belongs to, from 0.
    pub epoch: usize,
    /// The images of the batch.
    pub images: &'a [u32],
    /// Their logits `[B, classes]` in this training forward pass, off the autodiff graph.
    pub logits: Tensor<2>,
}

/// One network in training: advance it some steps, put it aside, go on. It is its [`Course`] and the network that takes it.
pub struct Student {
    pub(super) course: Course,
    pub(super) network: Network,
    pub(super) optimizer: OptimizerState,
    /// The images of the last step.
    images: Vec<u32>,
    /// Every sample's share of the loss in the steps since the last reading.
    pub(super) losses: Vec<Tensor<1>>,
}

impl Deref for Student {
    type Target = Course;

    fn deref(&self) -> &Course {
        &self.course
    }
}

impl Student {
    /// A network with fresh weights. `seed` decides weights, order and views; the device is the plain
    /// one, without autodiff.
    ///
    /// # Errors
    /// [`TrainError`] when there is no image or no such network.
    pub fn new(
        model: &ModelConfig,
        recipe: Recipe,
        task: Task,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Self::beside([], model, recipe, task, seed, device)
    }

    /// As [`new`](Self::new), beside others: images that one of them has brought to the device lie there once for both.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn beside<'a>(
        others: impl IntoIterator<Item = &'a Course>,
        model: &ModelConfig,
        recipe: Recipe,
        task: Task,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            course: Course::new(others, model, recipe, task, seed, device)?,
            network: model.init(seed, &device.clone().autodiff())?,
            optimizer: OptimizerState::new(&recipe),
            images: Vec::new(),
            losses: Vec::new(),
        })
    }

    /// The network as it is, on the plain device, for evaluation or saving.
    pub fn network(&self) -> Network {
        self.network.valid()
    }

    /// Makes one step without waiting for the device. While it computes, another thread, if there is one, makes
    /// the next batch.
    ///
    /// # Errors
    /// [`TrainError::Data`] when an image of the batch cannot be had; the step is then not made, and may be tried again.
    ///
    /// # Panics
    /// When the student is [`finished`](Course::finished).
    pub fn step(&mut self) -> Result<Step<'_>, TrainError> {
        assert!(!self.finished(), "all steps are made");
        let batch = self.course.take_batch()?;
        let (epoch, following) = (batch.epoch, self.step + 1);
        self.images.clone_from(&batch.images);
        let rate = self.learning_rate();
        let Self { course: Course { batches, resident, device, steps, .. }, network, optimizer, .. } = self;
        let task = batches.task().clone();
        let train = || {
            let targets = targets(&batch, task.images.labels());
            let input = input(batch, resident.as_deref(), device);
            learn(network, optimizer, rate, input, &targets, 1)
        };
        let prepare = || (following < *steps).then(|| batches.batch(following));
        let ((logits, loss), next) = both(train, prepare);
        self.course.next = next;
        self.losses.push(loss);
        self.course.step = following;
        Ok(Step { epoch, images: &self.images, logits })
    }

    /// Makes up to `steps` steps and then reads the losses from the device.
    ///
    /// # Errors
    /// [`TrainError`] when an image cannot be had, the device fails or the loss is not finite.
    pub async fn advance(&mut self, steps: usize) -> Result<(), TrainError> {
        for _ in 0..steps.min(self.steps - self.step) {
            self.step()?;
        }
        self.read_losses().await
    }

    /// Reads the losses of the steps since the last reading: one small transfer.
    ///
    /// # Errors
    /// [`TrainError`] when the device fails or the loss is not finite.
    pub async fn read_losses(&mut self) -> Result<(), TrainError> {
        if self.losses.is_empty() {
            return Ok(());
        }
        let losses = std::mem::take(&mut self.losses);
        let steps = losses.len();
        let shares = read_all(losses).await?;
        self.course.note(&shares, steps)
    }
}

/// The views of a batch where the network is, `[B, H, W, 3]`.
fn input(batch: Batch, resident: Option<&Resident>, device: &Device) -> Tensor<4> {
    match (batch.pixels, resident) {
        (Some(pixels), _) => upload::floats(pixels, &device.clone().autodiff()),
        (None, Some(resident)) => Tensor::from_inner(resident.views(&batch.views, device)),
        (None, None) => unreachable!("a batch has no pixels only where the device has the images"),
    }
}

/// A step of S students' networks, stacked in one; the logits and every sample's share of the loss, off the autodiff graph.
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
