//! Options that would do nothing: a user who gave one believes that it does something, so it is an error, or a warning where
//! nothing that is made could be taken for what it is not.
//!
//! All such checks stand here, but for those that need to know the data (`--val-fraction` beside a `val/` folder). An
//! entry of a config file counts as an option that was given.

use std::collections::BTreeSet;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{
    CombineArgs, Command, CompareArgs, CompressArgs, EvaluateCommand, FormatChoice, ModelArgs, PackArgs,
    RuleArgs, StudentArgs,
};
use super::exit::{Failure, Result};
use crate::augment::CropChoice;
use crate::combine::{Format, IpcCounts};
use crate::data::Grid;
use crate::fs::PackForm;
use crate::model::Architecture;
use crate::prune::Rule;

/// Options of the proxy.
const PROXY: &[&str] =
    &["runs", "score_epochs", "window", "when", "score_lr", "score_batch_size", "score_min_scale"];
/// Options of students and nothing else; `--min-scale` and `--augment` describe the shipped transform, too.
const STUDENT: &[&str] =
    &["steps", "epochs", "batch_size", "lr", "weight_decay", "opt", "no_flip", "cutout", "mix", "repeats"];
/// Those who are told how a run goes.
const WATCH: &[&str] = &["events", "tensorboard", "metrics"];
/// Options of networks and of the device they train on.
const NETWORK: &[&str] = &["model", "width", "stem", "device", "precision", "checkpoint_minutes"];

/// The options that the user gave, by their names in [`args`](super::args).
pub(super) struct Given(BTreeSet<String>);

impl Given {
    /// Those of the sub-command.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let Some((_, matches)) = matches.subcommand() else { return Self(BTreeSet::new()) };
        let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        Self(matches.ids().map(clap::Id::as_str).filter(given).map(str::to_owned).collect())
    }

    fn has(&self, option: &str) -> bool {
        self.0.contains(option)
    }

    /// Refuses `options`, which have no effect for the reason `why`.
    fn none_of(&self, options: &[&str], why: &str) -> Result<()> {
        match options.iter().find(|option| self.has(option)) {
            Some(option) => Err(Failure::usage(format!("{} has no effect {why}", flag(option)))),
            None => Ok(()),
        }
    }
}

fn flag(option: &str) -> String {
    format!("--{}", option.replace('_', "-"))
}

/// Makes sure that every option that was given has an effect, and that none contradicts another.
///
/// # Errors
/// A failure of usage that names the option, the one that takes its effect away, and what to do.
pub(super) fn ensure_effect(command: &Command, given: &Given) -> Result<()> {
    match command {
        Command::Compress(args) => compress(args, given),
        Command::Plan(args) => {
            let nothing = "with plan, which writes nothing; leave it out";
            given.none_of(&["force", "dry_run"], nothing).and_then(|()| compress(args, given))
        }
        Command::Score(args) => network(&args.model, given),
        Command::Prune(args) => rule(&args.rule, given),
        Command::Combine(args) => format(&args.combine, given),
        Command::Evaluate(args) => evaluate(args, given),
        Command::Compare(args) => compare(args, given),
        Command::Inspect(args) if args.tile.is_some() => {
            given.none_of(&["sheet"], "with --tile, which shows one composite; give them one after the other")
        }
        Command::Pack(args) => pack(args, given),
        Command::Profile(args) => of_network(args.model, &format!("--model {}", args.model), given),
        Command::Completions(_) => {
            given.none_of(&["json"], "with completions, which are no JSON; leave it out")
        }
        Command::Man(_) => given.none_of(&["json"], "with man, which prints no JSON; leave it out"),
        Command::Demo(_) | Command::Merge(_) | Command::Inspect(_) | Command::Doctor(_) => Ok(()),
    }
}

