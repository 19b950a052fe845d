//! The command line: files, clock, threads and devices around the core.
//!
//! `args` is what a user may say, `effect` makes sure that all of it matters, `request` translates it for the pipeline, and
//! `command` holds the commands themselves.

mod args;
mod command;
mod config;
mod console;
mod effect;
mod exit;
mod options;
mod out;
mod report;
mod request;
mod watch;
mod watched;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use self::args::{Cli, Command};
use self::console::Console;
use crate::bounds::THREADS;

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = match config::with_config_file(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => return exit::report(&error),
    };
    // clap prints help and usage errors itself; its exit code for the latter is ours, 2.
    let given = Cli::command().try_get_matches_from(arguments);
    let parsed = given.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return say(&error),
    };
    let given = effect::Given::of(&matches);
    if let Err(error) = effect::ensure_effect(&cli.command, &given) {
        return exit::report(&error);
    }
    env_logger::Builder::new()
        .filter_level(if cli.global.quiet { log::LevelFilter::Error } else { log::LevelFilter::Warn })
        // The GPU stack warns about drivers that were probed and not chosen.
        .filter_module("wgpu_hal", log::LevelFilter::Off)
        .filter_module("wgpu_core", log::LevelFilter::Error)
        // Where a device fails, each call after it is a warning; the run ends with the first one's reason.
        .filter_module("cubecl_runtime", log::LevelFilter::Error)
        .filter_module("cubecl_server", log::LevelFilter::Error)
        .parse_default_env()
        .format_timestamp(None)
        .init();
    if let Some(idle) = effect::idle(&cli.command, &given) {
        Console::new(cli.global.quiet, cli.global.json).warn(idle);
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

/// Prints what clap has to say: help and version, or a wrong use.
fn say(message: &clap::Error) -> ExitCode {
    let printed = message.print();
    if message.use_stderr() {
        return ExitCode::from(2);
    }
    match out::reached(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error.into()),
    }
}

/// Starts the threads that were asked for: with `--threads`, or with rayon's own variable.
fn start_threads(asked: Option<std::num::NonZeroUsize>) -> exit::Result<()> {
    const VARIABLE: &str = "RAYON_NUM_THREADS";
    let (option, threads) = match asked {
        Some(threads) => ("threads", threads.get()),
        // 0, and what is no number, is one for each core, as rayon has it.
        None => (VARIABLE, std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(0)),
    };
    if threads > 0 {
        THREADS.named(option).check(threads as u64)?;
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(exit::Failure::run)
}

fn run(cli: Cli) -> exit::Result<()> {
    exit::catch_interrupts()?;
    start_threads(cli.global.threads)?;
    request::ensure_apart(&cli.command, cli.global.config.as_deref())?;
    let console = Console::new(cli.global.quiet, cli.global.json);
    match cli.command {
        Command::Demo(args) => command::demo::run(&args, &console),
        Command::Compress(args) => command::compress::run(&args, &console),
        Command::Plan(args) => command::plan::run(&args, &console),
        Command::Score(args) => command::score::run(&args, &console),
        Command::Prune(args) => command::prune::run(&args, &console),
        Command::Combine(args) => command::combine::run(&args, &console),
        Command::Evaluate(args) => command::evaluate::run(&args, &console),
        Command::Compare(args) => command::compare::run(&args, &console),
        Command::Pack(args) => command::pack::run(&args, &console),
        Command::Merge(args) => command::merge::run(&args, &console),
        Command::Inspect(args) => command::inspect::run(&args, &console),
        Command::Doctor(args) => command::doctor::run(&args, &console),
        Command::Profile(args) => command::profile::run(&args, &console),
        Command::Completions(args) => command::completions::run(&args),
        Command::Man(args) => command::man::run(&args),
    }
}
