//! `tilepress compress`: score, prune and combine into one folder.
//!
//! Every stage writes its result whole or not at all, and a stage whose result is there is not done
//! again. So a killed run goes on where it stopped when the same command is given again.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use crate::cli::args::CompressArgs;
use crate::cli::console::Console;
use crate::cli::dataset::{self, DATA};
use crate::cli::exit::InputError;
use crate::cli::settings::{self, as_json};
use crate::cli::stage::data::{Dataset, name_of};
use crate::cli::stage::score::Scored;
use crate::cli::stage::students::{self, Job};
use crate::cli::stage::{combine, findings, pictures, prune, score, write};
use crate::combine::{
    Bytes, CombinePlan, Composer, CompositeRecord, Counts, Hashes, Manifest, Recipe, SCHEMA, Tool,
    read_metadata, selection_hash, source_set_hash,
};
use crate::data::{ContentHash, Entry, ImageSet, Limits, Sample, decode};
use crate::device::Opened;
use crate::evaluate::Method;
use crate::report::words::{bytes, counted};
use crate::report::{Compressed, Cost, Gallery, MethodResult, Report, Setting};
use crate::score::{SuspectRule, TrainingLog};
use crate::train::Settings;

const SCORES: &str = "scores.csv";
/// The training log of the proxies.
pub(in crate::cli) const LOG: &str = "training-log.safetensors";
/// The name it had in earlier versions.
const EARLIER_LOG: &str = "training-log.bin";

/// The settings that have no part in the set, and those that have none where scores were made elsewhere.
const OF_STUDENTS: [&str; 1] = ["student"];
const OF_THE_PROXY: [&str; 6] = ["architecture", "width", "stem", "precision", "proxy", "proxy_min_scale"];

