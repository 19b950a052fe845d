//! The proxy: a network trained on the full training set, whose answers score every sample.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Dynamics, ScoreError, TrainingLog};
use crate::device;
use crate::model::ModelConfig;
use crate::train::{READ_EVERY, Recipe, Student, Task, TrainError, eval_logits};

/// Which forward pass scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The training pass itself: augmented views, batch statistics, the weights of that moment. What CCS
    /// and the code of the paper's group record; it costs nothing.
    #[default]
    Train,
    /// A pass over the whole images after each epoch, in evaluation mode, as in data_diet.
    Eval,
}

impl std::str::FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "train" => Ok(Self::Train),
            "eval" => Ok(Self::Eval),
            _ => Err(format!("'{text}' is not a moment to score; give train or eval")),
        }
    }
}

/// Scoring that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Its answers cannot be recorded.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// The training dynamics of a batch, from its logits on the device: `logits` is `[labels.len(), classes]`.
///
/// This is the seam between device and log: whatever computes them on the device takes the place of the
/// transfer of logits here.
///
/// # Errors
/// [`ProxyError`] when the device does not answer or a logit is not a number.
pub async fn dynamics(logits: Tensor<2>, labels: &[u32]) -> Result<Vec<Dynamics>, ProxyError> {
    let classes = logits.dims()[1];
    let values = device::read(logits).await.map_err(TrainError::Device)?;
    Ok(Dynamics::batch(&values, labels, classes)?)
}

/// A proxy in training, and the log of its answers.
pub struct Proxy {
    student: Student,
    device: Device,
    when: When,
    log: TrainingLog,
    /// Batches whose logits are still on the device.
    pending: Vec<(u32, Vec<u32>, Tensor<2>)>,
    per_epoch: usize,
}

impl Proxy {
    /// A fresh proxy. `recipe.length` should be whole epochs: each is recorded.
    ///
    /// # Errors
    /// [`ProxyError`] when there is no image or no such network.
    pub fn new(
        model: &ModelConfig,
        recipe: Recipe,
        task: Task,
        when: When,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ProxyError> {
        let samples = task.images.len();
        let per_epoch = recipe.steps_per_epoch(samples).max(1);
        let epochs = recipe.steps(samples) / per_epoch;
        let student = Student::new(model, recipe, task, seed, device)?;
        let log = TrainingLog::new(epochs as u32, samples as u32);
        Ok(Self { student, device: device.clone(), when, log, pending: Vec::new(), per_epoch })
    }

    /// The network in training.
    pub fn student(&self) -> &Student {
        &self.student
    }

    /// Whether all epochs are recorded.
    pub fn finished(&self) -> bool {
        self.student.finished() && self.pending.is_empty()
    }

    /// The log so far.
    pub fn log(&self) -> &TrainingLog {
        &self.log
    }

    /// Gives the log away.
    pub fn into_log(self) -> TrainingLog {
        self.log
    }

    /// Makes up to [`READ_EVERY`] steps, then reads and records what they answered.
    ///
    /// # Errors
    /// [`ProxyError`] when the device fails, the loss diverges or a logit is not a number.
    pub async fn advance(&mut self) -> Result<(), ProxyError> {
        for _ in 0..READ_EVERY {
            if self.student.finished() {
                break;
            }
            let step = self.student.step();
            if self.when == When::Train {
                self.pending.push((step.epoch as u32, step.images.to_vec(), step.logits));
            }
            let made = self.student.steps_made();
            if self.when == When::Eval && made.is_multiple_of(self.per_epoch) {
                self.record_eval((made / self.per_epoch - 1) as u32).await?;
            }
        }
        self.student.read_losses().await?;
        self.record_pending().await
    }

    /// One transfer for all pending batches of an epoch.
    async fn record_pending(&mut self) -> Result<(), ProxyError> {
        let mut pending = std::mem::take(&mut self.pending).into_iter().peekable();
        while let Some((epoch, mut images, logits)) = pending.next() {
            let mut parts = vec![logits];
            while let Some((_, more, logits)) = pending.next_if(|(next, ..)| *next == epoch) {
                images.extend(more);
                parts.push(logits);
            }
            let answers = dynamics(Tensor::cat(parts, 0), &self.labels(&images)).await?;
            self.log.record(epoch, &images, &answers)?;
        }
        Ok(())
    }

    async fn record_eval(&mut self, epoch: u32) -> Result<(), ProxyError> {
        let mut network = self.student.network();
        let all: Vec<u32> = (0..self.student.task().images.len() as u32).collect();
        for images in all.chunks(self.student.batch().max(64)) {
            let task = self.student.task();
            let logits = eval_logits(&mut network, &self.device, &task.images, images, &task.normalise);
            let answers = dynamics(logits, &self.labels(images)).await?;
            self.log.record(epoch, images, &answers)?;
        }
        Ok(())
    }

    fn labels(&self, images: &[u32]) -> Vec<u32> {
        let labels = self.student.task().images.labels();
        images.iter().map(|&image| labels[image as usize]).collect()
    }
}
