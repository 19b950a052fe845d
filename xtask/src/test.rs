//! `cargo xtask test`: everything that can be checked, to the end, with one line of numbers as the last.

use std::env;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::beside::Beside;
use crate::browser::{self, Browser};
use crate::page;
use crate::process;
use crate::tally::Tally;
use crate::workspace::{self, Workspace};

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Build nothing for wasm; without it the browser tests have nothing to load and are left out too.
    #[arg(long)]
    no_wasm: bool,
    /// Leave out the browser tests.
    #[arg(long)]
    no_browser: bool,
}

/// Runs everything and reports at the end, however early something fails.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut report = Report::default();

    report.check("format", || format(&workspace));
    // Cheap ones first: a newcomer's mistake shows before burn is built.
    report.check("lint the edge layer", || lint(&workspace, &["--no-default-features", "--features", "web"]));
    report.tests("edge layer tests", || {
        cargo_test(&workspace, &["--no-default-features", "--features", "web", "--lib"], &[])
    });
    report.tests("xtask tests", || cargo_test(&workspace, &["--package", "xtask"], &[]));
    report.check("lint xtask", || lint(&workspace, &["--package", "xtask", "--all-targets"]));
    let native: &[(&str, &str)] = if browser::ensure_vulkan() {
        // With a driver in place, a test that finds no adapter has found a fault.
        &[("TILEPRESS_NEEDS_WGPU", "1")]
    } else {
        &[]
    };
    // The packages are compiled meanwhile, at low priority: the tests often wait, for a GPU, for another process or for one slow thread.
    let packages = if options.no_wasm { None } else { Some(Beside::start(&["wasm"])) };
    // Not --workspace: together with xtask, Cargo would unite the features of what both depend on, and
    // build the whole of burn a second time for anyone who also runs `cargo run --release`.
    // Without `web`, whose dependencies give burn's other features, so that all of it would be built once more. What that
    // surface does with an engine is tested in the browser.
    report.tests("native tests", || cargo_test(&workspace, &[], native));
    report.check("lint", || lint(&workspace, &["--all-targets", "--features", "web,beside-burn"]));
    if let Some(packages) = packages {
        let built = report.check("wasm packages", || packages?.finish().map(|()| Outcome::Done));
        if !options.no_browser {
            report.tests("page and browser", || browser_tests(&workspace, built));
        }
    }
    Ok(report.finish())
}

/// How a check that is not a test came out.
enum Outcome {
    Done,
    /// The tool is not there; a reason.
    NotHere(&'static str),
}

/// The lines of the closing table, and the sum of all tests.
#[derive(Default)]
struct Report {
    tally: Tally,
    lines: Vec<String>,
}

impl Report {
    /// A step that has no tests to count; if it fails, it counts as one. Returns whether it went well.
    fn check(&mut self, name: &str, step: impl FnOnce() -> Result<Outcome>) -> bool {
        process::heading(name);
        let start = Instant::now();
        let (text, good) = match step() {
            Ok(Outcome::Done) => ("ok".to_owned(), true),
            Ok(Outcome::NotHere(reason)) => (format!("left out: {reason}"), true),
            Err(error) => {
                eprintln!("error: {error:#}");
                self.tally.failed += 1;
                (format!("FAILED: {error:#}"), false)
            }
        };
        self.line(name, start, &text);
        good
    }

    /// A step whose tests are counted.
    fn tests(&mut self, name: &str, step: impl FnOnce() -> Result<Tally>) {
        process::heading(name);
        let start = Instant::now();
        let text = match step() {
            Ok(tally) => {
                self.tally += tally;
                tally.to_string()
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                self.tally.failed += 1;
                format!("FAILED: {error:#}")
            }
        };
        self.line(name, start, &text);
    }

    fn line(&mut self, name: &str, start: Instant, text: &str) {
        self.lines.push(format!("{name:<20} {:>6.0} s  {text}", start.elapsed().as_secs_f64()));
    }

    fn finish(self) -> ExitCode {
        process::heading("summary");
        for line in &self.lines {
            println!("{line}");
        }
        println!("\n{}", self.tally);
        if self.tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn format(workspace: &Workspace) -> Result<Outcome> {
    if process::probe("cargo-fmt", &["--version"]).is_none() {
        return Ok(Outcome::NotHere("no rustfmt; `rustup component add rustfmt` brings it"));
    }
    process::run(cargo(workspace).args(["fmt", "--all", "--", "--check"]))?;
    Ok(Outcome::Done)
}

fn lint(workspace: &Workspace, arguments: &[&str]) -> Result<Outcome> {
    if process::probe("cargo-clippy", &["--version"]).is_none() {
        return Ok(Outcome::NotHere("no clippy; `rustup component add clippy` brings it"));
    }
    process::run(cargo(workspace).args(["clippy", "--release"]).args(arguments).args(["--", "-Dwarnings"]))?;
    Ok(Outcome::Done)
}

fn cargo_test(workspace: &Workspace, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Tally> {
    let mut command = cargo(workspace);
    command.args(["test", "--release", "--no-fail-fast"]).args(arguments);
    command.envs(environment.iter().copied());
    let mut tally = Tally::default();
    let status = process::run_lines(&mut command, |line| {
        if let Some(more) = Tally::from_libtest(line) {
            tally += more;
        }
    })?;
    // A crate that does not build, or a test binary that died, prints no numbers of its own.
    if !status.success() && tally.failed == 0 {
        tally.failed += 1;
    }
    Ok(tally)
}

fn browser_tests(workspace: &Workspace, built: bool) -> Result<Tally> {
    ensure!(built, "the wasm packages were not built, so there is nothing to test");
    match Browser::find(workspace) {
        Ok(browser) => {
            page::run(&page::Options::default())?;
            let mut tally = page::check()?;
            tally += browser.run_tests(workspace)?;
            Ok(tally)
        }
        Err(error) if env::var("CI").is_ok_and(|value| value == "true") => {
            Err(error.context("in CI the browser tests must run"))
        }
        Err(error) => {
            let files = browser::test_files(&workspace.root)?;
            println!("WARNING: the browser tests are SKIPPED: {error:#}");
            Ok(Tally { skipped: files.len() as u64, ..Tally::default() })
        }
    }
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(workspace::cargo());
    command.current_dir(&workspace.root);
    command
}