/// Runs the command.
pub(in crate::cli) fn run(args: &CompressArgs, console: &Console) -> anyhow::Result<()> {
    let config = settings::resolve(&args.model, Some(&args.student), Some(&args.score.proxy));
    let seed = args.model.seed;
    let listing = crate::cli::stage::data::list(&args.data, seed, console)?;
    let size = config.image_size as u32;
    let recipe = combine::recipe(&listing.classes, args.budget.grid, args.budget.ipc, size, &args.combine);
    let recipe = Recipe { seed, ipc_counts: args.budget.ipc_counts, ..recipe };
    let (composites, per_class) = recipe.per_class()?;
    Composer::new(recipe.grid, recipe.side)?;
    // What can go wrong without reading or training anything does so now.
    let unread =
        |entry: &Entry| Sample { path: entry.path.clone(), class: entry.class, hash: ContentHash([0; 32]) };
    let unread: Vec<Sample> = listing.train.iter().map(unread).collect();
    let (rule, fill) = (args.rule.rule(), args.prune.fill);
    prune::ensure_enough(&unread, &listing.classes, per_class as usize, rule, fill)?;
    let elsewhere = match &args.score.scores {
        Some(file) => Some(score::from_file(file)?),
        None => None,
    };
    if args.dry_run {
        let plan = CombinePlan::new(&recipe)?;
        let epochs = config.proxy.steps(listing.train.len());
        let memory = ImageSet::bytes_of((listing.train.len() + listing.val.len()) as u64, size);
        console.result(
            &serde_json::json!({ "plan": plan, "proxy_steps": epochs, "memory_bytes": memory }),
            format_args!(
                "{plan}\nscoring: {} at {} px; {} of memory for the images",
                match &args.score.scores {
                    Some(file) => format!("from {}", file.display()),
                    None => format!(
                        "{} of {} images by a {}",
                        counted(epochs as u64, "step", "steps"),
                        config.proxy.batch,
                        config.architecture
                    ),
                },
                config.image_size,
                bytes(memory)
            ),
        );
        return Ok(());
    }
    // With scores made elsewhere and no students there is nothing to compute on a device.
    let opened = match elsewhere.is_none() || args.evaluate {
        true => Some(super::open(args.model.device, args.model.precision, console)?),
        false => None,
    };
    let data = crate::cli::stage::data::load(listing, &args.data, recipe.side, config.val_resize, console)?;
    prune::ensure_enough(&data.train.samples, &data.classes, per_class as usize, rule, fill)?;
    if let Some(scored) = &elsewhere {
        scored.table.join(&data.train.samples, &data.classes)?;
    }
    let mut manifest = draft(recipe, &config, options(args, &config), &data);
    let out = args.out.out.as_path();
    let finished = prepare(args, &manifest, console)?;
    let mut warnings = data.write_lists(out, console)?;

    let scored = scores(args, elsewhere, &config, &data, opened.as_ref(), console)?;
    let metric = scored.table.metric;
    warnings.extend(score::warn(&scored.report, &data, console));
    let joined = scored.table.join(&data.train.samples, &data.classes)?;
    let begun = Instant::now();
    let copies = prune::copies(&data);
    let chosen = prune::choose(
        &data,
        &copies,
        &args.prune,
        &prune::Choice {
            rule,
            per_class: per_class as usize,
            composites: composites as usize,
            scores: Some(&joined),
            suspects: &scored.suspects,
            seed,
        },
    )?;
    let chooser = prune::Chooser { name: format!("--rule {rule}"), reported: true };
    warnings.extend(prune::warn(&chosen, &chooser, &args.prune, console));
    write::file(&out.join("selection.csv"), |bytes| {
        chosen.selection.write_csv(&data.train.samples, &data.classes, bytes)
    })?;

    let picks = combine::picks(&chosen.selection, &data);
    let records = match finished {
        Some(earlier)
            if earlier.hashes.selection == selection_hash(&picks)
                && earlier.files.keys().all(|file| out.join(file).is_file()) =>
        {
            manifest = earlier;
            records_of(out)?
        }
        _ => {
            let written = combine::write(out, &manifest.recipe, &picks, &data, &args.combine, console)?;
            manifest.counts = Counts::of(&picks, data.train.samples.len(), written.records.len());
            manifest.bytes.kept_sources = combine::source_bytes(&data.root, &picks);
            manifest.bytes.out = written.composite_bytes;
            manifest.hashes.selection = selection_hash(&picks);
            manifest.files = written.files;
            dataset::write_about(out, &mut manifest, &name_of(&data.root), &rule.in_words(metric))?;
            written.records
        }
    };
    let combine_seconds = begun.elapsed().as_secs_f64();
    console.say(format_args!(
        "{} ({}) became {} ({}): {}",
        counted(manifest.counts.source, "image", "images"),
        bytes(manifest.bytes.source),
        counted(manifest.counts.composites, "composite", "composites"),
        bytes(manifest.bytes.out),
        out.join(DATA).display()
    ));

    let mut options = manifest.options.clone();
    if args.evaluate {
        options["settings"] = as_json(&config);
    }
    let mut report = Report::new(data.summary(), options);
    report.compressed = Some(compressed(&manifest, records.iter().map(|record| record.tiles.len()).sum()));
    report.findings = findings::findings(&chosen.findings, &data);
    report.gallery = Gallery {
        classes: pictures::ends_of_classes(&data, &scored.table),
        composites: pictures::composites(&out.join(DATA), &records),
    };
    report.cost = Cost {
        score_seconds: Some(scored.report.seconds),
        combine_seconds: Some(combine_seconds),
        train_seconds: None,
    };
    let kept: Vec<f64> = chosen.selection.picks.iter().filter_map(|pick| pick.score).collect();
    let mut scoring = scored.report;
    scoring.el2n_histogram = scoring.el2n_histogram.map(|histogram| histogram.with_kept(&kept));
    report.scoring = Some(scoring);
    if let Some(opened) = opened.filter(|_| args.evaluate) {
        let begun = Instant::now();
        let set = read_set(out, &records, &manifest)?;
        let name = Method::of(rule, manifest.recipe.grid).name_by(metric);
        let result = evaluate(args, &config, &data, (name, set), &manifest, &opened, console)?;
        report.cost.train_seconds = Some(begun.elapsed().as_secs_f64());
        report.set_results(result.into_iter().collect());
    }
    report.warnings = warnings;
    write::report(out, report, &data.val.samples, console)
}

