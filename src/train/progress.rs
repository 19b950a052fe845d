//! Progress of a student's training, without its network: the batches, the steps made and the training curve.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Batches, Coming};
use super::config::TrainConfig;
use super::error::TrainError;
use super::resident::Resident;
use super::task::Task;
use crate::data::DataError;
use crate::device;
use crate::kernel::cross_entropy::Target;
use crate::model::ModelConfig;

/// Bytes of batches that are made ahead of the steps of a GPU, beside the next.
const AHEAD_BYTES: usize = 256 << 20;
/// Most batches that are made ahead.
const MOST_AHEAD: usize = 8;

/// Seconds of a training that were no computing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Waiting for the images of a batch.
    pub wait: f64,
    /// Copying batches to the device.
    pub copy: f64,
}

/// A point of a training curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Number of optimiser steps made.
    pub step: usize,
    /// Mean training loss since the previous point, in nats.
    pub loss: f32,
}

/// Progress of a student's training: its task, the steps it has made, and its losses.
pub struct Progress {
    pub(super) model: ModelConfig,
    pub(super) config: TrainConfig,
    pub(super) batches: Batches,
    /// The images on the device, where the device cuts the views.
    pub(super) resident: Option<Arc<Resident>>,
    /// The batch of the next step, if it has been made already.
    pub(super) next: Option<Result<Batch, DataError>>,
    /// Number of batches that are begun ahead of the step, on threads that a GPU leaves idle. 0 on the CPU, where a step takes
    /// all of them: there the next batch is made beside it.
    pub(super) ahead: usize,
    /// Batches that were begun, that of the next step first.
    pub(super) coming: VecDeque<Coming>,
    /// Seconds since some moment; always 0 where nobody has a clock.
    pub(super) clock: fn() -> f64,
    pub(super) times: Times,
    pub(super) device: Device,
    pub(super) step: usize,
    pub(super) steps: usize,
    pub(super) curve: Vec<CurvePoint>,
    /// Every sample's share of the loss in steps that no point of the curve counts yet.
    pub(super) uncounted: Vec<f32>,
    /// Number of those steps.
    pub(super) uncounted_steps: usize,
    /// [`Student::fingerprint`](super::Student), once it is known: what it hashes does not change.
    pub(super) fingerprint: OnceLock<String>,
}

