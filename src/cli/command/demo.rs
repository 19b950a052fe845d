//! `tilepress demo`: the whole method on bundled images.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::args::{
    BudgetArgs, CombineArgs, DataArgs, DemoArgs, FormatChoice, ModelArgs, OutArgs, ProxyArgs, PruneArgs,
    RuleArgs, ScoreArgs, StudentArgs,
};
use crate::cli::command::compare::{self, Comparison};
use crate::cli::command::compress;
use crate::cli::console::Console;
use crate::cli::folder::OnError;
use crate::cli::settings;
use crate::cli::stage::write;
use crate::data::Fit;
use crate::evaluate::Method;
use crate::evaluate::verdict::Verdict;
use crate::prune::{Fill, Rule};
use crate::report::Report;
use crate::score::When;
use crate::train::Preset;

/// 2,062 photographs of the Sign Language Digits Dataset (Apache-2.0), as a folder of `train/` and `val/`; where they come from
/// and what was done to them stands beside them.
const PHOTOGRAPHS: &[u8] = include_bytes!("../../../assets/demo/sign-digits.tar.gz");
const SIDE: u32 = 32;
/// Sizes and rates of the page's built-in run, by which networks this small learn from this few in seconds.
const WIDTH: usize = 16;
const BATCH: usize = 16;
const STEPS: usize = 400;
const RATE: f64 = 0.01;
const SCORE_RATE: f64 = 0.004;
/// One image a class: where composites gain most.
const IPC: u32 = 1;

/// Unpacks the photographs, compresses them to one image a class, compares the methods, explains the outcome.
pub(in crate::cli) fn run(args: &DemoArgs, console: &Console) -> anyhow::Result<()> {
    let out = OutArgs { out: args.out.clone(), force: args.force };
    if write::is_occupied(&args.out)? {
        if !args.force {
            return Err(write::occupied(&args.out, "it is not empty").into());
        }
        std::fs::remove_dir_all(&args.out)?;
    }
    let images = args.out.join("sign-digits");
    console.say(format_args!("unpacking 2,062 photographs of ten hand signs into {}", images.display()));
    unpack(&images)?;

    let data_args = DataArgs { data: images, val_fraction: None, on_error: OnError::Fail };
    let model = ModelArgs {
        preset: Preset::Small,
        image_size: Some(SIDE),
        model: None,
        width: NonZeroUsize::new(WIDTH),
        stem: None,
        seed: args.seed,
        device: args.device,
        precision: args.precision,
    };
    let (score, prune, combine, student, budget) = flags()?;
    let config = settings::resolve(&model, Some(&student), Some(&score.proxy));

    let compress_args = crate::cli::args::CompressArgs {
        data: data_args.clone(),
        out: OutArgs { out: args.out.join("compressed"), force: false },
        budget: budget.clone(),
        model: model.clone(),
        score: score.clone(),
        rule: RuleArgs { rule: Rule::Easy, window_start: None },
        prune: prune.clone(),
        combine: combine.clone(),
        student: student.clone(),
        evaluate: false,
        repeats: NonZeroUsize::MIN,
        dry_run: false,
    };
    compress::run(&compress_args, &console.without_result())?;

    let dataset = super::load(&data_args, &config, args.seed, &console.without_result())?;
    let comparison_folder = args.out.join("comparison");
    let comparison = Comparison {
        data: &data_args,
        out: &comparison_folder,
        budget: &budget,
        methods: &[Method::RANDOM, Method::EL2N, Method::PCA, Method::RANDOM_COMPOSITES],
        repeats: args.repeats.get(),
        model: &model,
        score: &score,
        prune: &prune,
        combine: &combine,
        student: &student,
        first_log: Some(&args.out.join("compressed").join(compress::LOG)),
    };
    let comparison_out = OutArgs { out: comparison_folder.clone(), force: false };
    let report = compare::compare(&comparison, &config, &dataset, &comparison_out, console)?;
    let explained = explain(&report);
    write::report(&comparison_folder, report, &dataset.val.samples, console)?;
    console.say(format_args!("\n{explained}"));
    console.say(format_args!("the compressed dataset: {}", out.out.join("compressed/data").display()));
    Ok(())
}

/// The flags that the demo does not offer: its own sizes and rates, and the defaults of all others.
fn flags() -> anyhow::Result<(ScoreArgs, PruneArgs, CombineArgs, StudentArgs, BudgetArgs)> {
    let ten = NonZeroUsize::new(10).context("ten is not zero")?;
    Ok((
        ScoreArgs {
            scores: None,
            proxy: ProxyArgs {
                runs: NonZeroUsize::MIN,
                score_epochs: ten,
                window: None,
                when: When::Train,
                score_lr: Some(SCORE_RATE),
                score_batch_size: NonZeroUsize::new(BATCH),
                score_min_scale: None,
            },
        },
        PruneArgs { fill: Fill::Error, dedup: false },
        CombineArgs { fit: Fit::Squash, format: FormatChoice::Png, quality: None },
        StudentArgs {
            steps: NonZeroUsize::new(STEPS),
            epochs: None,
            batch_size: NonZeroUsize::new(BATCH),
            lr: Some(RATE),
            weight_decay: None,
            opt: None,
            min_scale: None,
            augment: None,
            no_flip: false,
            cutout: None,
            mix: None,
        },
        BudgetArgs {
            ipc: IPC,
            grid: "2".parse().map_err(anyhow::Error::msg)?,
            ipc_counts: crate::combine::IpcCounts::Composites,
        },
    ))
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

/// What the outcome means, from the numbers themselves.
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
