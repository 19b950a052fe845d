//! The options of the command line. Their names are those the community uses.

mod values;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

pub(super) use self::values::{
    ContainerChoice, CutoutChoice, FormatChoice, MemoryChoice, MixChoice, PackChoice,
};
use self::values::{images, minutes, number, part, share, share_or_zero, size, whole};
use super::watch::Address;
use crate::augment::CropChoice;
use crate::bounds;
use crate::combine::{Format, IpcCounts};
use crate::data::{CropFrom, Fit, Grid, OnError};
use crate::device::{DeviceChoice, DeviceList, Precision};
use crate::evaluate::Method;
use crate::fs::{PackForm, PackOptions};
use crate::model::{Architecture, Stem};
use crate::prune::{Fill, Rule};
use crate::ranks::Launcher;
use crate::run::Share;
use crate::train::{Optimizer, Preset, ScoringPass};

/// Compress a labelled image folder by Prune, Combine, Augment, and measure on hard labels what the
/// small set still teaches.
///
/// Exit codes: 0 ok, 1 the run failed, 2 wrong usage, 3 a problem with the data, 4 a problem with the
/// device, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "tilepress", version, args_override_self = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// Print nothing but errors.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Print the result as JSON on standard output, and nothing else there.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Read options from a TOML file: `ipc = 10`, `image-size = 64`, …. Options on the command line win.
    #[arg(long, global = true, value_name = "FILE.toml")]
    pub(super) config: Option<PathBuf>,
    /// Threads to use [default: one for each core]. The results do not depend on it.
    #[arg(long, short = 'j', global = true, value_name = "N", value_parser = whole(bounds::THREADS))]
    pub(super) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compress and compare bundled photographs of hand signs: the whole method in about a minute.
    Demo(DemoArgs),
    /// Score, prune and combine a folder into a small dataset.
    Compress(CompressArgs),
    /// Say what `compress` with the same options would take: memory, and the hours of each stage, from a few seconds of real work.
    // Nothing is written: only the room on the disk is looked at.
    #[command(mut_arg("out", |arg| arg.required(false).default_value(".")
        .help("Folder that would be written; nothing is, but its disk must have room")))]
    #[command(mut_arg("force", |arg| arg.hide(true)), mut_arg("dry_run", |arg| arg.hide(true)))]
    Plan(CompressArgs),
    /// Train a proxy and write the EL2N of every image.
    Score(ScoreCommand),
    /// Choose the images to keep, from scores, and write the list.
    Prune(PruneCommand),
    /// Lay chosen images into composites and write the dataset.
    Combine(CombineCommand),
    /// Train students on a compressed dataset and measure them.
    Evaluate(EvaluateCommand),
    /// Compare methods fairly: same pixels, steps, seeds and crop range.
    Compare(CompareArgs),
    /// Write a data set as WebDataset shards: read once, shrunk or as it is.
    Pack(PackArgs),
    /// Join what several processes made by `combine --shard` or `pack --shard`.
    Merge(MergeArgs),
    /// Look into a folder or a compressed dataset.
    Inspect(InspectArgs),
    /// List the devices and check their numbers against the CPU.
    Doctor(DoctorArgs),
    /// Time a training step, operator by operator, beside what the machine could do.
    Profile(ProfileArgs),
    /// Print shell completions.
    Completions(CompletionsArgs),
    /// Print a page of the manual, as roff.
    #[command(hide = true)]
    Man(ManArgs),
}

/// The data folder and how it is read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data")]
pub(super) struct DataArgs {
    /// Folder of class folders, or of `train/` and `val/` (or `valid/`, `Testing/`, …) with class folders in them; of ImageNet's official
    /// archives, in its Kaggle layout, or of WebDataset shards; a .tar, a pattern ('train-{000..127}.tar', '*.tar') or an _info.json.
    #[arg(long, value_name = "PATH")]
    pub(super) data: PathBuf,
    /// Share of each class that is held out to measure on, where there is no `val/` folder [0.2]; copies stay together. Named beside a mere
    /// test split, it is used in place of that.
    #[arg(long, value_name = "SHARE", value_parser = part)]
    pub(super) val_fraction: Option<f64>,
    /// Files that cannot be decoded: fail, or skip and list them in problems.csv.
    #[arg(long, value_enum, default_value_t)]
    pub(super) on_error: OnError,
    /// Memory for images, such as 8GB or 512MB [two thirds of what is free]: their pixels are kept if they fit, else their
    /// files, else each is read again whenever it is used. The results do not depend on it.
    #[arg(long, value_name = "SIZE")]
    pub(super) memory: Option<MemoryChoice>,
}

