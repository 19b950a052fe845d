//! Requests to the pipeline, from flags.

use std::io::{BufReader, Read};
use std::num::NonZeroUsize;
use std::path::Path;

use super::args::{
    BudgetArgs, CombineArgs, Command, CompareArgs, CompressArgs, DataArgs, EvaluateCommand, ModelArgs,
    OutArgs, ProxyArgs, PruneArgs, ScoreArgs, StudentArgs,
};
use super::exit::{Failure, Result};
use crate::augment::CropChoice;
use crate::data::ContentHash;
use crate::fs::{self, OutputFolder, ReadOptions, Reading, Wanted};
use crate::pipeline::prune::Pruning;
use crate::pipeline::request::{
    Budget, Common, CompareRequest, CompressRequest, EvaluateRequest, GivenScores, ProxyRequest, ScoreRequest,
};
use crate::pipeline::score::Scored;
use crate::pipeline::set::Style;
use crate::pipeline::views::ViewRequest;
use crate::pipeline::{Overrides, TrainOverrides};
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
        crop_from: model.crop_from,
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
    ReadOptions {
        folder: args.data.clone(),
        val_fraction: args.val_fraction,
        on_error: args.on_error,
        memory: args.memory.map(|memory| memory.0),
    }
}

/// The size that images are read at, and those whose pixels are asked for.
pub(super) fn reading(settings: &Settings, wanted: Wanted) -> Reading {
    let Settings { image_size, val_resize, crop_from, .. } = *settings;
    Reading { side: image_size as u32, val_short: val_resize, crop_from, wanted }
}

/// Seconds between two checkpoints of a training.
pub(super) fn save_every(args: &ModelArgs) -> f64 {
    60.0 * args.checkpoint_minutes
}

/// The scoring by proxies.
pub(super) fn proxy(args: &ProxyArgs) -> ProxyRequest {
    ProxyRequest { runs: args.runs, window: args.window.clone(), pass: args.when }
}

/// A score table from a file, which may have been made elsewhere. The file, which may be large, is hashed as it is read.
pub(super) fn scores(file: &Path) -> Result<GivenScores> {
    let name = file.display().to_string();
    let opened = fs::open_named(file)
        .map_err(|why| Failure::input(format!("the score file {name} cannot be read: {why}")))?;
    let mut read = Hashed { inner: opened, hasher: blake3::Hasher::new() };
    let scored = Scored::read_csv(BufReader::with_capacity(1 << 20, &mut read));
    let scored = scored.map_err(|why| Failure::from(why).context(name.clone()))?;
    let hash = ContentHash(*read.hasher.finalize().as_bytes());
    Ok(GivenScores { name, hash: Some(hash.to_string()), scored })
}

/// A reader that hashes what passes through it.
struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
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

/// The folder for results, apart from the data. [`begin`](crate::pipeline::begin) makes room in it.
pub(super) fn output(out: &OutArgs, data: &DataArgs) -> Result<OutputFolder> {
    Ok(OutputFolder::new(&out.out, [data.data.as_path()])?)
}

/// Makes sure that no file or folder that a command reads lies in the folder that it writes, nor the other way round, whatever
/// links lead there.
pub(super) fn ensure_apart(command: &Command, config: Option<&Path>) -> Result<()> {
    let (out, inputs) = command.paths();
    let Some(out) = out else { return Ok(()) };
    let board = command.watch().and_then(|watch| watch.tensorboard.as_deref());
    for input in inputs.into_iter().chain(config) {
        fs::ensure_apart(input, out)?;
        if let Some(board) = board {
            fs::ensure_apart(input, board).map_err(|why| Failure::from(why).context("--tensorboard"))?;
        }
    }
    if let Some(board) = board {
        // A file in the output that is not the run's would keep --force from replacing it.
        fs::ensure_apart(board, out).map_err(|why| Failure::from(why).context("--tensorboard"))?;
    }
    Ok(())
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
        save_every: save_every(model),
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
        save_every: save_every(&args.model),
    }
}
