//! How fast a training goes.

use super::observer::Reading;
use crate::train::Progress;

/// The moment of a training's last reading, from which the next is measured.
pub(super) struct Pace {
    /// Seconds when this process began with the training.
    begun: f64,
    /// Seconds at the last reading, and the steps that were made then.
    last: (f64, usize),
}

impl Pace {
    /// The pace of a training that this process goes on with now.
    pub(super) fn new(progress: &Progress, now: f64) -> Self {
        Self { begun: now, last: (now, progress.steps_made()) }
    }

    /// What a training has come to now; `None` where it has made no step since the last reading.
    pub(super) fn reading<'a>(
        &mut self,
        training: &'a str,
        progress: &Progress,
        now: f64,
    ) -> Option<Reading<'a>> {
        let step = progress.steps_made();
        let (before, made) = std::mem::replace(&mut self.last, (now, step));
        if step == made {
            return None;
        }
        let per = |amount: f64, seconds: f64| Some(amount / seconds).filter(|ratio| ratio.is_finite());
        let loss = progress.curve().last().filter(|point| point.step == step);
        Some(Reading {
            training,
            epoch: (step - 1) / progress.steps_per_epoch() + 1,
            step,
            steps: progress.steps(),
            loss: loss.map(|point| f64::from(point.loss)),
            learning_rate: progress.learning_rate_of(step - 1),
            images_per_second: per(learnt(progress, step) - learnt(progress, made), now - before),
            waiting: per(progress.times().wait, now - self.begun).map(|share| share.clamp(0.0, 1.0)),
        })
    }
}

/// Number of images in the first steps of a training; an epoch's last batch has what is left.
fn learnt(progress: &Progress, steps: usize) -> f64 {
    let (per_epoch, images) = (progress.steps_per_epoch(), progress.task().images.len());
    (steps / per_epoch * images + (steps % per_epoch * progress.batch()).min(images)) as f64
}