/// What a manifest compares to tell whether a run is the same: everything but paths, threads and how
/// students are trained, which do not change the set.
fn options(args: &CompressArgs, config: &Settings) -> serde_json::Value {
    let mut settings = as_json(config);
    if let Some(fields) = settings.as_object_mut() {
        let elsewhere = args.score.scores.is_some();
        let unused = OF_STUDENTS.iter().chain(OF_THE_PROXY.iter().filter(|_| elsewhere));
        unused.for_each(|name| drop(fields.remove(*name)));
    }
    as_json(&serde_json::json!({
        "command": "compress",
        "preset": args.model.preset,
        "settings": settings,
        "val_fraction": args.data.val_fraction(),
        "on_error": args.data.on_error,
        "score": {
            "file": args.score.scores.as_deref().map(super::file_hash),
            "runs": args.score.proxy.runs,
            "window": args.score.proxy.window,
            "when": args.score.proxy.when,
        },
        "prune": {
            "rule": args.rule.rule(),
            "fill": args.prune.fill,
            "dedup": args.prune.dedup,
        },
    }))
}

/// A manifest as it is before anything is made.
fn draft(recipe: Recipe, config: &Settings, options: serde_json::Value, data: &Dataset) -> Manifest {
    Manifest {
        schema: SCHEMA,
        tool: Tool::this(),
        created: None,
        recipe,
        min_scale: Some(config.min_scale),
        options,
        counts: Counts::default(),
        bytes: Bytes { source: data.train.bytes, ..Bytes::default() },
        hashes: Hashes { source_set: source_set_hash(&data.train.samples), selection: ContentHash([0; 32]) },
        files: std::collections::BTreeMap::new(),
    }
}

/// Prepares the output folder. A new one gets the draft of the manifest, so that an interrupted run can
/// be told from a stranger's folder; one with an equal manifest is continued, and the manifest given
/// back when its set is complete.
fn prepare(args: &CompressArgs, draft: &Manifest, console: &Console) -> anyhow::Result<Option<Manifest>> {
    let out = args.out.out.as_path();
    let path = out.join("manifest.json");
    crate::cli::output::ensure_apart(&args.data.data, out)?;
    if write::is_occupied(out)? {
        let earlier = std::fs::File::open(&path).ok().map(Manifest::read);
        let difference = match earlier {
            None => "it is not empty".to_owned(),
            Some(Err(why)) => format!("its manifest.json cannot be read ({why})"),
            Some(Ok(earlier)) => match earlier.equal_options(draft) {
                Ok(()) if !args.out.force => {
                    console.say(format_args!("going on with what is in {}", out.display()));
                    write::sweep(out)?;
                    return Ok((!earlier.files.is_empty()).then_some(earlier));
                }
                Ok(()) => String::new(),
                Err(difference) => format!("it holds another set: {difference}"),
            },
        };
        if !args.out.force {
            return Err(write::occupied(out, &difference).into());
        }
        write::clear(out, &args.data.data)?;
    }
    write::create(out)?;
    write::file(&path, |bytes| draft.write(bytes))?;
    Ok(None)
}

