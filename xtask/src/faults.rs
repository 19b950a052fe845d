//! `cargo xtask faults`: disturbs every command again and again, and says how often it did.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process;
use crate::workspace::{self, Workspace};

/// Tests in which the storage of a run fails at every single write and every single read.
const EVERY_ACT: [&str; 2] = ["at_any_write", "at_any_read"];

/// Options of `cargo xtask faults`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Number of faults.
    #[arg(long, default_value_t = 1000)]
    count: usize,
}

/// Runs the faults; the tests themselves judge what comes of each.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let test = |arguments: &[&str]| -> Result<()> {
        let mut command = Command::new(workspace::cargo());
        command.current_dir(&workspace.root).args(["test", "--release"]).args(arguments);
        process::run(command.env("TILEPRESS_FAULTS", options.count.to_string()))
    };
    process::heading("every write and every read fails once");
    let mut every_act = vec!["--lib", "--"];
    every_act.extend(EVERY_ACT);
    test(&every_act)?;
    process::heading("kills, signals, full disks and spoilt files");
    test(&["--test", "cli", "whatever_stops_a_run", "--", "--nocapture"])?;
    process::heading("what a kill costs");
    test(&["--test", "cli", "what_a_kill_costs", "--", "--ignored", "--nocapture"])?;
    Ok(ExitCode::SUCCESS)
}
