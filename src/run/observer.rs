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