/// The preset and what overrides it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Model and training")]
pub(super) struct ModelArgs {
    /// Defaults of everything below: small, dc (the literature's ConvNet-3 on small images), rethinkdc-hard or rethinkdc-sgd.
    #[arg(long, default_value_t)]
    pub(super) preset: Preset,
    /// Side of stored and training images in pixels [small: 64, dc: 32, rethinkdc: 224].
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(8..=4096))]
    pub(super) image_size: Option<u32>,
    /// What training views of whole images are cut out of: their square copy of --image-size, or image: each image itself, in its own
    /// pixels and shape, as torchvision's loader does it [square]. Views of composites and validation stay as they are.
    #[arg(long, value_name = "square|image")]
    pub(super) crop_from: Option<CropFrom>,
    /// convnet, convnet-d or resnet18 [small and dc: convnet-d, rethinkdc: resnet18].
    #[arg(long)]
    pub(super) model: Option<Architecture>,
    /// Channels of a ConvNet or ConvNet-D [small: 32, dc: 128].
    #[arg(long, value_parser = whole(bounds::WIDTH))]
    pub(super) width: Option<NonZeroUsize>,
    /// First layers of a ResNet: imagenet, or small (for images of about 32 pixels).
    #[arg(long)]
    pub(super) stem: Option<Stem>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// auto, cpu, wgpu[:n], vulkan[:n], cuda[:n] or metal. Several GPUs share independent networks (seeds, methods): cuda:0,cuda:1
    /// or cuda:all.
    #[arg(long, default_value_t)]
    pub(super) device: DeviceList,
    /// full, or mixed: convolutions multiply halves by the GPU's matrix units (tensor cores), and add in 32 bits.
    #[arg(long, default_value_t)]
    pub(super) precision: Precision,
    /// Minutes between two checkpoints of a training, from which the same command goes on after a kill [5]; 0 saves after
    /// every 16 steps.
    #[arg(long, value_name = "MINUTES", default_value_t = 5.0, value_parser = minutes, hide_default_value = true)]
    pub(super) checkpoint_minutes: f64,
}

/// The training of students.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Students")]
pub(super) struct StudentArgs {
    /// Optimiser steps [small: 600].
    #[arg(long, conflicts_with = "epochs", value_parser = whole(bounds::STEPS))]
    pub(super) steps: Option<NonZeroUsize>,
    /// Passes over the compressed set, instead of --steps [rethinkdc and dc: 300].
    #[arg(long, value_parser = whole(bounds::EPOCHS))]
    pub(super) epochs: Option<NonZeroUsize>,
    /// Images in a batch [small: 50, dc: 256, rethinkdc: 128].
    #[arg(long, value_parser = whole(bounds::BATCH))]
    pub(super) batch_size: Option<NonZeroUsize>,
    /// Learning rate at the start [AdamW 0.001, SGD 0.1, dc: 0.01].
    #[arg(long, value_parser = number(bounds::RATE))]
    pub(super) lr: Option<f64>,
    /// Weight decay: AdamW's on tensors of more than one dimension, SGD's on all, as in the official code
    /// [AdamW 0.01, SGD 0.0001, dc: 0.0005].
    #[arg(long, value_parser = number(bounds::WEIGHT_DECAY))]
    pub(super) weight_decay: Option<f64>,
    /// adamw or sgd.
    #[arg(long)]
    pub(super) opt: Option<Optimizer>,
    /// Smallest crop as a share of the tile or whole image, the same for both: RandomResizedCrop scale (r, 1)
    /// [small: 0.5, dc: 1, rethinkdc: 0.08].
    #[arg(long, value_name = "R", value_parser = share)]
    pub(super) min_scale: Option<f64>,
    /// Views of composites: extract (a crop inside one tile), shuffle, global or none [extract]; extract:0.5 is
    /// --augment extract --min-scale 0.5.
    #[arg(long)]
    pub(super) augment: Option<CropChoice>,
    /// Do not mirror views [dc: never mirrored].
    #[arg(long)]
    pub(super) no_flip: bool,
    /// Blank a box of this share of the side in each view; `official` shares one box in a batch.
    #[arg(long, value_name = "SHARE[:official]")]
    pub(super) cutout: Option<CutoutChoice>,
    /// Mix views: mixup[:alpha] or cutmix[:alpha].
    #[arg(long, value_name = "KIND[:ALPHA]")]
    pub(super) mix: Option<MixChoice>,
}

