//! Requests to the pipeline, from flags.

use std::num::NonZeroUsize;

use super::args::{
    BudgetArgs, CombineArgs, CompareArgs, CompressArgs, DataArgs, EvaluateCommand, ModelArgs, OutArgs,
    ProxyArgs, PruneArgs, ScoreArgs, StudentArgs,
};
use super::exit::{Failure, Result};
use crate::augment::CropChoice;
use crate::data::ContentHash;
use crate::fs::{OutputFolder, ReadOptions, Reading};
use crate::pipeline::prune::Pruning;
use crate::pipeline::request::{
    Budget, Common, CompareRequest, CompressRequest, EvaluateRequest, GivenScores, ProxyRequest, ScoreRequest,
};
use crate::pipeline::score::Scored;
use crate::pipeline::set::Style;
use crate::pipeline::views::ViewRequest;
use crate::pipeline::{Overrides, TrainOverrides};
use crate::run::Storage as _;
use crate::train::{Length, Settings};

/// The preset with the user's overrides.
pub(super) fn settings(
    model: &ModelArgs,
    student: Option<&StudentArgs>,
    proxy: Option<&ProxyArgs>,
) -> Settings {
    let mut asked = Overrides {
        architecture: model.model,
        width: model.width.map(NonZeroUsize::get),
        stem: model.stem,
        image_size: model.image_size,
        ..Overrides::default()
    };
    if let Some(student) = student {
        let steps = student.steps.map(|steps| Length::Steps(steps.get()));
        asked.student = TrainOverrides {
            optimizer: student.opt,
            length: steps.or(student.epochs.map(|epochs| Length::Epochs(epochs.get()))),
            batch: student.batch_size.map(NonZeroUsize::get),
            lr: student.lr,
            weight_decay: student.weight_decay,
        };
        // One range for composites and whole images, wherever it was named.
        asked.min_scale = student.min_scale.or(student.augment.and_then(CropChoice::min_scale));
    }
    if let Some(proxy) = proxy {
        asked.proxy_epochs = Some(proxy.score_epochs.get());
        asked.proxy.lr = proxy.score_lr;
        asked.proxy.batch = proxy.score_batch_size.map(NonZeroUsize::get);
        asked.proxy_min_scale = proxy.score_min_scale;
    }
    Settings { precision: model.precision, ..asked.on(model.preset.settings()) }
}

/// The views of students.
pub(super) fn views(settings: &Settings, student: &StudentArgs) -> ViewRequest {
    ViewRequest {
        crop: student.augment,
        min_scale: settings.min_scale,
        flip: settings.flip && !student.no_flip,
        cutout: student.cutout.map(|choice| choice.0),
        mix: student.mix.map(|choice| choice.0),
    }
}

/// The data folder and how it is read.
pub(super) fn read_options(args: &DataArgs) -> ReadOptions {
    ReadOptions { folder: args.data.clone(), val_fraction: args.val_fraction, on_error: args.on_error }
}

/// The size that images are read at.
pub(super) fn reading(settings: &Settings) -> Reading {
    Reading { side: settings.image_size as u32, val_short: settings.val_resize }
}

/// The scoring by proxies.
pub(super) fn proxy(args: &ProxyArgs) -> ProxyRequest {
    ProxyRequest { runs: args.runs, window: args.window.clone(), pass: args.when }
}

/// A score table from a file, which may have been made elsewhere.
pub(super) fn scores(file: &std::path::Path) -> Result<GivenScores> {
    let name = file.display().to_string();
    let bytes = crate::fs::read_named(file)
        .map_err(|why| Failure::input(format!("the score file {name} cannot be read: {why}")))?;
    let scored = Scored::read_csv(&bytes[..]).map_err(|why| Failure::from(why).context(name.clone()))?;
    Ok(GivenScores { name, hash: Some(ContentHash::of(&bytes).to_string()), scored })
}

/// Making and storing of composites.
pub(super) fn style(args: &CombineArgs) -> Style {
    Style { fit: args.fit, format: args.format() }
}

/// The number of images, and their grid.
pub(super) fn budget(args: &BudgetArgs) -> Budget {
    Budget { ipc: args.ipc, grid: args.grid, counts: args.ipc_counts }
}

/// Small classes and copies.
pub(super) fn pruning(args: &PruneArgs) -> Pruning {
    Pruning { fill: args.fill, dedup: args.dedup }
}

/// The folder for results, apart from the data; with [`ensure_free`] and [`OutputFolder::clear`](crate::run::Storage::clear)
/// a command makes room in it.
pub(super) fn output(out: &OutArgs, data: &DataArgs) -> Result<OutputFolder> {
    Ok(OutputFolder::new(&out.out, [data.data.as_path()])?)
}

/// Makes sure that a folder for results can be emptied, before any work is done. The folder is made, so that one which cannot
/// be made is noticed now; what is in it stays until there is something to replace it.
pub(super) fn ensure_free(out: &OutputFolder, force: bool) -> Result<()> {
    if out.is_occupied()? && !force {
        return Err(occupied(out));
    }
    Ok(out.create()?)
}

/// The failure of a folder that must not be touched.
pub(super) fn occupied(out: &OutputFolder) -> Failure {
    let (place, why) = (out.shown(""), "it is not empty".to_owned());
    crate::pipeline::PipelineError::Occupied { place, why }.into()
}

fn common(
    budget_args: &BudgetArgs,
    model: &ModelArgs,
    score: &ScoreArgs,
    prune: &PruneArgs,
    combine: &CombineArgs,
    student: &StudentArgs,
) -> Result<Common> {
    let settings = settings(model, Some(student), Some(&score.proxy));
    let given = score.scores.as_deref().map(scores).transpose()?;
    Ok(Common {
        preset: model.preset,
        settings,
        seed: model.seed,
        budget: budget(budget_args),
        score: ScoreRequest { given, proxy: proxy(&score.proxy) },
        pruning: pruning(prune),
        style: style(combine),
        views: views(&settings, student),
    })
}

/// The request of `tilepress compress`, and how its folder is read.
pub(super) fn compress(args: &CompressArgs) -> Result<(ReadOptions, CompressRequest)> {
    let options = read_options(&args.data);
    let request = CompressRequest {
        common: common(&args.budget, &args.model, &args.score, &args.prune, &args.combine, &args.student)?,
        rule: args.rule.rule(),
        students: args.evaluate.then_some(args.repeats),
        val_fraction: options.val_fraction(),
        on_error: options.on_error,
    };
    Ok((options, request))
}

/// The request of `tilepress compare`.
pub(super) fn compare(args: &CompareArgs) -> Result<CompareRequest> {
    Ok(CompareRequest {
        common: common(&args.budget, &args.model, &args.score, &args.prune, &args.combine, &args.student)?,
        methods: args.methods.clone(),
        repeats: args.repeats.map_or(args.model.preset.repeats(), NonZeroUsize::get),
        first_log: None,
    })
}

/// The request of `tilepress evaluate` at the size of its set.
pub(super) fn evaluate(args: &EvaluateCommand, settings: Settings) -> EvaluateRequest {
    EvaluateRequest {
        settings,
        seed: args.model.seed,
        students: args.repeats,
        views: views(&settings, &args.student),
        keep_student: args.save_student,
    }
}
