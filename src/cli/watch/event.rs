//! What a run tells, and who is told.

use std::io;
use std::time::SystemTime;

use crate::fs;
use crate::run::Reading;

/// Something that a run tells.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Event<'a> {
    /// The output is the run's own from now on.
    Began,
    /// A line for the user.
    Said(&'a str),
    /// A warning for the user.
    Warned(&'a str),
    /// A stage of `total` units begins.
    StageBegan { stage: &'static str, unit: &'static str, total: usize },
    /// So much of a stage is done.
    Progress { stage: &'static str, unit: &'static str, done: usize, total: usize },
    /// A stage ends, done or not.
    StageEnded { stage: &'static str, unit: &'static str, done: usize, total: usize, seconds: f64 },
    /// What a training has come to.
    Read { stage: &'static str, reading: &'a Reading<'a> },
    /// A training was saved.
    Saved { stage: &'static str, training: &'a str, step: usize },
    /// The run ends: `done`, `stopped` or `failed`, and why.
    Ended { how: &'static str, why: Option<&'a str> },
}

/// The moment of an event.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Moment {
    pub(super) time: SystemTime,
    /// Bytes of memory that the process holds, where that is known.
    pub(super) memory: Option<u64>,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { time: SystemTime::now(), memory: fs::used_memory() }
    }
}

/// One who is told of events.
pub(in crate::cli) trait Listener: Send {
    /// Its name for a message.
    fn name(&self) -> String;

    /// Takes an event.
    fn hear(&mut self, at: Moment, event: &Event<'_>) -> io::Result<()>;
}