/// What a run that goes on has to say of its options: those of a stage that it does not have. That is no error, as one line with
/// all options of an experiment is handed from command to command, and what is made is the same without them.
pub(super) fn idle(command: &Command, given: &Given) -> Option<String> {
    let (options, why) = match command {
        Command::Compress(args) | Command::Plan(args) if !args.evaluate => {
            (STUDENT, "without --evaluate, as no student is trained".to_owned())
        }
        Command::Compare(args) if !needs_scores(args) => {
            (PROXY, format!("with {}, which need no scores", named(args)))
        }
        _ => return None,
    };
    let idle: Vec<_> = options.iter().filter(|option| given.has(option)).map(|option| flag(option)).collect();
    let has = if idle.len() == 1 { "has" } else { "have" };
    (!idle.is_empty()).then(|| format!("{} {has} no effect {why}", idle.join(", ")))
}

fn needs_scores(args: &CompareArgs) -> bool {
    args.methods.iter().any(|method| method.needs_scores())
}

fn named(args: &CompareArgs) -> String {
    let methods: Vec<String> = args.methods.iter().map(ToString::to_string).collect();
    format!("--methods {}", methods.join(","))
}

fn pack(args: &PackArgs, given: &Given) -> Result<()> {
    const OF_PACKING: &[&str] = &[
        "on_error",
        "force",
        "form",
        "short_side",
        "format",
        "quality",
        "shard_size",
        "no_shuffle",
        "seed",
        "shard",
    ];
    if args.data.is_none() {
        return given.none_of(OF_PACKING, "with --check alone, which writes nothing; give --data to pack");
    }
    if args.shard.is_some() {
        given.none_of(
            &["check"],
            "with --shard: `tilepress merge` compares every image with its hash; leave it out",
        )?;
    }
    let form = args.options().form;
    if form == PackForm::AsIs {
        given.none_of(&["short_side", "quality"], "with --format as-is, which keeps every file's bytes")?;
    }
    if form == PackForm::Encoded(Format::Png) {
        given.none_of(&["quality"], "with --format png, which is lossless")?;
    }
    if args.no_shuffle {
        given.none_of(&["seed"], "with --no-shuffle, as nothing else is random")?;
    }
    Ok(())
}

fn compress(args: &CompressArgs, given: &Given) -> Result<()> {
    if args.dry_run {
        given.none_of(WATCH, "with --dry-run, which does nothing that could be watched; leave it out")?;
    }
    network(&args.model, given)?;
    rule(&args.rule, given)?;
    format(&args.combine, given)?;
    let scored = args.score.scores.is_some();
    if scored {
        given.none_of(PROXY, ELSEWHERE)?;
    }
    if scored {
        let why =
            "with --scores, as no proxy is trained, and students learn from the stored images; leave it out";
        given.none_of(&["crop_from"], why)?;
    }
    if args.evaluate {
        return views(&args.model, &args.student, args.budget.grid == Grid::WHOLE, given);
    }
    if let Some(asked) = args.student.augment.filter(|asked| !matches!(asked, CropChoice::Extract { .. })) {
        return Err(Failure::usage(format!(
            "--augment {asked} has no effect without --evaluate: the set comes with a transform for patch extraction, \
             whose smallest crop is --min-scale; add --evaluate or leave it out"
        )));
    }
    if scored {
        let nothing = "with --scores and without --evaluate, as nothing is trained; leave it out";
        given.none_of(NETWORK, nothing)?;
        given.none_of(&["tensorboard"], nothing)?;
    }
    agree(&args.student)
}

fn evaluate(args: &EvaluateCommand, given: &Given) -> Result<()> {
    network(&args.model, given)?;
    views(&args.model, &args.student, false, given)
}

