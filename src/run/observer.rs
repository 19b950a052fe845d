//! The observer of a run, who is told of its progress and may stop it.

use super::RunError;

/// The caller's side of a run: messages, progress, the wish to stop, and the clock, as the core has none.
pub trait Observer: Sync {
    /// A line about what was found or done.
    fn say(&self, text: &str);
    /// A warning: what is wrong, and what to do about it.
    fn warn(&self, text: &str);
    /// Begins a stage of `total` units, named in plural (`images`, `steps`). It ends when it is dropped.
    fn stage(&self, name: &'static str, unit: &'static str, total: usize) -> Box<dyn Stage + '_>;
    /// `true` where the run is to stop after the step in progress.
    fn wants_stop(&self) -> bool;
    /// Seconds since any fixed moment.
    fn seconds(&self) -> f64;

    /// A clock of such seconds, for those who work for a long time without asking; one that stands still where there is none.
    fn clock(&self) -> fn() -> f64 {
        || 0.0
    }

    /// The output is this run's from now on: files of earlier runs are replaced, and new ones may be written beside those of the run.
    fn began(&self) {}

    /// Bytes of memory that are free; `None` where nobody knows.
    fn free_memory(&self) -> Option<u64> {
        None
    }

    /// Returns `Ok` as long as the run may go on.
    ///
    /// # Errors
    /// [`RunError::Stopped`] when it is to stop.
    fn go_on(&self) -> Result<(), RunError> {
        if self.wants_stop() { Err(RunError::Stopped) } else { Ok(()) }
    }
}

/// A stage in progress; it may be told of progress from any thread.
pub trait Stage: Sync {
    /// Counts `units` more as done.
    fn add(&self, units: usize);

    /// Something to be shown beside the progress, in place of what was there.
    fn note(&self, _text: &str) {}

    /// What a training of the stage has come to.
    fn reading(&self, _reading: &Reading<'_>) {}

    /// A training of the stage was saved after so many steps.
    fn saved(&self, _training: &str, _step: usize) {}
}

/// What a training has come to when the device is read, which is every few steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<'a> {
    /// Name of the training among those of its stage: a proxy's seed, or a student's method and seed.
    pub training: &'a str,
    /// Epoch of the last step, from 1.
    pub epoch: usize,
    /// Number of steps made.
    pub step: usize,
    /// Number of steps of the whole training.
    pub steps: usize,
    /// Mean training loss of the steps since the last reading, in nats; `None` where none was read.
    pub loss: Option<f64>,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Images that were learnt from in a second since the last reading; `None` without a clock.
    pub images_per_second: Option<f64>,
    /// Share of the training's time, 0 to 1, in which it waited for images, in this process; `None` without a clock.
    pub waiting: Option<f64>,
}

/// An observer that shows nothing, never stops a run and has no clock: times are 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn say(&self, _text: &str) {}

    fn warn(&self, _text: &str) {}

    fn stage(&self, _name: &'static str, _unit: &'static str, _total: usize) -> Box<dyn Stage + '_> {
        Box::new(Self)
    }

    fn wants_stop(&self) -> bool {
        false
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

impl Stage for Silent {
    fn add(&self, _units: usize) {}
}
