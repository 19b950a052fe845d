//! The work of a command, of which those are told that the user asked for.

use std::path::Path;

use super::args::WatchArgs;
use super::console::Console;
use super::exit::{Failure, Result};
use super::watch::{Event, Events, Listener, Metrics, TensorBoard, Watch};

/// Those who listen as the user asked for.
fn audience(args: &WatchArgs, command: &'static str, out: &Path, console: &Console) -> Result<Watch> {
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
        let (metrics, at) = Metrics::serve(asked.socket(), command).map_err(|why| {
            Failure::usage(format!(
                "--metrics {}: nothing can listen there ({why}); name another port",
                asked.socket()
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
    Ok(Watch::of(listeners))
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
    let watch = audience(args, command, out, console)?;
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
