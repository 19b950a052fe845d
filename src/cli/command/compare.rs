//! `tilepress compare`: methods side by side, with the same pixels, steps, seeds and crop range.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use crate::cli::args::{
    BudgetArgs, CombineArgs, CompareArgs, DataArgs, ModelArgs, OutArgs, PruneArgs, ScoreArgs, StudentArgs,
};
use crate::cli::console::Console;
use crate::cli::exit::UsageError;
use crate::cli::output::{ensure_apart, write_atomic};
use crate::cli::settings::{self, as_json};
use crate::cli::stage::combine::{self, Composed};
use crate::cli::stage::data::Dataset;
use crate::cli::stage::prune::Copies;
use crate::cli::stage::score::{self, Scored};
use crate::cli::stage::students::{self, Job};
use crate::cli::stage::{findings, pictures, prune, tune, write};
use crate::combine::{Recipe, source_set_hash};
use crate::device::Opened;
use crate::evaluate::{Method, unlike_views};
use crate::report::{CompositePicture, Cost, Gallery, MethodResult, Picture, Report, Setting};
use crate::score::Metric;
use crate::train::Settings;

/// What a comparison needs; the demo fills it, too.
pub(in crate::cli) struct Comparison<'a> {
    pub(in crate::cli) data: &'a DataArgs,
    pub(in crate::cli) out: &'a Path,
    pub(in crate::cli) budget: &'a BudgetArgs,
    pub(in crate::cli) methods: &'a [Method],
    pub(in crate::cli) repeats: usize,
    pub(in crate::cli) model: &'a ModelArgs,
    pub(in crate::cli) score: &'a ScoreArgs,
    pub(in crate::cli) prune: &'a PruneArgs,
    pub(in crate::cli) combine: &'a CombineArgs,
    pub(in crate::cli) student: &'a StudentArgs,
    /// The training log of the first seed's proxy, where a part of the same command made it already.
    pub(in crate::cli) first_log: Option<&'a Path>,
}

/// Runs the command.
pub(in crate::cli) fn run(args: &CompareArgs, console: &Console) -> anyhow::Result<()> {
    let comparison = Comparison {
        data: &args.data,
        out: &args.out.out,
        budget: &args.budget,
        methods: &args.methods,
        repeats: args.repeats.map_or(args.model.preset.repeats(), NonZeroUsize::get),
        model: &args.model,
        score: &args.score,
        prune: &args.prune,
        combine: &args.combine,
        student: &args.student,
        first_log: None,
    };
    let config = settings::resolve(&args.model, Some(&args.student), Some(&args.score.proxy));
    let mut data = super::load(&args.data, &config, args.model.seed, console)?;
    if let Some(fraction) = args.tune_fraction {
        data = tune::tune(data, &args.data, &config, fraction, args.model.seed, console)?;
    }
    let report = compare(&comparison, &config, &data, &args.out, console)?;
    write::report(&args.out.out, report, &data.val.samples, console)
}

/// One method with one seed: what it stores.
struct Entry {
    method: Method,
    composed: Composed,
    recipe: Recipe,
}