/// Scores made before, or a proxy to make them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Score")]
pub(super) struct ScoreArgs {
    /// Use this score file instead of training a proxy; needs the columns path and value (or el2n, or score).
    #[arg(long, value_name = "FILE.csv")]
    pub(super) scores: Option<PathBuf>,
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
}

/// The training of the proxy, and the epochs that count.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Score")]
pub(super) struct ProxyArgs {
    /// Proxies to train, of different seeds, and to average.
    #[arg(long, default_value = "1", value_parser = whole(bounds::RUNS))]
    pub(super) runs: NonZeroUsize,
    /// Epochs the proxy trains.
    #[arg(long, default_value = "10", value_parser = whole(bounds::SCORE_EPOCHS))]
    pub(super) score_epochs: NonZeroUsize,
    /// Epochs whose EL2N is summed, counted from 1, both ends included [all].
    #[arg(long, value_name = "A..B")]
    pub(super) window: Option<String>,
    /// Forward pass whose EL2N counts: train (free, the default) or eval (a pass after each epoch).
    #[arg(long, default_value = "train")]
    pub(super) when: ScoringPass,
    /// Learning rate of the proxy [small: 0.002, rethinkdc: 0.1].
    #[arg(long, value_parser = number(bounds::RATE))]
    pub(super) score_lr: Option<f64>,
    /// Batch of the proxy [small: 128, rethinkdc: 256].
    #[arg(long, value_parser = whole(bounds::BATCH))]
    pub(super) score_batch_size: Option<NonZeroUsize>,
    /// Smallest crop of the proxy's views as a share of the image; --min-scale is the students'
    /// [small: 0.5, dc: 1, rethinkdc: 0.08].
    #[arg(long, value_name = "R", value_parser = share)]
    pub(super) score_min_scale: Option<f64>,
}

/// The rule for the images that are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Prune")]
pub(super) struct RuleArgs {
    /// easy, hard, window or random.
    #[arg(long, default_value = "easy")]
    pub(super) rule: Rule,
    /// Share of each class, counted from the easiest, that --rule window skips.
    #[arg(long, value_name = "SHARE", value_parser = share_or_zero)]
    pub(super) window_start: Option<f64>,
}

/// Small classes and copies, for every rule.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Prune")]
pub(super) struct PruneArgs {
    /// A class with too few images: error, or cycle (use its easiest again).
    #[arg(long, default_value = "error")]
    pub(super) fill: Fill,
    /// Leave out near-duplicates and images that are also in val, as the same file or in another encoding or size.
    #[arg(long)]
    pub(super) dedup: bool,
}

/// The number of images, and their grid.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Budget")]
pub(super) struct BudgetArgs {
    /// Images per class. Composites count once: IPC 10 at grid 2 holds 40 source images a class.
    #[arg(long, value_parser = images(bounds::IPC))]
    pub(super) ipc: u32,
    /// Tiles of a composite: 1 (whole images), 2 (2x2), 3 or 1x2.
    #[arg(long, default_value = "2")]
    pub(super) grid: Grid,
    /// Images that --ipc counts: composites or sources.
    #[arg(long, default_value = "composites")]
    pub(super) ipc_counts: IpcCounts,
}

