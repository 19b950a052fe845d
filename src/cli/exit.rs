//! The end of the program: exit codes, and the signals that end it.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::options::flags;
use super::out;
use crate::fault::{Fault, Faulty};
use crate::words::visible;

/// A failure on its way to the user, with the kind that its error gave itself.
#[derive(Debug)]
pub(super) struct Failure {
    fault: Fault,
    error: anyhow::Error,
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.error)
    }
}

/// The outcome of a command.
pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The user asked for something that cannot be.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { fault: Fault::Usage, error: anyhow::Error::msg(text.into()) }
    }

    /// The data or an output folder is not what it should be.
    pub(super) fn input(text: impl Into<String>) -> Self {
        Self { fault: Fault::Data, error: anyhow::Error::msg(text.into()) }
    }

    /// Anything else that went wrong under way.
    pub(super) fn run(error: impl Into<anyhow::Error>) -> Self {
        Self { fault: Fault::Run, error: error.into() }
    }

    /// The failure as one of what was being done.
    #[must_use]
    pub(super) fn context(self, what: impl Display + Send + Sync + 'static) -> Self {
        Self { error: self.error.context(what), ..self }
    }

    /// `true` where the user stopped the run.
    pub(super) fn is_stop(&self) -> bool {
        self.fault == Fault::Stopped
    }

    /// 1 the run failed, 2 usage, 3 data, 4 device, 130 interrupted.
    fn code(&self) -> u8 {
        match self.fault {
            Fault::Run => 1,
            Fault::Usage => 2,
            Fault::Data => 3,
            Fault::Device => 4,
            Fault::Stopped => 130,
        }
    }
}

impl<E: Faulty> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { fault: error.fault(), error: error.into() }
    }
}

/// The sentence of a run that the user stopped.
const STOPPED: &str = "interrupted (given again, the same command goes on where it stopped)";

/// Time from Ctrl-C until the program ends in the middle of a step.
const PATIENCE: Duration = Duration::from_millis(900);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C and, alike, the wish of a system that shuts down or a terminal that closes (SIGTERM, SIGHUP; on Windows the
/// console's close, logoff and shutdown). At the first one the step in progress is finished, if that is a matter of a second, and
/// the run ends with 130; at the second it ends at once.
pub(super) fn catch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        // A step, a decoder or a driver may take longer than a person waits. Whatever was begun is as good as killed then, which
        // every command stands: files are written whole or not at all.
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            out::tell(&format!("error: {STOPPED}"));
            std::process::exit(130);
        });
        out::tell("\nfinishing the step in progress; press Ctrl-C again to stop at once");
    })
    .map_err(Failure::run)
}

/// `true` once the user wants to stop.
pub(super) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Nothing, as long as the user does not want to stop.
pub(super) fn go_on() -> Result<()> {
    if interrupted() { Err(crate::run::RunError::Stopped.into()) } else { Ok(()) }
}

/// Prints a failure with its causes and gives its exit code.
pub(super) fn report(failure: &Failure) -> ExitCode {
    match failure.fault {
        Fault::Stopped => out::tell(&format!("error: {STOPPED}")),
        // One line, whatever names of files it holds.
        _ => out::tell(&format!("error: {}", visible(&flags(&in_words(&failure.error))))),
    }
    ExitCode::from(failure.code())
}

/// An error with its causes, each said once: many errors have their cause's words in their own.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        if said.is_empty() {
            cause
        } else if said.contains(&cause) {
            said
        } else {
            format!("{said}: {cause}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cell = crate::score::CellError { line: 2, column: "path".into(), problem: "is empty".into() };
        let failure = Failure::from(crate::score::ScoreError::Cell(cell)).context("s.csv");
        assert_eq!(in_words(&failure.error), "s.csv: score table, line 2, column 'path': is empty");
        let other = anyhow::anyhow!("it is gone").context("a.jpg cannot be read");
        assert_eq!(in_words(&other), "a.jpg cannot be read: it is gone");
    }
    use crate::combine::CombineError;
    use crate::device::DeviceError;
    use crate::prune::PruneError;
    use crate::run::RunError;
    use crate::train::{ProxyError, TrainError};

    #[test]
    fn every_kind_of_error_has_its_documented_code() {
        let cases: [(Failure, u8); 8] = [
            (Failure::run(anyhow::anyhow!("anything")), 1),
            (Failure::usage("x"), 2),
            (Failure::input("x").context("while reading"), 3),
            (PruneError::Nothing.into(), 2),
            (CombineError::Classes { given: 1, expected: 2 }.into(), 3),
            (TrainError::Device(DeviceError::Failed("lost".into())).into(), 4),
            (ProxyError::Train(TrainError::Diverged { step: 1, loss: f32::NAN }).into(), 1),
            (RunError::Stopped.into(), 130),
        ];
        for (failure, expected) in cases {
            assert_eq!(failure.code(), expected, "{:#}", failure.error);
        }
    }
}
