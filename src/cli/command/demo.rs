//! `tilepress demo`: the whole method on bundled images.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::args::DemoArgs;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::{report, request};
use crate::combine::{Format, IpcCounts};
use crate::data::{Fit, Grid, OnError};
use crate::evaluate::Method;
use crate::evaluate::verdict::Verdict;
use crate::fs::{self, OutputFolder, ReadOptions, Wanted};
use crate::pipeline::begin::begin_run;
use crate::pipeline::claim::Holding;
use crate::pipeline::compare::compare;
use crate::pipeline::compress::{self, compress};
use crate::pipeline::prune::Pruning;
use crate::pipeline::request::{Budget, Common, CompareRequest, CompressRequest, ProxyRequest, ScoreRequest};
use crate::pipeline::set::Style;
use crate::pipeline::views::ViewRequest;
use crate::pipeline::{Overrides, TrainOverrides};
use crate::prune::{Fill, Rule};
use crate::report::Report;
use crate::run::{self, Storage as _};
use crate::train::{Length, Preset, ScoringPass, Settings};

/// 2,062 photographs of the Sign Language Digits Dataset (Apache-2.0), as a folder of `train/` and `val/`; where they come from
/// and what was done to them stands beside them.
const PHOTOGRAPHS: &[u8] = include_bytes!("../../../assets/demo/sign-digits.tar.gz");
/// Folder of the photographs in the demo's own.
const IMAGES: &str = "sign-digits";
const SIDE: u32 = 32;
/// Sizes and rates of the page's built-in run, by which networks this small learn from this few in seconds.
const WIDTH: usize = 16;
const BATCH: usize = 16;
const STEPS: usize = 400;
const RATE: f64 = 0.01;
const SCORE_RATE: f64 = 0.004;
/// Seconds between two checkpoints, as on the command line.
const SAVE_EVERY: f64 = 300.0;
/// One image a class: where composites gain most.
const IPC: u32 = 1;

/// Unpacks the photographs, compresses them to one image a class, compares the methods, explains the outcome.
pub(in crate::cli) fn run(args: &DemoArgs, console: &Console) -> Result<()> {
    let root = OutputFolder::new(&args.out, [])?;
    let images = args.out.join(IMAGES);
    let out = |name: &str| OutputFolder::new(&args.out.join(name), [images.as_path()]);
    let (compressed, comparison) = (out("compressed")?, out("comparison")?);
    let quiet = console.without_result();
    let devices = run::open(args.device, args.precision, &quiet)?.into();
    let run = serde_json::json!({
        "options": {
            "command": "demo",
            "version": env!("CARGO_PKG_VERSION"),
            "repeats": args.repeats,
            "precision": args.precision,
            "seed": args.seed,
        },
    });
    root.claim()?;
    let holding = holding(&root, &compressed, &comparison)?;
    let packed = PHOTOGRAPHS.len() as u64;
    begin_run(&root, &holding, &run, args.force, (packed, 4 * packed), console)?;
    console.say(format_args!("unpacking 2,062 photographs of ten hand signs into {}", images.display()));
    unpack(&images).map_err(Failure::run)?;
    let options = ReadOptions { on_error: OnError::Fail, ..ReadOptions::new(&images) };

    let request = demo_request(args, &options);
    let listing = fs::list(&options, args.seed, &quiet)?;
    let reading = request::reading(&request.common.settings, Wanted::ALL);
    let data = fs::load(listing, &options, reading, &quiet)?;
    let made = compress(&request, &data, (&compressed, false), Some(&devices), &quiet)?;
    report::write(&compressed, made, &data.val.samples, &quiet)?;

    let request = CompareRequest {
        common: request.common,
        methods: vec![Method::RANDOM, Method::EL2N, Method::PCA, Method::RANDOM_COMPOSITES],
        repeats: args.repeats.get(),
        first_log: compress::read_log(&compressed)?,
    };
    let made = compare(&request, &data, (&comparison, false), &args.device.into(), console)?;
    let explained = explain(&made);
    report::write(&comparison, made, &data.val.samples, console)?;
    console.say(format_args!("\n{explained}"));
    console.say(format_args!("the compressed dataset: {}", compressed.shown("data")));
    Ok(())
}

/// The files of a demo's folder: those of its two results, the photographs, and others.
fn holding(root: &OutputFolder, compressed: &OutputFolder, comparison: &OutputFolder) -> Result<Holding> {
    let parts = [("compressed", Holding::of(compressed)?), ("comparison", Holding::of(comparison)?)];
    let of_parts =
        parts.iter().flat_map(|(folder, part)| part.ours.iter().map(move |name| format!("{folder}/{name}")));
    let mut own: BTreeSet<String> = of_parts.collect();
    own.extend(photographs().map_err(Failure::run)?);
    // Earlier versions marked the results only.
    Ok(Holding::with(root, parts[0].1.marked, &|name| own.contains(name))?)
}