/// Making and storing of composites.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Combine")]
pub(super) struct CombineArgs {
    /// Fit of a whole image to its tile: squash, crop or pad.
    #[arg(long, default_value = "squash")]
    pub(super) fit: Fit,
    /// png (lossless) or jpeg.
    #[arg(long, default_value = "png")]
    pub(super) format: FormatChoice,
    /// Quality of --format jpeg [default: 90].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(super) quality: Option<u8>,
}

/// The folder for results.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutArgs {
    /// Folder to write. It must be new, empty, or an unfinished run with the same options.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Replace what an earlier run of tilepress left in the folder; with files of others in it the run is refused.
    #[arg(long)]
    pub(super) force: bool,
}

/// Those who are told how a run goes, besides the terminal.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Watching")]
pub(super) struct WatchArgs {
    /// Append what the run says and what each training comes to, a JSON object a line, to events.jsonl in --out. It tells times, so
    /// no two runs write the same.
    #[arg(long)]
    pub(super) events: bool,
    /// Write TensorBoard's event files into this folder: loss, learning rate and speed of each training.
    #[arg(long, value_name = "DIR")]
    pub(super) tensorboard: Option<PathBuf>,
    /// Tell Prometheus how the run goes, at http://127.0.0.1:PORT/metrics; another address than a port's own machine only if it
    /// is named: 0.0.0.0:9464.
    #[arg(long, value_name = "[ADDRESS:]PORT")]
    pub(super) metrics: Option<Address>,
}