/// The scores: those of an earlier run that was interrupted, or new ones. The random rule does without,
/// but whoever compresses at random wants to see what was passed over, so they are made all the same.
fn scores(
    args: &CompressArgs,
    elsewhere: Option<Scored>,
    config: &Settings,
    data: &Dataset,
    opened: Option<&Opened>,
    console: &Console,
) -> anyhow::Result<Scored> {
    let out = args.out.out.as_path();
    let (table, log) = (out.join(SCORES), out.join(LOG));
    if table.is_file() {
        let mut scored = score::from_file(&table)?;
        if let Ok(bytes) = std::fs::read(&log).or_else(|_| std::fs::read(out.join(EARLIER_LOG))) {
            let log = TrainingLog::from_bytes(&bytes)?;
            scored.suspects = SuspectRule::default().find(&log)?;
            scored.report.epochs = log.epochs();
            scored.report.runs = log.runs();
            scored.report.proxy_accuracy =
                (0..log.epochs()).map(|epoch| 100.0 * log.accuracy(epoch)).collect();
        }
        console.say(format_args!("scores: those of {}", table.display()));
        return Ok(scored);
    }
    let scored = match elsewhere {
        Some(scored) => scored,
        None => {
            let opened = opened.context("a proxy needs a device")?;
            score::score(data, config, &args.score.proxy, args.model.seed, opened, console)?
        }
    };
    if let Some(bytes) = &scored.log {
        crate::cli::output::write_atomic(&log, bytes)?;
    }
    write::file(&table, |bytes| scored.table.write_csv(bytes))?;
    Ok(scored)
}

fn records_of(out: &Path) -> anyhow::Result<Vec<CompositeRecord>> {
    let path = out.join(DATA).join("metadata.jsonl");
    let file = std::fs::File::open(&path)
        .map_err(|why| InputError(format!("{} cannot be read: {why}", path.display())))?;
    Ok(read_metadata(std::io::BufReader::new(file))?)
}

fn compressed(manifest: &Manifest, tiles: usize) -> Compressed {
    Compressed {
        ipc: (manifest.counts.composites / manifest.counts.classes.max(1)) as u32,
        grid: manifest.recipe.grid,
        image_size: manifest.recipe.side,
        images: manifest.counts.composites as usize,
        tiles,
        bytes: manifest.bytes.out,
    }
}

/// The stored composites as a training set.
fn read_set(out: &Path, records: &[CompositeRecord], manifest: &Manifest) -> anyhow::Result<ImageSet> {
    let mut set = ImageSet::with_capacity(manifest.recipe.side, records.len());
    for record in records {
        let bytes = std::fs::read(out.join(DATA).join(&record.file_name))?;
        set.push(&decode(&bytes, &Limits::default())?, record.label)?;
    }
    Ok(set)
}

fn evaluate(
    args: &CompressArgs,
    config: &Settings,
    data: &Dataset,
    (method, set): (String, ImageSet),
    manifest: &Manifest,
    opened: &Opened,
    console: &Console,
) -> anyhow::Result<Option<MethodResult>> {
    let grid = manifest.recipe.grid;
    let crop = settings::crop(config, &args.student, grid);
    let augmentation = settings::augmentation(config, crop, &args.student)?;
    let images = std::sync::Arc::new(set);
    let count = images.len();
    let jobs = (0..args.repeats.get() as u64).map(|repeat| Job {
        name: repeat.to_string(),
        images: images.clone(),
        grid,
        augmentation,
        seed: args.model.seed.wrapping_add(repeat),
    });
    let model = settings::model(config, data.classes.len());
    let trained =
        students::train_all(jobs.collect(), None, &model, config.student, &data.val.images, opened, console)?;
    let setting = Setting {
        method,
        ipc: (manifest.counts.composites / manifest.counts.classes.max(1)) as u32,
        grid,
        augment: crop.to_string(),
        model: config.architecture.to_string(),
        labels: "hard".to_owned(),
        images: count,
        bytes: manifest.bytes.out,
        image_size: manifest.recipe.side,
    };
    let runs = trained.into_iter().map(|trained| trained.outcome).collect();
    Ok(MethodResult::new(setting, data.classes.names(), runs, data.val.samples.len()))
}
