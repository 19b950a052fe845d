//! One network in training.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Batches};
use super::optimizer::OptimizerState;
use super::recipe::Recipe;
use crate::augment::{AugmentError, Augmentation, Normalise, View};
use crate::combine::Grid;
use crate::data::ImageSet;
use crate::device;
use crate::kernel::cross_entropy::{Shares, mixed_cross_entropy};
use crate::kernel::views::Resident;
use crate::model::{ModelConfig, ModelError, Network};
use crate::parallel::both;

/// Steps between two readings of the device.
pub const READ_EVERY: usize = 16;

/// What a student is trained on, and how its views are made.
#[derive(Clone, Debug)]
pub struct Task {
    /// The stored images.
    pub images: Arc<ImageSet>,
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
    /// There is nothing to train on.
    #[error("the training set is empty")]
    Empty,
    /// The device did not answer.
    #[error("the device failed in training: {0}")]
    Device(String),
    /// The loss is not a number any more.
    #[error("the loss became {loss} by step {step}; lower --lr")]
    Diverged {
        /// Steps made.
        step: usize,
        /// The loss read.
        loss: f32,
    },
}

/// A point of a training curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Optimiser steps made.
    pub step: usize,
    /// Mean training loss since the point before, in nats.
    pub loss: f32,
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

/// One network in training: advance it some steps, put it aside, go on.
pub struct Student {
    pub(super) network: Network,
    pub(super) optimizer: OptimizerState,
    pub(super) recipe: Recipe,
    pub(super) batches: Batches,
    /// The images, where the device cuts the views.
    resident: Option<Arc<Resident>>,
    /// The batch of the next step, when it is made already.
    pub(super) next: Option<Batch>,
    pub(super) device: Device,
    pub(super) step: usize,
    steps: usize,
    /// The images of the last step.
    images: Vec<u32>,
    pub(super) losses: Vec<Tensor<1>>,
    pub(super) curve: Vec<CurvePoint>,
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
        others: impl IntoIterator<Item = &'a Self>,
        model: &ModelConfig,
        recipe: Recipe,
        task: Task,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        if task.images.is_empty() {
            return Err(TrainError::Empty);
        }
        let network = model.init(seed, &device.clone().autodiff())?;
        let steps = recipe.steps(task.images.len());
        let resident = if device::is_cpu(device) {
            None
        } else if let Some(other) = others.into_iter().find(|other| other.has_on(device, &task)) {
            other.resident.clone()
        } else {
            Resident::new(&task.images, &task.normalise, device).map(Arc::new)
        };
        Ok(Self {
            network,
            optimizer: OptimizerState::new(&recipe),
            recipe,
            batches: Batches::new(task, recipe, seed, resident.is_some())?,
            resident,
            next: None,
            device: device.clone(),
            step: 0,
            steps,
            images: Vec::new(),
            losses: Vec::new(),
            curve: Vec::new(),
        })
    }

    /// Whether the images of a task lie on a device for this student, normalised alike.
    fn has_on(&self, device: &Device, task: &Task) -> bool {
        let own = self.task();
        self.resident.is_some()
            && self.device == *device
            && Arc::ptr_eq(&own.images, &task.images)
            && own.normalise == task.normalise
    }

    /// Steps made.
    pub fn steps_made(&self) -> usize {
        self.step
    }

    /// Steps to make in all.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Whether all steps are made.
    pub fn finished(&self) -> bool {
        self.step >= self.steps
    }

    /// Images in a full batch.
    pub fn batch(&self) -> usize {
        self.recipe.batch.min(self.task().images.len())
    }

    /// The training curve so far.
    pub fn curve(&self) -> &[CurvePoint] {
        &self.curve
    }

    /// The network as it is, on the plain device, for evaluation or saving.
    pub fn network(&self) -> Network {
        self.network.valid()
    }

    /// What it is trained on.
    pub fn task(&self) -> &Task {
        self.batches.task()
    }

    /// Makes one step without waiting for the device. While it computes, another thread, if there is one, makes
    /// the next batch.
    ///
    /// # Panics
    /// When the student is [`finished`](Self::finished).
    pub fn step(&mut self) -> Step<'_> {
        assert!(!self.finished(), "all steps are made");
        let batch = self.next.take().unwrap_or_else(|| self.batches.batch(self.step));
        let (epoch, following) = (batch.epoch, self.step + 1);
        self.images.clone_from(&batch.images);
        let Self { network, optimizer, recipe, batches, resident, device, step, steps, .. } = self;
        let count = batches.task().images.len();
        let rate = recipe.learning_rate(*step, epoch, recipe.steps_per_epoch(count));
        let task = batches.task().clone();
        let train = || train(network, optimizer, rate, &task, resident.as_deref(), batch, device);
        let prepare = || (following < *steps).then(|| batches.batch(following));
        let ((logits, loss), next) = both(train, prepare);
        self.next = next;
        self.losses.push(loss);
        self.step = following;
        Step { epoch, images: &self.images, logits }
    }

    /// Makes up to `steps` steps and then reads the losses from the device.
    ///
    /// # Errors
    /// [`TrainError`] when the device fails or the loss is not finite.
    pub async fn advance(&mut self, steps: usize) -> Result<(), TrainError> {
        for _ in 0..steps.min(self.steps - self.step) {
            self.step();
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
        let values = device::read_all(losses).await.map_err(TrainError::Device)?;
        let loss = values.iter().sum::<f32>() / steps as f32;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss });
        }
        self.curve.push(CurvePoint { step: self.step, loss });
        Ok(())
    }
}

