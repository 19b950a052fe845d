//! What a long run tells to others than its terminal: a file of events, TensorBoard, and whoever asks for its metrics.
//!
//! The console is the run's one observer and hands on what it is told. Who listens is a [`Listener`]; one that cannot go on is
//! dropped with a warning, and never ends or holds up the run.

mod crc32c;
mod events;
mod metrics;
mod tensorboard;

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use self::events::Events;
pub(super) use self::metrics::Address;
use self::metrics::Metrics;
use self::tensorboard::TensorBoard;
use super::args::WatchArgs;
use super::console::Console;
use super::exit::{Failure, Result};
use crate::fs;
use crate::run::Reading;

/// Something that a run tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
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
pub(super) struct Moment {
    pub(super) time: SystemTime,
    /// Bytes of memory that the process holds, where that is known.
    pub(super) memory: Option<u64>,
}

impl Moment {
    fn now() -> Self {
        Self { time: SystemTime::now(), memory: fs::used_memory() }
    }
}

/// One who is told of events.
trait Listener: Send {
    /// Its name for a message.
    fn name(&self) -> String;

    /// Takes an event.
    fn hear(&mut self, at: Moment, event: &Event<'_>) -> io::Result<()>;
}

/// All who listen to a run.
pub(super) struct Watch {
    listeners: Mutex<Vec<Box<dyn Listener>>>,
}

impl Watch {
    /// Those that the user asked for.
    fn new(args: &WatchArgs, command: &'static str, out: &Path, console: &Console) -> Result<Self> {
        let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
        if args.events {
            listeners.push(Box::new(Events::new(out, command)));
        }
        if let Some(folder) = &args.tensorboard {
            let board = TensorBoard::new(folder).map_err(|why| {
                let shown = folder.display();
                Failure::input(format!(
                    "--tensorboard {shown}: nothing can be written there ({why}); name another folder"
                ))
            })?;
            listeners.push(Box::new(board));
        }
        if let Some(asked) = args.metrics {
            let (metrics, at) = Metrics::serve(asked.0, command).map_err(|why| {
                Failure::usage(format!(
                    "--metrics {}: nothing can listen there ({why}); name another port",
                    asked.0
                ))
            })?;
            if !at.ip().is_loopback() {
                console.warn(format_args!(
                    "--metrics {at}: whoever reaches this address can read the run's progress"
                ));
            }
            console.say(format_args!("metrics: http://{at}/metrics"));
            listeners.push(Box::new(metrics));
        }
        Ok(Self { listeners: Mutex::new(listeners) })
    }

    /// Tells all who listen, and gives a warning for each that cannot go on.
    pub(super) fn tell(&self, event: &Event<'_>) -> Vec<String> {
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

/// Does the work of a command, and tells of it those that the user asked for.
///
/// # Errors
/// Those of the work, and a failure where a listener that was asked for cannot be made.
pub(super) fn watched(
    (args, command): (&WatchArgs, &'static str),
    out: &Path,
    console: &Console,
    work: impl FnOnce(&Console) -> Result<()>,
) -> Result<()> {
    if args.is_nobody() {
        return work(console);
    }
    let watch = Watch::new(args, command, out, console)?;
    let console = console.watched(watch);
    let made = work(&console);
    let why = made.as_ref().err().map(ToString::to_string);
    let how = match &made {
        Ok(()) => "done",
        Err(failure) if failure.is_stop() => "stopped",
        Err(_) => "failed",
    };
    console.hand_on(&Event::Ended { how, why: why.as_deref() });
    made
}

/// Least seconds between two tellings of how far a stage is that reads nothing else.
const PROGRESS_EVERY: f64 = 10.0;

/// Whether a stage's progress is to be told again.
pub(super) struct Every(Instant);

impl Every {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    /// `true` every [`PROGRESS_EVERY`] seconds.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.0.elapsed().as_secs_f64() >= PROGRESS_EVERY;
        if due {
            self.0 = Instant::now();
        }
        due
    }
}
