//! All who listen to a run.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::event::{Event, Listener, Moment};

/// All who listen to a run.
pub(in crate::cli) struct Watch {
    listeners: Mutex<Vec<Box<dyn Listener>>>,
}

impl Watch {
    /// An audience of these.
    pub(in crate::cli) fn of(listeners: Vec<Box<dyn Listener>>) -> Self {
        Self { listeners: Mutex::new(listeners) }
    }

    /// Tells all who listen, and gives a warning for each that cannot go on.
    pub(in crate::cli) fn tell(&self, event: &Event<'_>) -> Vec<String> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.is_empty() {
            return Vec::new();
        }
        let (at, mut lost) = (Moment::now(), Vec::new());
        listeners.retain_mut(|listener| match listener.hear(at, event) {
            Ok(()) => true,
            Err(why) => {
                lost.push(format!("{}: {why}; the run goes on without it", listener.name()));
                false
            }
        });
        lost
    }
}

/// Least seconds between two tellings of how far a stage is that reads nothing else.
const PROGRESS_EVERY: f64 = 10.0;

/// Whether a stage's progress is to be told again.
pub(in crate::cli) struct Every(Instant);

impl Every {
    pub(in crate::cli) fn new() -> Self {
        Self(Instant::now())
    }

    /// `true` every [`PROGRESS_EVERY`] seconds.
    pub(in crate::cli) fn is_due(&mut self) -> bool {
        let due = self.0.elapsed().as_secs_f64() >= PROGRESS_EVERY;
        if due {
            self.0 = Instant::now();
        }
        due
    }
}
