//! One network in training.

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::recipe::{Optimizer, Recipe};
use crate::augment::{AugmentError, Augmentation, Executor, Layout, Normalise, Planner, View};
use crate::combine::Grid;
use crate::data::ImageSet;
use crate::device;
use crate::kernel::cross_entropy;
use crate::model::{ModelConfig, ModelError, Network};
use crate::random::{Purpose, permutation};

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
    network: Network,
    optimizer: ModuleOptimizer,
    recipe: Recipe,
    task: Task,
    planner: Planner,
    executor: Executor,
    device: Device,
    seed: u64,
    step: usize,
    steps: usize,
    order: Vec<u32>,
    views: Vec<View>,
    losses: Vec<Tensor<1>>,
    curve: Vec<CurvePoint>,
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
        if task.images.is_empty() {
            return Err(TrainError::Empty);
        }
        let network = model.init(seed, &device.clone().autodiff())?;
        let optimizer = optimizer(&recipe, &network);
        let steps = recipe.steps(task.images.len());
        let planner = Planner::new(task.augmentation, task.grid, task.images.side(), seed)?;
        Ok(Self {
            network,
            optimizer,
            recipe,
            planner,
            executor: Executor::new(task.images.side()),
            task,
            device: device.clone(),
            seed,
            step: 0,
            steps,
            order: Vec::new(),
            views: Vec::new(),
            losses: Vec::new(),
            curve: Vec::new(),
        })
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
        self.recipe.batch.min(self.task.images.len())
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
        &self.task
    }

    /// Makes one step without waiting for the device.
    ///
    /// # Panics
    /// When the student is [`finished`](Self::finished).
    pub fn step(&mut self) -> Step<'_> {
        assert!(!self.finished(), "all steps are made");
        let count = self.task.images.len();
        let per_epoch = self.recipe.steps_per_epoch(count);
        let (epoch, batch) = (self.step / per_epoch, self.step % per_epoch);
        if batch == 0 || self.order.is_empty() {
            self.order = permutation(self.seed, Purpose::Shuffle, epoch as u32, count);
        }
        let start = batch * self.recipe.batch;
        let images = &self.order[start..count.min(start + self.recipe.batch)];
        self.planner.plan(epoch as u32, batch as u64, images, &mut self.views);

        let side = self.task.images.side() as usize;
        let mut pixels = vec![0.0f32; images.len() * 3 * side * side];
        let normalise = &self.task.normalise;
        self.executor.execute(&self.task.images, &self.views, normalise, Layout::Nchw, &mut pixels);

        let device = self.device.clone().autodiff();
        let input = TensorData::new(pixels, [images.len(), 3, side, side]);
        let logits = self.network.forward_train(Tensor::from_data(input, (&device, DType::F32)));
        let detached = logits.clone().inner();
        let loss = self.loss(logits, images);
        self.losses.push(loss.clone().inner());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let rate = self.recipe.learning_rate(self.step, epoch, per_epoch);
        // The optimiser takes the network and gives it back; a clone shares its tensors.
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        self.step += 1;
        Step { epoch, images, logits: detached }
    }

    /// Mean cross-entropy of the batch, with both labels of mixed views.
    fn loss(&self, logits: Tensor<2>, images: &[u32]) -> Tensor<1> {
        let labels = self.task.images.labels();
        let label = |place: usize| labels[images[place] as usize] as i32;
        let tensor = |values: Vec<i32>| {
            let data = TensorData::new(values, [images.len()]);
            Tensor::<1, Int>::from_data(data, (&self.device, DType::I32))
        };
        let own = tensor((0..images.len()).map(label).collect());
        let Some(lambda) = self.views.first().and_then(|view| view.mix).map(|mix| mix.lambda) else {
            return cross_entropy(logits, own).mean();
        };
        let partner = |place: usize| self.views[place].mix.map_or(place, |mix| mix.other as usize);
        let other = tensor((0..images.len()).map(|place| label(partner(place))).collect());
        cross_entropy(logits.clone(), own).mean() * lambda
            + cross_entropy(logits, other).mean() * (1.0 - lambda)
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
        let losses = Tensor::cat(std::mem::take(&mut self.losses), 0);
        let values = device::read(losses).await.map_err(TrainError::Device)?;
        let loss = values.iter().sum::<f32>() / values.len() as f32;
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

/// PyTorch's optimiser of a recipe: decay for tensors of more than one dimension only.
fn optimizer(recipe: &Recipe, network: &Network) -> ModuleOptimizer {
    let mut matrices = Matrices(Vec::new());
    network.visit(&mut matrices);
    let decayed = ParamGroup::from_ids(matrices.0);
    match recipe.optimizer {
        Optimizer::AdamW => {
            let config =
                |decay: f64| AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(decay as f32).build();
            ModuleOptimizer::from(config(0.0)).with_group(decayed, config(recipe.weight_decay), None)
        }
        Optimizer::Sgd => {
            let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
            let config = SgdConfig::new().with_momentum(Some(momentum));
            let decay = WeightDecayConfig::new(recipe.weight_decay as f32);
            let with_decay = config.clone().with_weight_decay(Some(decay));
            ModuleOptimizer::from(config.build()).with_group(decayed, with_decay.build(), None)
        }
    }
}

/// Collects the parameters of more than one dimension.
struct Matrices(Vec<ParamId>);

impl ModuleVisitor for Matrices {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D > 1 {
            self.0.push(param.id);
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