fn compare(args: &CompareArgs, given: &Given) -> Result<()> {
    network(&args.model, given)?;
    format(&args.combine, given)?;
    let named = named(args);
    if !needs_scores(args) {
        let why = format!("with {named}, which need no scores; leave it out or name a method that does");
        given.none_of(&["scores"], &why)?;
    }
    if args.score.scores.is_some() {
        given.none_of(PROXY, ELSEWHERE)?;
    }
    let whole = args.methods.iter().any(|method| method.grid(args.budget.grid) == Grid::WHOLE);
    let proxies = needs_scores(args) && args.score.scores.is_none();
    if !whole && !proxies {
        let why = format!(
            "with {named}, as nothing is trained on whole images; leave it out or add random, say, which is"
        );
        given.none_of(&["crop_from"], &why)?;
    }
    let grid = args.budget.grid;
    let tiled = |method: &&crate::evaluate::Method| method.grid(grid) != Grid::WHOLE;
    let composites = args.methods.iter().filter(tiled).count();
    if composites == 0 {
        let (by, crop) = if args.methods.iter().any(|method| method.composites) {
            ("with --grid 1".to_owned(), "give --min-scale for the crop of whole images")
        } else {
            // With --ipc-counts sources the grid says how many images are stored.
            if args.budget.ipc_counts == IpcCounts::Composites {
                let why = format!("with {named}, which make no composites; leave it out or add pca");
                given.none_of(&["grid"], &why)?;
            }
            (format!("with {named}"), "give --min-scale for the crop of whole images, or add pca")
        };
        given.none_of(&["augment"], &format!("{by}, as there are no composites to cut; {crop}"))?;
    }
    views(&args.model, &args.student, composites < args.methods.len(), given)
}

/// Scores come from a file.
const ELSEWHERE: &str = "with --scores, which takes the place of a proxy; leave one of the two out";

/// Refuses what the network does not have.
fn network(args: &ModelArgs, given: &Given) -> Result<()> {
    let architecture = args.model.unwrap_or(args.preset.settings().architecture);
    let by = match args.model {
        Some(_) => format!("--model {architecture}"),
        None => format!("--preset {}, whose --model is {architecture}", args.preset),
    };
    of_network(architecture, &by, given)
}

fn of_network(architecture: Architecture, by: &str, given: &Given) -> Result<()> {
    for (flag, what) in [("width", "the width of a ConvNet"), ("stem", "how a ResNet begins")] {
        if !architecture.choices().contains(&flag) {
            given.none_of(&[flag], &format!("with {by}: it is {what}; leave it out"))?;
        }
    }
    Ok(())
}

fn rule(args: &RuleArgs, given: &Given) -> Result<()> {
    if matches!(args.rule, Rule::Window { .. }) {
        return Ok(());
    }
    given
        .none_of(&["window_start"], &format!("with --rule {}; give --rule window or leave it out", args.rule))
}

fn format(args: &CombineArgs, given: &Given) -> Result<()> {
    if args.format == FormatChoice::Jpeg {
        return Ok(());
    }
    given.none_of(&["quality"], "with --format png, which loses nothing; give --format jpeg or leave it out")
}

/// Refuses what no view has: a smallest crop, where `whole` says whether whole images are cropped by it, and a mirror
/// image less.
fn views(model: &ModelArgs, args: &StudentArgs, whole: bool, given: &Given) -> Result<()> {
    if !model.preset.settings().flip {
        let why = format!("with --preset {}, which mirrors nothing; leave it out", model.preset);
        given.none_of(&["no_flip"], &why)?;
    }
    if let Some(asked @ (CropChoice::None | CropChoice::Shuffle)) = args.augment
        && !whole
    {
        let why = format!("with --augment {asked}, which has no smallest crop to choose; leave it out");
        given.none_of(&["min_scale"], &why)?;
    }
    agree(args)
}

/// Refuses two smallest crops: all views have one.
fn agree(args: &StudentArgs) -> Result<()> {
    match (args.augment, args.min_scale) {
        (Some(asked), Some(scale)) if asked.min_scale().is_some_and(|named| named != scale) => {
            Err(Failure::usage(format!(
                "--augment {asked} and --min-scale {scale} name two smallest crops, and all views have one; leave one \
                 of the two out"
            )))
        }
        _ => Ok(()),
    }
}
