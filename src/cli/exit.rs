//! How the program ends: exit codes, and Ctrl-C.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault::Fault;

use super::output::OutputError;

/// The user asked for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// The data or an output folder is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct InputError(pub(super) String);

/// Ctrl-C, or a polite kill.
#[derive(Debug, thiserror::Error)]
#[error("interrupted (`compress` goes on where it stopped when the same command is given again)")]
pub(super) struct Interrupted;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Once: the step in progress is finished, and the run ends with 130. Twice: it ends at once.
pub(super) fn catch_interrupts() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\nfinishing the step in progress; press Ctrl-C again to stop at once");
    })?;
    Ok(())
}

/// Whether the user wants to stop.
///
/// # Errors
/// [`Interrupted`] then.
pub(super) fn check_interrupt() -> Result<(), Interrupted> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(Interrupted) } else { Ok(()) }
}

/// Prints an error with its causes and gives its exit code.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    // A closed pipe (`tilepress … | head`) is no failure.
    let broken_pipe = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    ExitCode::from(code(error))
}

/// 1 the run failed, 2 usage, 3 data, 4 device, 130 interrupted.
fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    let is = |matches: bool, code: u8| matches.then_some(code);
    is(cause.is::<Interrupted>(), 130)
        .or(is(cause.is::<UsageError>(), 2))
        .or(is(cause.is::<InputError>(), 3))
        .or_else(|| match cause.downcast_ref()? {
            OutputError::Io { .. } => Some(1),
            _ => Some(3),
        })
        .or_else(|| {
            Fault::of(cause).map(|fault| match fault {
                Fault::Run => 1,
                Fault::Usage => 2,
                Fault::Data => 3,
                Fault::Device => 4,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::CombineError;
    use crate::device::DeviceError;
    use crate::prune::PruneError;
    use crate::score::ProxyError;
    use crate::train::TrainError;

    #[test]
    fn every_kind_of_error_has_its_documented_code() {
        let cases: [(anyhow::Error, u8); 8] = [
            (anyhow::anyhow!("anything"), 1),
            (UsageError("x".into()).into(), 2),
            (anyhow::Error::from(InputError("x".into())).context("while reading"), 3),
            (PruneError::Nothing.into(), 2),
            (CombineError::Classes { given: 1, expected: 2 }.into(), 3),
            (TrainError::Device(DeviceError::Failed("lost".into())).into(), 4),
            (ProxyError::Train(TrainError::Diverged { step: 1, loss: f32::NAN }).into(), 1),
            (Interrupted.into(), 130),
        ];
        for (error, expected) in cases {
            assert_eq!(code(&error), expected, "{error:#}");
        }
    }
}