impl Progress {
    /// The progress of a student that has made no step yet. If one of `others` has already copied the same images to the
    /// device, both share that copy.
    pub(super) fn new<'a>(
        others: impl IntoIterator<Item = &'a Self>,
        model: &ModelConfig,
        config: TrainConfig,
        task: Task,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        if task.images.is_empty() {
            return Err(TrainError::Empty);
        }
        config.check()?;
        let steps = config.steps(task.images.len());
        let resident = if device::is_cpu(device) {
            None
        } else if let Some(other) = others.into_iter().find(|other| other.has_on(device, &task)) {
            other.resident.clone()
        } else {
            Resident::new(&*task.images, &task.normalise, device)?.map(Arc::new)
        };
        let batches = Batches::new(task, config, seed, resident.is_some())?;
        let ahead = match device::is_cpu(device) || resident.is_some() {
            true => 0,
            false => (AHEAD_BYTES / batches.bytes()).clamp(1, MOST_AHEAD),
        };
        Ok(Self {
            model: *model,
            config,
            batches,
            ahead,
            coming: VecDeque::new(),
            clock: || 0.0,
            times: Times::default(),
            resident,
            next: None,
            device: device.clone(),
            step: 0,
            steps,
            curve: Vec::new(),
            uncounted: Vec::new(),
            uncounted_steps: 0,
            fingerprint: OnceLock::new(),
        })
    }

    /// `true` where this student has the images of `task` on `device`, with the same normalisation.
    fn has_on(&self, device: &Device, task: &Task) -> bool {
        let own = self.task();
        self.resident.is_some()
            && self.device == *device
            && Arc::ptr_eq(&own.images, &task.images)
            && own.normalise == task.normalise
    }

    /// Number of steps made.
    pub fn steps_made(&self) -> usize {
        self.step
    }

    /// Number of steps in the whole training.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// `true` once all steps are made.
    pub fn finished(&self) -> bool {
        self.step >= self.steps
    }

    /// Number of images in a full batch.
    pub fn batch(&self) -> usize {
        self.config.batch.min(self.task().images.len())
    }

    /// The training curve so far.
    pub fn curve(&self) -> &[CurvePoint] {
        &self.curve
    }

    /// The images and views that the student is trained on.
    pub fn task(&self) -> &Task {
        self.batches.task()
    }

    /// Measures from now on by a clock of seconds.
    pub fn time_by(&mut self, clock: fn() -> f64) {
        self.clock = clock;
    }

    /// Seconds so far that were no computing, as far as there is a clock.
    pub fn times(&self) -> Times {
        self.times
    }

    /// The batch of the next step.
    ///
    /// # Errors
    /// [`DataError`] when an image of the batch cannot be read.
    pub(super) fn take_batch(&mut self) -> Result<Batch, DataError> {
        if self.ahead == 0 {
            return self.next.take().unwrap_or_else(|| self.batches.batch(self.step));
        }
        let until = self.steps.min(self.step + 1 + self.ahead);
        for step in self.step + self.coming.len()..until {
            let coming = self.batches.begin(step);
            self.coming.push_back(coming);
        }
        let batch = self.coming.pop_front().expect("a step that is not made").wait();
        if batch.is_err() {
            // The step may be tried again.
            self.coming.clear();
        }
        batch
    }

    /// Forgets the batches that were made ahead, as the next step is another.
    pub(super) fn forget_batches(&mut self) {
        self.next = None;
        self.coming.clear();
    }

    /// Number of steps in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.config.steps_per_epoch(self.task().images.len()).max(1)
    }

    /// The learning rate of a step, counted from 0.
    pub fn learning_rate_of(&self, step: usize) -> f64 {
        let per_epoch = self.steps_per_epoch();
        self.config.learning_rate(step, step / per_epoch, per_epoch)
    }

    /// The learning rate of the next step.
    pub(super) fn learning_rate(&self) -> f64 {
        self.learning_rate_of(self.step)
    }

    /// Puts aside the losses of `steps` steps for the next point of the curve. `shares` holds each sample's share of the loss
    /// of its step.
    pub(super) fn put_aside(&mut self, shares: &[f32], steps: usize) {
        self.uncounted.extend_from_slice(shares);
        self.uncounted_steps += steps;
    }

    /// Adds a point to the curve: the mean loss of the steps since the last one; none where there are no such steps.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when the mean is not a finite number.
    pub(super) fn note(&mut self) -> Result<(), TrainError> {
        if self.uncounted_steps == 0 {
            return Ok(());
        }
        let loss = self.uncounted.iter().sum::<f32>() / self.uncounted_steps as f32;
        self.uncounted.clear();
        self.uncounted_steps = 0;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step: self.step, loss });
        }
        self.curve.push(CurvePoint { step: self.step, loss });
        Ok(())
    }
}

/// Labels that the loss compares a batch's logits with: both labels of a mixed view, weighted so that the shares of all
/// samples add up to the mean loss of the batch, which has `count` images: more than are here, where this is a shard of it.
/// `labels` are those of all images of the task.
pub(super) fn targets(batch: &Batch, labels: &[u32], count: usize) -> Vec<Target> {
    let label = |place: usize| labels[batch.images[place] as usize];
    let target = |place: usize| {
        let mix = batch.views[place].mix;
        let lambda = mix.map_or(1.0, |mix| mix.lambda);
        let [own_share, other_share] = [lambda, 1.0 - lambda].map(|share| share / count as f32);
        let other = mix.map_or(place, |mix| mix.other as usize);
        Target { own: label(place), other: label(other), own_share, other_share }
    };
    (0..batch.images.len()).map(target).collect()
}