impl WatchArgs {
    /// `true` where nobody is told.
    pub(super) fn is_nobody(&self) -> bool {
        !self.events && self.tensorboard.is_none() && self.metrics.is_none()
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct CompressArgs {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
    #[command(flatten)]
    pub(super) watch: WatchArgs,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) score: ScoreArgs,
    #[command(flatten)]
    pub(super) rule: RuleArgs,
    #[command(flatten)]
    pub(super) prune: PruneArgs,
    #[command(flatten)]
    pub(super) combine: CombineArgs,
    #[command(flatten)]
    pub(super) student: StudentArgs,
    /// Also train students on the result and measure them.
    #[arg(long)]
    pub(super) evaluate: bool,
    /// Students of different seeds that --evaluate trains.
    #[arg(long, default_value = "1", value_parser = whole(bounds::REPEATS))]
    pub(super) repeats: NonZeroUsize,
    /// Print the plan and its cost, and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ScoreCommand {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
    #[command(flatten)]
    pub(super) watch: WatchArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) proxy: ProxyArgs,
    /// Share each training among the 1, 2, 4 or 8 processes that a launcher starts: mpi (mpirun, mpiexec, srun) or env (RANK,
    /// WORLD_SIZE, MASTER_ADDR, MASTER_PORT, as torchrun sets them). A batch is cut into 8 shards, each with batch statistics of its
    /// own, so scores do not depend on the number of processes, but differ from those without this option.
    #[arg(long, value_name = "LAUNCHER")]
    pub(super) ranks: Option<Launcher>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct PruneCommand {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    #[command(flatten)]
    pub(super) rule: RuleArgs,
    #[command(flatten)]
    pub(super) prune: PruneArgs,
    /// The scores, as `tilepress score` or another program wrote them; --rule random needs none.
    #[arg(long, value_name = "FILE.csv")]
    pub(super) scores: Option<PathBuf>,
    /// Seed of the random rule and of the order of equal scores.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CombineCommand {
    /// Folder of class folders, or of `train/` and `val/` with class folders in them, or any other form that `compress` reads.
    #[arg(long, value_name = "PATH", help_heading = "Data")]
    pub(super) data: PathBuf,
    /// Files that cannot be decoded: fail, or skip and list them in problems.csv.
    #[arg(long, value_enum, default_value_t, help_heading = "Data")]
    pub(super) on_error: OnError,
    #[command(flatten)]
    pub(super) out: OutArgs,
    /// The chosen images, as `tilepress prune` or another program wrote them.
    #[arg(long, value_name = "FILE.csv")]
    pub(super) selection: PathBuf,
    /// Tiles of a composite: 1 (whole images), 2 (2x2), 3 or 1x2.
    #[arg(long, default_value = "2")]
    pub(super) grid: Grid,
    /// Side of a composite in pixels.
    #[arg(long, value_name = "PX", default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=4096))]
    pub(super) image_size: u32,
    /// Smallest crop of the torchvision transform that comes with the set, as a share of the tile [0.5].
    #[arg(long, value_name = "R", value_parser = share)]
    pub(super) min_scale: Option<f64>,
    #[command(flatten)]
    pub(super) combine: CombineArgs,
    /// Do the second of eight equal shares, say, by 2/8; the others are done by other processes, on any machines, and `tilepress merge`
    /// joins them into what one process would have written.
    #[arg(long, value_name = "N/OF")]
    pub(super) shard: Option<Share>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct EvaluateCommand {
    /// The compressed dataset: a folder that `compress` or `combine` wrote, or any folder of class
    /// folders.
    #[arg(long, value_name = "DIR")]
    pub(super) set: PathBuf,
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) out: OutArgs,
    #[command(flatten)]
    pub(super) watch: WatchArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) student: StudentArgs,
    /// Tiles of a composite [what the set's metadata says, or 1].
    #[arg(long)]
    pub(super) grid: Option<Grid>,
    /// Students of different seeds.
    #[arg(long, default_value = "1", value_parser = whole(bounds::REPEATS))]
    pub(super) repeats: NonZeroUsize,
    /// Save the student of the first seed as safetensors, with PyTorch's names.
    #[arg(long)]
    pub(super) save_student: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// While choosing a grid, a view or a crop range: hold out this share of each class's training images, too, and
    /// measure on them, so that the validation images stay unseen until a last comparison without this option.
    #[arg(long, value_name = "SHARE", value_parser = part, help_heading = "Data")]
    pub(super) tune_fraction: Option<f64>,
    #[command(flatten)]
    pub(super) out: OutArgs,
    #[command(flatten)]
    pub(super) watch: WatchArgs,
    #[command(flatten)]
    pub(super) budget: BudgetArgs,
    /// Methods to compare: random, el2n, el2n-hard, el2n-window, pca, random-composites,
    /// el2n-hard-composites, el2n-window-composites; el2n-window-0.3 skips the easiest 30 % of a class.
    #[arg(
        long,
        value_delimiter = ',',
        action = clap::ArgAction::Set,
        default_value = "random,el2n,pca,random-composites"
    )]
    pub(super) methods: Vec<Method>,
    /// Seeds for every method; each has its own proxy, selection and student [small and dc: 5, rethinkdc: 3].
    #[arg(long, value_parser = whole(bounds::REPEATS))]
    pub(super) repeats: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) score: ScoreArgs,
    #[command(flatten)]
    pub(super) prune: PruneArgs,
    #[command(flatten)]
    pub(super) combine: CombineArgs,
    #[command(flatten)]
    pub(super) student: StudentArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// Folder to write.
    #[arg(long, value_name = "DIR", default_value = "tilepress-demo")]
    pub(super) out: PathBuf,
    /// Replace what an earlier run of tilepress left in the folder; with files of others in it the run is refused.
    #[arg(long)]
    pub(super) force: bool,
    /// Seeds for every method.
    #[arg(long, default_value = "5", value_parser = whole(bounds::REPEATS))]
    pub(super) repeats: NonZeroUsize,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// auto, cpu, wgpu[:n], vulkan[:n], cuda[:n] or metal.
    #[arg(long, default_value = "cpu")]
    pub(super) device: DeviceChoice,
    /// full, or mixed: convolutions multiply halves by the GPU's matrix units (tensor cores), and add in 32 bits.
    #[arg(long, default_value_t)]
    pub(super) precision: Precision,
}

