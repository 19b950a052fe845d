//! `cargo xtask fuzz`: libFuzzer on every target of fuzz/, each for some minutes, with what was tried and found as a table.
//!
//! It takes Rust's nightly toolchain, for the sanitizer, and `cargo-fuzz`. The short run, which needs neither, is
//! `tests/fuzz.rs`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::process;
use crate::workspace::Workspace;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these targets, instead of all that need no training engine.
    targets: Vec<String>,
    /// Minutes for each target.
    #[arg(long, default_value_t = 5)]
    minutes: u32,
}

/// A target's run.
struct Outcome {
    name: String,
    executions: u64,
    found: bool,
}

/// Runs the targets one after the other, all of them, and fails where one found something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    ensure!(
        process::probe("cargo-fuzz", &["--version"]).is_some(),
        "there is no cargo-fuzz; `cargo install --locked cargo-fuzz` brings it"
    );
    let names =
        if options.targets.is_empty() { without_engine(&workspace)? } else { options.targets.clone() };
    let mut outcomes = Vec::new();
    for name in names {
        process::heading(&name);
        outcomes.push(fuzz(&workspace, &name, options.minutes)?);
    }
    process::heading("summary");
    for Outcome { name, executions, found } in &outcomes {
        println!(
            "{name:<14} {executions:>12} executions  {}",
            if *found { "FOUND SOMETHING" } else { "nothing found" }
        );
    }
    ensure!(!outcomes.iter().any(|outcome| outcome.found), "the inputs are in fuzz/artifacts");
    Ok(())
}

/// The programs of fuzz/Cargo.toml that no feature is required for.
fn without_engine(workspace: &Workspace) -> Result<Vec<String>> {
    let text = fs::read_to_string(workspace.root.join("fuzz/Cargo.toml"))?;
    let manifest: toml::Table = text.parse().context("fuzz/Cargo.toml is not what it should be")?;
    let programs = manifest["bin"].as_array().context("fuzz/Cargo.toml lists no programs")?;
    let free = programs.iter().filter(|program| program.get("required-features").is_none());
    Ok(free.filter_map(|program| program["name"].as_str().map(str::to_owned)).collect())
}

fn fuzz(workspace: &Workspace, name: &str, minutes: u32) -> Result<Outcome> {
    let fuzz = workspace.root.join("fuzz");
    let corpus = fuzz.join("corpus").join(name);
    fs::create_dir_all(&corpus)?;
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", "run"]);
    if name == "network" {
        command.args(["--features", "flex"]);
    }
    let seeds: Vec<PathBuf> =
        [fuzz.join("seeds").join(name), workspace.root.join("tests/data/decode")].into();
    command.arg(name).arg(&corpus);
    command
        .args(seeds.iter().filter(|folder| folder.is_dir() && (name == "decode" || folder.ends_with(name))));
    // A second is a hundred times what the slowest honest input takes.
    command.args(["--", "-timeout=10", "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", 60 * minutes));
    // Set by `cargo run`, for the other toolchain.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("LD_LIBRARY_PATH").env_remove("CARGO");
    let mut child = command.current_dir(&workspace.root).stderr(Stdio::piped()).spawn()?;
    let mut executions = None;
    for line in BufReader::new(child.stderr.take().context("errors were asked for as a pipe")?).lines() {
        let line = line?;
        executions = line
            .strip_prefix("stat::number_of_executed_units:")
            .map(|count| count.trim().to_owned())
            .or(executions);
        // One line a doubling of the executions is enough.
        if !line.starts_with('#') || line.contains("pulse") || line.contains("DONE") {
            eprintln!("{line}");
        }
    }
    let good = child.wait()?.success();
    let executions = executions.and_then(|count| count.parse().ok());
    ensure!(good || executions.is_some(), "{name} did not begin to run");
    Ok(Outcome { name: name.to_owned(), executions: executions.unwrap_or(0), found: !good })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_but_the_one_with_an_engine_runs_by_default() {
        let names = without_engine(&Workspace::load().unwrap()).unwrap();
        assert!(names.len() >= 13 && names.contains(&"decode".to_owned()), "{names:?}");
        assert!(!names.contains(&"network".to_owned()));
    }
}
