//! `cargo xtask reproduce`: the program beside an independent PyTorch implementation.
//!
//! The reference is a PyTorch script of a few hundred lines that shares nothing with this crate, run on
//! the same pictures with three seeds. Its numbers stand here; ours must lie within the spread of both.
//! The reference keeps every picture at 64 px and makes its composites from these copies; tilepress shrinks
//! each source straight to its tile. To compare like with like, the program is given 64 px copies too.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::process;
use crate::workspace::{self, Workspace};

/// Options of `cargo xtask reproduce`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The folder of Imagenette at 128 pixels: 10 classes, 400 training and 100 validation images each.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to put the copies and the report [default: `reproduce` in the target folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Top-1 of the reference in percent, for each seed: 64 px, ConvNet 32 wide, IPC 10, 600 AdamW steps of
/// 50 views with scale (0.25, 1), PyTorch 2.9 on a CPU.
const REFERENCE: [(&str, [f64; 3]); 3] =
    [("random", [33.2, 37.3, 37.8]), ("el2n", [40.4, 40.8, 42.2]), ("pca", [32.7, 28.8, 28.3])];

/// Student's t for 95 % and 2 + 2 degrees of freedom: two means of three seeds each.
const T: f64 = 2.776;

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let out = options.out.clone().unwrap_or_else(|| workspace.target.join("reproduce"));
    let (copies, report) = (out.join("images"), out.join("compare"));
    shrink(&options.data, &copies)?;
    let methods = REFERENCE.map(|(method, _)| method).join(",");
    let mut command = Command::new(workspace::cargo());
    command.current_dir(&workspace.root).args(["run", "--release", "--", "compare", "--data"]);
    command.arg(std::path::absolute(&copies)?).arg("--out").arg(std::path::absolute(&report)?);
    command.args(["--force", "--ipc", "10", "--grid", "2", "--methods", &methods, "--repeats", "3"]);
    command.args(["--seed", "0", "--device", "cpu"]);
    process::run(&mut command)?;

    let report = std::fs::read(report.join("report.json"))?;
    let report: Value = serde_json::from_slice(&report)?;
    println!("\n| method | PyTorch | tilepress | difference | as expected |");
    println!("|---|---|---|---|---|");
    let mut all = true;
    for (method, reference) in REFERENCE {
        let ours = runs_of(&report, method)?;
        let (a, b) = (Spread::of(&ours), Spread::of(&reference));
        let difference = a.mean - b.mean;
        let allowed = T * (a.sd.powi(2) / 3.0 + b.sd.powi(2) / 3.0).sqrt();
        let within = difference.abs() <= allowed;
        all &= within;
        println!(
            "| {method} | {b} | {a} | {difference:+.1} | ±{allowed:.1} {} |",
            if within { "yes" } else { "NO" }
        );
    }
    println!();
    ensure!(all, "a mean lies outside the spread of the reference");
    Ok(ExitCode::SUCCESS)
}

/// Writes copies of 64 px, as PNG, under the same names.
fn shrink(from: &Path, to: &Path) -> Result<()> {
    const SIDE: u32 = 64;
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() {
            shrink(&path, &to.join(name))?;
        } else if let Ok(picture) = image::open(&path) {
            let small = picture.resize_exact(SIDE, SIDE, image::imageops::FilterType::Lanczos3);
            small.to_rgb8().save(to.join(name).with_extension("png"))?;
        }
    }
    Ok(())
}

fn runs_of(report: &Value, method: &str) -> Result<Vec<f64>> {
    let results = report["results"].as_array().context("report.json has no results")?;
    let result = results
        .iter()
        .find(|result| result["method"] == method)
        .with_context(|| format!("report.json has no method {method}"))?;
    let runs = result["top1"]["runs"].as_array().context("a result has no runs")?;
    runs.iter().map(|run| run.as_f64().context("a run is no number")).collect()
}

/// Mean and sample standard deviation.
struct Spread {
    mean: f64,
    sd: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, sd: (squares / (n - 1.0)).sqrt() }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ± {:.1}", self.mean, self.sd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_the_reference_is_the_one_it_states() {
        let stated = ["36.1 ± 2.5", "41.1 ± 0.9", "29.9 ± 2.4"];
        for ((_, runs), stated) in REFERENCE.iter().zip(stated) {
            assert_eq!(Spread::of(runs).to_string(), stated);
        }
    }
}