#[derive(Clone, Debug, Args)]
pub(super) struct PackArgs {
    /// What to pack: a folder, a .tar, a pattern or an _info.json, as --data of the other commands.
    #[arg(long, value_name = "PATH", help_heading = "Data", required_unless_present = "check")]
    pub(super) data: Option<PathBuf>,
    /// Files that cannot be decoded: fail, or skip and list them in problems.csv.
    #[arg(long, value_enum, default_value_t, help_heading = "Data")]
    pub(super) on_error: OnError,
    #[command(flatten)]
    pub(super) out: OutArgs,
    /// Kind of the files: webdataset (tars with _info.json, for timm and webdataset) or parquet (for Hugging Face's datasets).
    #[arg(long, default_value = "webdataset")]
    pub(super) form: ContainerChoice,
    /// Shrink images whose shorter side is longer than this, in pixels.
    #[arg(long, value_name = "PX", value_parser = clap::value_parser!(u32).range(8..=4096))]
    pub(super) short_side: Option<u32>,
    /// jpeg, png (lossless) or as-is (the files' own bytes) [as-is; with --short-side jpeg]. With --short-side, JPEG, PNG and WebP that need
    /// no shrinking keep their bytes.
    #[arg(long)]
    pub(super) format: Option<PackChoice>,
    /// Quality of --format jpeg [default: 95].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(super) quality: Option<u8>,
    /// Bytes of a shard at most: 500MB, 2GB.
    #[arg(long, value_name = "SIZE", default_value = "500MB", value_parser = size)]
    pub(super) shard_size: u64,
    /// Keep training images in the order of their paths. Readers of shards take images as they stand, so else they are shuffled.
    #[arg(long)]
    pub(super) no_shuffle: bool,
    /// Seed of the shuffle.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Read all shards back and compare every image with the hash in its table; without --data, check what is in --out.
    #[arg(long)]
    pub(super) check: bool,
    /// Do the second of eight equal shares, say, by 2/8; the others are done by other processes, on any machines, and `tilepress merge`
    /// joins them into what one process would have written.
    #[arg(long, value_name = "N/OF")]
    pub(super) shard: Option<Share>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct MergeArgs {
    /// The --out folders of all shards, in any order.
    #[arg(value_name = "SHARD", required = true)]
    pub(super) shards: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) out: OutArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct InspectArgs {
    /// A folder of images, one that `compress` or `combine` wrote, or any other form that --data of the other commands takes.
    #[arg(value_name = "PATH")]
    pub(super) folder: PathBuf,
    /// Say which sources a composite was made of: its file name as in metadata.jsonl.
    #[arg(long, value_name = "FILE")]
    pub(super) tile: Option<String>,
    /// Write a contact sheet with some images of every class.
    #[arg(long, value_name = "FILE.png")]
    pub(super) sheet: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DoctorArgs {
    /// Check this device only.
    #[arg(long)]
    pub(super) device: Option<DeviceChoice>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ProfileArgs {
    /// convnet, convnet-d or resnet18.
    #[arg(long, default_value_t = Architecture::ConvNetD)]
    pub(super) model: Architecture,
    /// Channels of a ConvNet.
    #[arg(long, default_value = "32", value_parser = whole(bounds::WIDTH))]
    pub(super) width: NonZeroUsize,
    /// First layers of a ResNet: imagenet, or small (for images of about 32 pixels).
    #[arg(long, default_value = "imagenet")]
    pub(super) stem: Stem,
    /// Side of the images in pixels.
    #[arg(long, value_name = "PX", default_value_t = 32, value_parser = clap::value_parser!(u32).range(8..=4096))]
    pub(super) image_size: u32,
    /// Images in a batch.
    #[arg(long, default_value = "64", value_parser = whole(bounds::BATCH))]
    pub(super) batch: NonZeroUsize,
    /// auto, cpu, wgpu[:n], vulkan[:n], cuda[:n] or metal.
    #[arg(long, default_value = "cpu")]
    pub(super) device: DeviceChoice,
    /// full, or mixed: convolutions multiply halves by the GPU's matrix units (tensor cores), and add in 32 bits.
    #[arg(long, default_value_t)]
    pub(super) precision: Precision,
    /// Students that train at once: on the CPU each on threads of its own, on a GPU in the same launches, which is timed
    /// beside taking turns.
    #[arg(long, default_value = "1", value_parser = whole(bounds::STUDENTS))]
    pub(super) students: NonZeroUsize,
    /// A proxy's steps, which score too: EL2N of the batch is taken and read.
    #[arg(long, conflicts_with = "students")]
    pub(super) proxy: bool,
    /// On a GPU: make each convolution by burn's own operator, too, and say what it takes beside ours.
    #[arg(long, conflicts_with = "students")]
    pub(super) beside_burn: bool,
    /// Steps to measure, after three that are not.
    #[arg(long, default_value = "20", value_parser = whole(bounds::STEPS))]
    pub(super) steps: NonZeroUsize,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    pub(super) shell: clap_complete::Shell,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ManArgs {
    /// The command whose page it is; the program's own without one.
    pub(super) command: Option<String>,
}

impl Command {
    /// The folder that the command writes, and the files and folders that it reads.
    pub(super) fn paths(&self) -> (Option<&Path>, Vec<&Path>) {
        let (out, inputs) = match self {
            Self::Compress(args) => (&args.out, [Some(&args.data.data), args.score.scores.as_ref()]),
            Self::Score(args) => (&args.out, [Some(&args.data.data), None]),
            Self::Prune(args) => (&args.out, [Some(&args.data.data), args.scores.as_ref()]),
            Self::Combine(args) => (&args.out, [Some(&args.data), Some(&args.selection)]),
            Self::Evaluate(args) => (&args.out, [Some(&args.data.data), Some(&args.set)]),
            Self::Compare(args) => (&args.out, [Some(&args.data.data), args.score.scores.as_ref()]),
            Self::Pack(args) => (&args.out, [args.data.as_ref(), None]),
            Self::Demo(args) => return (Some(&args.out), Vec::new()),
            Self::Merge(args) => {
                return (Some(&args.out.out), args.shards.iter().map(PathBuf::as_path).collect());
            }
            Self::Plan(_)
            | Self::Inspect(_)
            | Self::Doctor(_)
            | Self::Profile(_)
            | Self::Completions(_)
            | Self::Man(_) => {
                return (None, Vec::new());
            }
        };
        (Some(&out.out), inputs.into_iter().flatten().map(PathBuf::as_path).collect())
    }
}

impl Command {
    /// Those who are told how the command goes.
    pub(super) fn watch(&self) -> Option<&WatchArgs> {
        match self {
            Self::Compress(args) => Some(&args.watch),
            Self::Score(args) => Some(&args.watch),
            Self::Evaluate(args) => Some(&args.watch),
            Self::Compare(args) => Some(&args.watch),
            _ => None,
        }
    }
}

impl RuleArgs {
    /// The rule with its start.
    pub(super) fn rule(&self) -> Rule {
        self.window_start.map_or(self.rule, |start| self.rule.with_window_start(start))
    }
}

impl CombineArgs {
    /// The format of the files.
    pub(super) fn format(&self) -> Format {
        match self.format {
            FormatChoice::Png => Format::Png,
            FormatChoice::Jpeg => Format::Jpeg { quality: self.quality.unwrap_or(90) },
        }
    }
}

impl PackArgs {
    /// The options of packing.
    pub(super) fn options(&self) -> PackOptions {
        let form = self.format.unwrap_or(if self.short_side.is_some() {
            PackChoice::Jpeg
        } else {
            PackChoice::AsIs
        });
        PackOptions {
            short_side: self.short_side,
            form: match form {
                PackChoice::AsIs => PackForm::AsIs,
                PackChoice::Png => PackForm::Encoded(Format::Png),
                PackChoice::Jpeg => PackForm::Encoded(Format::Jpeg { quality: self.quality.unwrap_or(95) }),
            },
            container: self.form.0,
            shard_bytes: self.shard_size,
            shuffle: !self.no_shuffle,
            seed: self.seed,
            on_error: self.on_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_methods_names_the_methods_of_the_list_in_its_order() {
        let command = super::Cli::command();
        let compare = command.find_subcommand("compare").expect("the command");
        let methods =
            compare.get_arguments().find(|option| option.get_id() == "methods").expect("the option");
        let help = methods.get_help().expect("its help").to_string();
        let (_, names) = help.split_once("compare: ").expect("a list");
        let (names, _) = names.split_once(';').expect("its end");
        assert_eq!(names.split(", ").collect::<Vec<_>>(), crate::evaluate::METHODS.map(|named| named.name));
    }
}