/// Trains the students of a cohort in turns of [`READ_EVERY`] steps, to the end. `progress` is told the
/// number of steps made, by all together, after each turn.
///
/// # Errors
/// The first student's [`TrainError`].
pub async fn interleave(students: &mut [Student], mut progress: impl FnMut(usize)) -> Result<(), TrainError> {
    while students.iter().any(|student| !student.finished()) {
        for student in students.iter_mut().filter(|student| !student.finished()) {
            student.advance(READ_EVERY).await?;
        }
        progress(students.iter().map(Student::steps_made).sum());
    }
    Ok(())
}

/// Trains a network on a batch; the logits and every sample's share of the loss, off the autodiff graph.
fn train(
    network: &mut Network,
    optimizer: &mut OptimizerState,
    rate: f64,
    task: &Task,
    resident: Option<&Resident>,
    batch: Batch,
    device: &Device,
) -> (Tensor<2>, Tensor<1>) {
    let input = match (batch.pixels, resident) {
        (Some(pixels), _) => Tensor::from_data(pixels, (&device.clone().autodiff(), DType::F32)),
        (None, Some(resident)) => Tensor::from_inner(resident.views(&batch.views, device)),
        (None, None) => unreachable!("a batch has no pixels only where the device has the images"),
    };
    let logits = network.forward_train(input);
    let detached = logits.clone().inner();
    let loss = loss(logits, &batch.images, &batch.views, task.images.labels());
    let value = loss.clone().inner();
    let gradients = GradientsParams::from_grads(loss.backward(), network);
    // The optimiser takes the network and gives it back; a clone shares its tensors.
    *network = optimizer.step(rate, network.clone(), gradients);
    (detached, value)
}

/// Mean cross-entropy of a batch, with both labels of mixed views, as the share of each sample: `[B]`. Its gradient is that
/// of their sum. `labels` are those of all images of the task.
fn loss(logits: Tensor<2>, images: &[u32], views: &[View], labels: &[u32]) -> Tensor<1> {
    let device = logits.device().inner();
    let label = |place: usize| labels[images[place] as usize] as i32;
    let tensor = |values: Vec<i32>| {
        let data = TensorData::new(values, [images.len()]);
        Tensor::<1, Int>::from_data(data, (&device, DType::I32))
    };
    let own = tensor((0..images.len()).map(label).collect());
    let partner = |place: usize| views[place].mix.map_or(place, |mix| mix.other as usize);
    let other = tensor((0..images.len()).map(|place| label(partner(place))).collect());
    let lambda = views.first().and_then(|view| view.mix).map_or(1.0, |mix| mix.lambda);
    let [own_share, other_share] = [lambda, 1.0 - lambda].map(|share| share / images.len() as f32);
    mixed_cross_entropy(logits, own, other, Shares { own: own_share, other: other_share })
}

#[cfg(all(test, feature = "flex"))]
mod tests;
