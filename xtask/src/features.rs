//! `cargo xtask features`: every feature of the crate built and linted alone, as somebody who needs only that one has it.
//!
//! `cargo xtask test` unites features, so that burn is built once; what is missing in one of them shows here. Each set of burn's
//! features is checked anew, minutes apiece.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::process;
use crate::workspace::{self, Workspace};

/// Features that are what others share, and not meant to be named by hand.
const SHARED: [&str; 3] = ["engine", "cube", "default"];
/// Features that are there on one system only.
const METAL: &str = "metal";

/// Options of `cargo xtask features`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these features, instead of all.
    features: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    features: BTreeMap<String, Vec<String>>,
}

/// Checks each feature alone, and the crate without any.
///
/// # Errors
/// When one of them does not build, or is not clean.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let text = fs::read_to_string(workspace.root.join("Cargo.toml"))?;
    let manifest: Manifest = toml::from_str(&text).context("Cargo.toml is not what it should be")?;
    let mut failed = Vec::new();
    for feature in alone(&manifest.features, &options.features) {
        process::heading(&format!("feature {}", if feature.is_empty() { "none" } else { &feature }));
        let begun = Instant::now();
        let mut command = Command::new(workspace::cargo());
        command.current_dir(&workspace.root).args([
            "clippy",
            "--no-default-features",
            "--lib",
            "--bins",
            "--examples",
        ]);
        command.args(["--features", &feature, "--", "-Dwarnings"]);
        if let Err(error) = process::run(&mut command) {
            eprintln!("error: {error:#}");
            failed.push(feature);
        }
        println!("{:.0} s", begun.elapsed().as_secs_f64());
    }
    ensure!(failed.is_empty(), "not clean alone: {}", failed.join(", "));
    println!("\nevery feature is clean alone");
    Ok(())
}

/// The features to check: those asked for, or none and then each that a user names on this system. A surface that trains
/// is checked with the CPU, as it has no device of its own.
fn alone(all: &BTreeMap<String, Vec<String>>, asked: &[String]) -> Vec<String> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let named = all.keys().filter(|name| !SHARED.contains(&name.as_str()));
    let here = named.filter(|name| *name != METAL || cfg!(target_os = "macos"));
    let with_device = here.map(|name| if name == "cli" { "cli,flex".to_owned() } else { name.clone() });
    std::iter::once(String::new()).chain(with_device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_that_a_user_names_is_checked_once() {
        let features =
            ["default", "engine", "cli", "fs", "flex", "metal"].map(|name| (name.to_owned(), Vec::new()));
        let checked = alone(&BTreeMap::from(features), &[]);
        let mut expected = vec!["", "cli,flex", "flex", "fs"];
        if cfg!(target_os = "macos") {
            expected.push("metal");
        }
        assert_eq!(checked, expected);
        assert_eq!(alone(&BTreeMap::new(), &["web".to_owned()]), ["web"]);
    }
}
