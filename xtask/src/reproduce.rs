//! `cargo xtask reproduce`: the program beside an independent PyTorch implementation.
//!
//! The reference is a PyTorch script of a few hundred lines that shares nothing with this crate, run on
//! the same pictures with three seeds, or one where it says so, with both kinds of ConvNet. Its numbers stand here; ours must lie within the spread of both.
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

/// What the reference measured of one kind of student: top-1 in percent for each seed, at 64 px, 32 wide, IPC 10, 600 AdamW
/// steps of 50 views with scale (0.25, 1), PyTorch 2.9 on a CPU.
struct Reference {
    model: &'static str,
    method: &'static str,
    top1: &'static [f64],
    /// Mean of the same with BatchNorm's statistics taken from validation images, and its spread.
    adapted: Option<Spread>,
}

const fn reference(model: &'static str, method: &'static str, top1: &'static [f64]) -> Reference {
    Reference { model, method, top1, adapted: None }
}

const fn adapted(mean: f64, sd: f64) -> Option<Spread> {
    Some(Spread { mean, sd })
}

const REFERENCE: [Reference; 8] = [
    // One seed each.
    reference("convnet-d", "random", &[30.7]),
    reference("convnet-d", "el2n", &[39.4]),
    reference("convnet-d", "pca", &[45.9]),
    reference("convnet-d", "random-composites", &[42.9]),
    reference("convnet", "random", &[33.2, 37.3, 37.8]),
    Reference { adapted: adapted(43.9, 0.7), ..reference("convnet", "el2n", &[42.4, 42.7, 40.9]) },
    Reference { adapted: adapted(43.9, 1.3), ..reference("convnet", "pca", &[25.9, 31.4, 25.1]) },
    Reference {
        adapted: adapted(44.6, 1.9),
        ..reference("convnet", "random-composites", &[31.2, 29.2, 33.6])
    },
];

/// The networks, in the order of the table.
const MODELS: [&str; 2] = ["convnet-d", "convnet"];

/// Seeds of ours.
const SEEDS: f64 = 3.0;
/// Student's t for 95 % and 2 + 2 degrees of freedom, two means of three seeds each, and for 2, where the reference is one run
/// whose spread is taken to be ours.
const T: [f64; 2] = [2.776, 4.303];

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let out = options.out.clone().unwrap_or_else(|| workspace.target.join("reproduce"));
    let copies = out.join("images");
    shrink(&options.data, &copies)?;
    let mut all = true;
    let mut table = String::from(
        "| network | method | PyTorch | tilepress | difference | as expected |\n|---|---|---|---|---|---|\n",
    );
    for model in MODELS {
        let of_model: Vec<&Reference> =
            REFERENCE.iter().filter(|reference| reference.model == model).collect();
        let report = compare(&workspace, &copies, &out.join(model), &of_model)?;
        for reference in of_model {
            let Reference { method, top1, adapted, .. } = reference;
            let plain = (method.to_string(), Spread::of(top1), "top1");
            let adapted = adapted.map(|spread| (format!("{method}, adapted"), spread, "adapted_top1"));
            for (name, theirs, field) in [Some(plain), adapted].into_iter().flatten() {
                let ours = Spread::of(&runs_of(&report, method, field)?);
                let difference = ours.mean - theirs.mean;
                let allowed = if theirs.sd.is_finite() {
                    T[0] * (ours.sd.powi(2) / SEEDS + theirs.sd.powi(2) / SEEDS).sqrt()
                } else {
                    T[1] * ours.sd * (1.0 / SEEDS + 1.0).sqrt()
                };
                let within = difference.abs() <= allowed;
                all &= within;
                let word = if within { "yes" } else { "NO" };
                let row = format!(
                    "| {model} | {name} | {theirs} | {ours} | {difference:+.1} | ±{allowed:.1} {word} |\n"
                );
                table.push_str(&row);
            }
        }
    }
    println!("\n{table}");
    ensure!(all, "a mean lies outside the spread of the reference");
    Ok(ExitCode::SUCCESS)
}

/// The report of a comparison with the reference's options.
fn compare(workspace: &Workspace, data: &Path, out: &Path, methods: &[&Reference]) -> Result<Value> {
    let model = methods.first().context("a network without a reference")?.model;
    let methods = methods.iter().map(|reference| reference.method).collect::<Vec<_>>().join(",");
    let mut command = Command::new(workspace::cargo());
    command.current_dir(&workspace.root).args(["run", "--release", "--", "compare", "--data"]);
    command.arg(std::path::absolute(data)?).arg("--out").arg(std::path::absolute(out)?);
    command.args(["--force", "--ipc", "10", "--grid", "2", "--methods", &methods, "--repeats", "3"]);
    command.args(["--model", model, "--width", "32", "--min-scale", "0.25", "--score-min-scale", "0.25"]);
    command.args(["--steps", "600", "--batch-size", "50", "--seed", "0", "--device", "cpu"]);
    process::run(&mut command)?;
    let report = std::fs::read(out.join("report.json"))?;
    Ok(serde_json::from_slice(&report)?)
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

fn runs_of(report: &Value, method: &str, field: &str) -> Result<Vec<f64>> {
    let results = report["results"].as_array().context("report.json has no results")?;
    let result = results
        .iter()
        .find(|result| result["method"] == method)
        .with_context(|| format!("report.json has no method {method}"))?;
    let runs = result[field]["runs"].as_array().with_context(|| format!("{method} has no {field}"))?;
    runs.iter().map(|run| run.as_f64().context("a run is no number")).collect()
}

/// Mean and sample standard deviation, which is no number for a single run.
#[derive(Clone, Copy)]
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
        match self.sd.is_finite() {
            true => write!(f, "{:.1} ± {:.1}", self.mean, self.sd),
            false => write!(f, "{:.1}", self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_the_reference_is_the_one_it_states() {
        let stated = ["36.1 ± 2.5", "42.0 ± 1.0", "27.5 ± 3.4", "31.3 ± 2.2"];
        let convnet = REFERENCE.iter().filter(|reference| reference.model == "convnet");
        assert_eq!(
            convnet.map(|reference| Spread::of(reference.top1).to_string()).collect::<Vec<_>>(),
            stated
        );
    }
}