/// Scores, selects, combines and trains every method with every seed.
pub(in crate::cli) fn compare(
    args: &Comparison<'_>,
    config: &Settings,
    data: &Dataset,
    out: &OutArgs,
    console: &Console,
) -> anyhow::Result<Report> {
    let mut methods: Vec<Method> = Vec::new();
    for &method in args.methods {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    if data.val.samples.is_empty() {
        return Err(UsageError("there are no validation images; raise --val-fraction".to_owned()).into());
    }
    // What cannot be done is said before anything is replaced.
    for &method in &methods {
        let per_class = (stored_per_class(args)? * method.grid(args.budget.grid).tiles()) as usize;
        prune::ensure_enough(&data.train.samples, &data.classes, per_class, method.rule, args.prune.fill)?;
    }
    let options = options(args, config, &methods);
    begin(out, args, &options, data, console)?;
    if let Some(log) = args.first_log {
        let logs = args.out.join(LOGS);
        std::fs::create_dir_all(&logs)?;
        write_atomic(&logs.join(format!("{}.safetensors", args.model.seed)), &std::fs::read(log)?)?;
    }
    let mut warnings = data.write_lists(args.out, console)?;
    let opened = super::open(args.model.device, args.model.precision, console)?;
    let seeds: Vec<u64> =
        (0..args.repeats as u64).map(|repeat| args.model.seed.wrapping_add(repeat)).collect();

    warnings.extend(caveats(args, config, &methods, console));
    if let Some(text) = tune::caveat(data) {
        console.say(&text);
        warnings.push(text);
    }

    let scored = if methods.iter().any(|method| method.needs_scores()) {
        score_seeds(args, config, data, &seeds, &opened, console)?
    } else {
        Vec::new()
    };
    // The seeds' proxies differ little: one warning says it for all.
    warnings.extend(scored.iter().find_map(|scored| score::warn(&scored.report, data, console)));
    let copies = prune::copies(data);
    let begun = Instant::now();
    let mut entries = Vec::new();
    let mut noticed = None;
    // The report shows the copies of one method.
    let shown = methods.iter().find(|&&method| method == Method::PCA).or(methods.first());
    for &method in &methods {
        for (place, &seed) in seeds.iter().enumerate() {
            let scored = scored.get(place).or(scored.first());
            let (entry, chosen) = store(args, config, data, &copies, method, seed, scored)?;
            if place == 0 && (noticed.is_none() || method == Method::PCA) {
                let chooser = prune::Chooser { name: method.to_string(), reported: shown == Some(&method) };
                warnings.extend(prune::warn(&chosen, &chooser, args.prune, console));
                noticed = Some(chosen);
            }
            entries.push(entry);
        }
    }
    let combine_seconds = begun.elapsed().as_secs_f64();
    console.say(format_args!(
        "{} methods with {} seeds: {} students of {} steps each",
        methods.len(),
        seeds.len(),
        entries.len(),
        entries.first().map_or(0, |entry| config.student.steps(entry.composed.images.len()))
    ));

    let begun = Instant::now();
    let jobs = entries.iter().enumerate().map(|(place, entry)| {
        let seed = seeds[place % seeds.len()];
        Ok(Job {
            name: format!("{}-{seed}", entry.method),
            images: entry.composed.images.clone(),
            grid: entry.recipe.grid,
            augmentation: settings::augmentation(config, crop(args, config, entry.method), args.student)?,
            seed,
        })
    });
    let jobs = jobs.collect::<anyhow::Result<Vec<_>>>()?;
    let model = settings::model(config, data.classes.len());
    let keep = args.out.join(STUDENTS);
    let val = &data.val.images;
    let trained = students::train_all(jobs, Some(&keep), &model, config.student, val, &opened, console)?;

    let mut outcomes = trained.into_iter().map(|trained| trained.outcome);
    let metric = scored.first().map_or(Metric::default(), |scored| scored.table.metric);
    let mut results = Vec::new();
    for of_method in entries.chunks(seeds.len()) {
        let entry = &of_method[0];
        let runs = outcomes.by_ref().take(seeds.len()).collect();
        let bytes = of_method.iter().map(|entry| entry.composed.bytes).sum::<u64>() / seeds.len() as u64;
        let setting = Setting {
            method: entry.method.name_by(metric),
            ipc: (entry.composed.images.len() / data.classes.len()) as u32,
            grid: entry.recipe.grid,
            augment: crop(args, config, entry.method).to_string(),
            model: config.architecture.to_string(),
            labels: "hard".to_owned(),
            images: entry.composed.images.len(),
            bytes,
            image_size: config.image_size as u32,
        };
        results.extend(MethodResult::new(setting, data.classes.names(), runs, data.val.samples.len()));
    }

    let mut report = Report::new(data.summary(), options);
    report.cost = Cost {
        score_seconds: scored.first().map(|scored| scored.report.seconds),
        combine_seconds: Some(combine_seconds),
        train_seconds: Some(begun.elapsed().as_secs_f64()),
    };
    if let Some(chosen) = &noticed {
        report.findings = findings::findings(&chosen.findings, data);
    }
    let pictured = {
        let find = |wanted: &dyn Fn(&Entry) -> bool| entries.iter().find(|entry| wanted(entry));
        find(&|entry| entry.method == Method::PCA)
            .or_else(|| find(&|entry| entry.recipe.grid.tiles() > 1))
            .or(entries.first())
    };
    report.gallery = Gallery {
        classes: scored
            .first()
            .map_or_else(Vec::new, |scored| pictures::ends_of_classes(data, &scored.table)),
        composites: pictured.map_or_else(Vec::new, |entry| composites(entry, data)),
    };
    report.scoring = scored.into_iter().next().map(|scored| scored.report);
    report.warnings = warnings;
    report.set_results(results);
    Ok(report)
}

/// Where finished students and proxies are kept, and what run they belong to.
const STUDENTS: &str = "students";
const LOGS: &str = "training-logs";
const RUN: &str = "run.json";

/// Prepares the output folder: a new one, or one of an equal comparison that was interrupted.
fn begin(
    out: &OutArgs,
    args: &Comparison<'_>,
    options: &serde_json::Value,
    data: &Dataset,
    console: &Console,
) -> anyhow::Result<()> {
    let run = serde_json::json!({
        "options": options,
        "source_set": source_set_hash(&data.train.samples),
        "val_set": source_set_hash(&data.val.samples),
    });
    let file = out.out.join(RUN);
    ensure_apart(&args.data.data, &out.out)?;
    if !out.force && write::is_occupied(&out.out)? {
        let earlier = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        return match earlier {
            Some(earlier) if run == earlier => {
                console.say(format_args!("going on with what is in {}", out.out.display()));
                Ok(write::sweep(&out.out)?)
            }
            Some(serde_json::Value::Object(_)) => {
                Err(write::occupied(&out.out, "it holds a comparison of other options or images").into())
            }
            _ => Err(write::occupied(&out.out, "it is not empty").into()),
        };
    }
    write::empty_folder(out, &args.data.data)?;
    write_atomic(&file, &serde_json::to_vec_pretty(&run)?)?;
    Ok(())
}

/// A proxy for each seed, so that the intervals hold the noise of scoring too; with a score file, that.
/// The first one's report bears the time of all.
fn score_seeds(
    args: &Comparison<'_>,
    config: &Settings,
    data: &Dataset,
    seeds: &[u64],
    opened: &Opened,
    console: &Console,
) -> anyhow::Result<Vec<Scored>> {
    if let Some(file) = &args.score.scores {
        return Ok(vec![score::from_file(file)?]);
    }
    let begun = Instant::now();
    let runs = args.score.proxy.runs.get();
    // Proxies of one seed's average and of the next seed are all different.
    let all: Vec<u64> = seeds
        .iter()
        .flat_map(|&seed| (0..runs as u64).map(move |run| seed.wrapping_add(run * 1_000_003)))
        .collect();
    let logs = score::train_proxies(
        data,
        config,
        &args.score.proxy,
        &all,
        Some(&args.out.join(LOGS)),
        opened,
        console,
    )?;
    let seconds = begun.elapsed().as_secs_f64();
    logs.chunks(runs)
        .zip(seeds)
        .map(|(logs, &seed)| score::from_logs(data, &args.score.proxy, logs, seed, seconds))
        .collect()
}

/// Selects and combines for one method and seed.
fn store(
    args: &Comparison<'_>,
    config: &Settings,
    data: &Dataset,
    copies: &Copies,
    method: Method,
    seed: u64,
    scored: Option<&Scored>,
) -> anyhow::Result<(Entry, prune::Chosen)> {
    let grid = method.grid(args.budget.grid);
    let size = config.image_size as u32;
    let recipe = combine::recipe(&data.classes, grid, stored_per_class(args)?, size, args.combine);
    let (composites, per_class) = recipe.per_class()?;
    let scores = match scored.filter(|_| method.needs_scores()) {
        Some(scored) => Some(scored.table.join(&data.train.samples, &data.classes)?),
        None => None,
    };
    let suspects = scored.map_or(&[][..], |scored| &scored.suspects);
    let chosen = prune::choose(
        data,
        copies,
        args.prune,
        &prune::Choice {
            rule: method.rule,
            per_class: per_class as usize,
            composites: composites as usize,
            scores: scores.as_deref(),
            suspects,
            seed,
        },
    )?;
    let picks = combine::picks(&chosen.selection, data);
    let composed = combine::in_memory(&recipe, &picks, data, args.combine)?;
    Ok((Entry { method, composed, recipe }, chosen))
}

/// Stored images of a class: all methods have the same number, composites or not.
fn stored_per_class(args: &Comparison<'_>) -> anyhow::Result<u32> {
    Ok(crate::combine::sources_per_class(args.budget.ipc, args.budget.grid, args.budget.ipc_counts)?.0)
}

fn crop(args: &Comparison<'_>, config: &Settings, method: Method) -> crate::augment::Crop {
    let composites = settings::crop(config, args.student, args.budget.grid);
    method.crop(args.budget.grid, composites, config.min_scale)
}

/// What keeps the comparison from being quite what it looks like, said and given for the report.
fn caveats(args: &Comparison<'_>, config: &Settings, methods: &[Method], console: &Console) -> Vec<String> {
    let mut caveats = Vec::new();
    let of = |composites: bool| methods.iter().copied().find(|method| method.composites == composites);
    if let (Some(composites), Some(whole)) = (of(true), of(false)) {
        let crop = |method| crop(args, config, method);
        caveats.extend(unlike_views(args.budget.grid, crop(composites), crop(whole)));
    }
    if args.score.scores.is_some() && args.repeats > 1 {
        caveats.push(
            "--scores: one table of scores serves all seeds, so the intervals lack the noise of scoring; without \
             --scores every seed has a proxy of its own"
                .to_owned(),
        );
    }
    caveats.iter().for_each(|text| console.warn(text));
    caveats
}

fn options(args: &Comparison<'_>, config: &Settings, methods: &[Method]) -> serde_json::Value {
    as_json(&serde_json::json!({
        "command": "compare",
        "methods": methods,
        "ipc": args.budget.ipc,
        "ipc_counts": args.budget.ipc_counts,
        "grid": args.budget.grid,
        "repeats": args.repeats,
        "seed": args.model.seed,
        "preset": args.model.preset,
        "settings": config,
        "augment": settings::crop(config, args.student, args.budget.grid),
        "flip": config.flip && !args.student.no_flip,
        "cutout": args.student.cutout.map(|choice| choice.0),
        "mix": args.student.mix.map(|choice| choice.0),
        "format": args.combine.format(),
        "fit": args.combine.fit,
        "scores": args.score.scores.as_deref().map(super::file_hash),
        "score": {
            "runs": args.score.proxy.runs,
            "window": args.score.proxy.window,
            "when": args.score.proxy.when,
        },
        "prune": { "fill": args.prune.fill, "dedup": args.prune.dedup },
    }))
}

/// One composite of each class, for the page.
fn composites(entry: &Entry, data: &Dataset) -> Vec<CompositePicture> {
    const SHOWN: usize = 20;
    let images = &entry.composed.images;
    let per_class = (images.len() / data.classes.len()).max(1);
    (0..images.len())
        .step_by(per_class)
        .take(SHOWN)
        .filter_map(|i| {
            let side = images.side();
            let image = crate::data::Image::new(side, side, images.image(i).to_vec()).ok()?;
            let class = data.classes.name(images.labels()[i]).to_owned();
            let file = crate::combine::encode(&image, crate::combine::Format::Png).ok()?;
            let picture = Picture { file, path: format!("{class}/{:04}", i % per_class), score: None };
            Some(CompositePicture { picture, class, sources: Vec::new() })
        })
        .collect()
}