/// The names that the photographs have when they are unpacked.
fn photographs() -> anyhow::Result<Vec<String>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(PHOTOGRAPHS));
    let mut names = Vec::new();
    for entry in archive.entries()? {
        let name = entry?.path()?.to_string_lossy().into_owned();
        names.push(format!("{IMAGES}/{}", name.trim_start_matches("./")));
    }
    Ok(names)
}

/// The demo's set: its own sizes and rates, and the defaults of all others.
fn demo_request(args: &DemoArgs, options: &ReadOptions) -> CompressRequest {
    let asked = Overrides {
        image_size: Some(SIDE),
        width: Some(WIDTH),
        student: TrainOverrides {
            length: Some(Length::Steps(STEPS)),
            batch: Some(BATCH),
            lr: Some(RATE),
            ..TrainOverrides::default()
        },
        proxy: TrainOverrides { batch: Some(BATCH), lr: Some(SCORE_RATE), ..TrainOverrides::default() },
        ..Overrides::default()
    };
    let settings = Settings { precision: args.precision, ..asked.on(Preset::Small.settings()) };
    let proxy = ProxyRequest { runs: NonZeroUsize::MIN, window: None, pass: ScoringPass::Train };
    let (min_scale, flip) = (settings.min_scale, settings.flip);
    CompressRequest {
        common: Common {
            preset: Preset::Small,
            settings,
            seed: args.seed,
            budget: Budget { ipc: IPC, grid: Grid::TWO, counts: IpcCounts::Composites },
            score: ScoreRequest { given: None, proxy },
            pruning: Pruning { fill: Fill::Error, dedup: false },
            style: Style { fit: Fit::Squash, format: Format::Png },
            views: ViewRequest { crop: None, min_scale, flip, cutout: None, mix: None },
            save_every: SAVE_EVERY,
        },
        rule: Rule::Easy,
        students: None,
        val_fraction: options.val_fraction(),
        on_error: options.on_error,
    }
}

/// Writes the photographs as an ordinary folder of class folders.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(PHOTOGRAPHS));
    archive.set_preserve_mtime(false);
    archive
        .unpack(folder)
        .with_context(|| format!("cannot write the bundled photographs to {}", folder.display()))
}

/// The outcome in words, from the numbers themselves.
fn explain(report: &Report) -> String {
    let of = |method: Method| {
        let name = method.name();
        report.results.iter().find(|result| result.setting.method == name).map(|result| result.top1.mean)
    };
    let (Some(random), Some(easy), Some(pca)) = (of(Method::RANDOM), of(Method::EL2N), of(Method::PCA))
    else {
        return String::new();
    };
    let ahead = |own: Method, other: Method| {
        let (own, other) = (own.name(), other.name());
        report.comparisons.iter().any(|c| {
            (c.a == own && c.b == other && c.verdict == Verdict::Better)
                || (c.a == other && c.b == own && c.verdict == Verdict::Worse)
        })
    };
    let (method, combining, pruning) = (
        ahead(Method::PCA, Method::RANDOM),
        ahead(Method::PCA, Method::EL2N),
        ahead(Method::EL2N, Method::RANDOM),
    );
    let told = match (method, combining, pruning) {
        (true, true, true) => "Every step pays here, by more than the noise.",
        (true, true, false) => {
            "The method pays here, by more than the noise, and so does combining on top of pruning. Of pruning alone these \
             seeds cannot tell; more can: --repeats 10."
        }
        (true, false, _) => {
            "The method as a whole pays here, by more than the noise; whether combining does on top of pruning, these seeds \
             cannot tell. More can: --repeats 10."
        }
        (false, _, _) => "With these seeds the lead of the method may be luck. More can tell: --repeats 10.",
    };
    format!(
        "One stored image of each of ten signs, and what its students get right of {} photographs that none has seen:\n  \
         {random:5.1} %  a random photograph\n  \
         {easy:5.1} %  Prune: the easiest photograph\n  \
         {pca:5.1} %  Combine and Augment: four of the easiest in the room of one, seen one at a time\n\
         {told}\n\
         It does not always: with ten images of each sign, whole photographs are ahead (docs/reproduce.md). Measure your own: \
         tilepress compare --data FOLDER --out OUT --ipc N.",
        report.data.val
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_photographs_are_a_data_folder_with_their_licence() {
        let folder = tempfile::tempdir().expect("a folder");
        unpack(folder.path()).expect("the bundled archive");
        let count = |split: &str| -> Vec<usize> {
            let classes = std::fs::read_dir(folder.path().join(split)).expect("a split");
            let files = classes
                .map(|class| std::fs::read_dir(class.expect("a class").path()).expect("files").count());
            files.collect()
        };
        let (train, val) = (count("train"), count("val"));
        assert_eq!((train.len(), val.len()), (10, 10));
        assert_eq!((train.iter().sum::<usize>(), val.iter().sum::<usize>()), (1644, 418));
        assert!(folder.path().join("LICENSE").is_file());
    }
}
