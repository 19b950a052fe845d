//! Scoring: proxies trained on the full training set, or a table made elsewhere.

use std::path::Path;
use std::time::Instant;

use crate::cli::args::ProxyArgs;
use crate::cli::console::Console;
use crate::cli::exit::{InputError, UsageError, check_interrupt};
use crate::cli::output::write_atomic;
use crate::cli::stage::data::Dataset;
use crate::cli::{lanes, settings};
use crate::device::Opened;
use crate::report::words::{self, counted};
use crate::report::{Histogram, Scoring};
use crate::score::{Proxy, ScoreTable, Suspect, SuspectRule, TrainingLog, parse_window};
use crate::train::Settings;

/// The scores of a dataset, and what else the proxies' logs say.
pub(in crate::cli) struct Scored {
    pub(in crate::cli) table: ScoreTable,
    pub(in crate::cli) suspects: Vec<Suspect>,
    pub(in crate::cli) report: Scoring,
    /// The training log in its saved form, where proxies were trained.
    pub(in crate::cli) log: Option<Vec<u8>>,
}

/// Trains one proxy for each seed, a cohort at once, and gives their logs in the order of the seeds.
/// Logs are kept in the folder `keep` as they come; those that are there already are read.
pub(in crate::cli) fn train_proxies(
    data: &Dataset,
    config: &Settings,
    args: &ProxyArgs,
    seeds: &[u64],
    keep: Option<&Path>,
    opened: &Opened,
    console: &Console,
) -> anyhow::Result<Vec<TrainingLog>> {
    let task = Proxy::task(data.train.images.clone(), config.proxy_min_scale);
    let model = settings::model(config, data.classes.len());
    let images = data.train.samples.len();
    let steps = config.proxy.steps(images);
    let stage = console.stage("score", "steps", steps * seeds.len());
    if let Some(keep) = keep {
        std::fs::create_dir_all(keep)?;
    }
    let train = |seed: u64| -> anyhow::Result<TrainingLog> {
        // The second name is the one of earlier versions.
        let named = |ending| keep.map(|keep| keep.join(format!("{seed}.{ending}")));
        let file = named("safetensors");
        if let Some(bytes) = file.iter().chain(&named("bin")).find_map(|file| std::fs::read(file).ok()) {
            stage.add(steps);
            return Ok(TrainingLog::from_bytes(&bytes)?);
        }
        let mut proxy = Proxy::new(&model, config.proxy, task.clone(), args.when, seed, &opened.device)?;
        while !proxy.finished() {
            check_interrupt()?;
            let before = proxy.student().steps_made();
            pollster::block_on(proxy.advance())?;
            stage.add(proxy.student().steps_made() - before);
        }
        let log = proxy.into_log();
        if let Some(file) = &file {
            write_atomic(file, &log.to_bytes())?;
        }
        Ok(log)
    };
    let logs = if opened.is_cpu {
        lanes::run(seeds.to_vec(), train)?
    } else {
        seeds.iter().map(|&seed| train(seed)).collect::<anyhow::Result<_>>()?
    };
    stage.finish();
    Ok(logs)
}

/// The scores that logs of one or several proxies come to.
pub(in crate::cli) fn from_logs(
    data: &Dataset,
    args: &ProxyArgs,
    logs: &[TrainingLog],
    seed: u64,
    seconds: f64,
) -> anyhow::Result<Scored> {
    let log = TrainingLog::average(logs)?;
    let window = match &args.window {
        Some(text) => parse_window(text).map_err(|why| UsageError(format!("--window: {why}")))?,
        None => 0..log.epochs(),
    };
    let table = ScoreTable::from_log(&log, &data.train.samples, &data.classes, window, seed)?;
    let suspects = SuspectRule::default().find(&log)?;
    let proxy_accuracy = (0..log.epochs()).map(|epoch| 100.0 * log.accuracy(epoch)).collect();
    let report = Scoring {
        seconds,
        epochs: log.epochs(),
        runs: log.runs(),
        proxy_accuracy,
        el2n_histogram: histogram(&table),
    };
    Ok(Scored { table, suspects, report, log: Some(log.to_bytes()) })
}

/// Scores a dataset by proxies.
pub(in crate::cli) fn score(
    data: &Dataset,
    config: &Settings,
    args: &ProxyArgs,
    seed: u64,
    opened: &Opened,
    console: &Console,
) -> anyhow::Result<Scored> {
    let begun = Instant::now();
    let seeds: Vec<u64> = (0..args.runs.get() as u64).map(|run| seed.wrapping_add(run)).collect();
    let logs = train_proxies(data, config, args, &seeds, None, opened, console)?;
    let scored = from_logs(data, args, &logs, seed, begun.elapsed().as_secs_f64())?;
    if let Some(last) = scored.report.proxy_accuracy.last() {
        console.say(format_args!(
            "scored {} in {}; the proxy got {last:.1} % of its training views right in the last epoch",
            counted(data.train.samples.len() as u64, "image", "images"),
            words::seconds(scored.report.seconds)
        ));
    }
    Ok(scored)
}

/// Tells the user about a proxy that has hardly learned, whose EL2N says little; gives the warning for the
/// report.
pub(in crate::cli) fn warn(scoring: &Scoring, data: &Dataset, console: &Console) -> Option<String> {
    /// Of the way from chance to perfection.
    const LEARNED: f64 = 0.1;
    let accuracy = *scoring.proxy_accuracy.last()?;
    let labels = data.train.images.labels();
    let mut counts = vec![0usize; data.classes.len()];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    // What naming the largest class gets.
    let chance = 100.0 * counts.into_iter().max()? as f64 / labels.len() as f64;
    if accuracy >= chance + LEARNED * (100.0 - chance) {
        return None;
    }
    let text = format!(
        "the proxy got only {accuracy:.1} % of its training views right in the last epoch (chance: \
         {chance:.1} %), so its EL2N says little about the images; give it more images a class, more epochs \
         (--score-epochs), or scores made elsewhere (--scores)"
    );
    console.warn(&text);
    Some(text)
}

/// A score table from a file, which may have been made elsewhere.
pub(in crate::cli) fn from_file(file: &Path) -> anyhow::Result<Scored> {
    let shown = file.display();
    let open = std::fs::File::open(file)
        .map_err(|why| InputError(format!("the score file {shown} cannot be read: {why}")))?;
    let table = ScoreTable::read_csv(std::io::BufReader::new(open))
        .map_err(|why| anyhow::Error::new(why).context(format!("{shown}")))?;
    let report = Scoring { el2n_histogram: histogram(&table), ..Scoring::default() };
    Ok(Scored { table, suspects: Vec::new(), report, log: None })
}

fn histogram(table: &ScoreTable) -> Option<Histogram> {
    const BINS: usize = 40;
    let scores: Vec<f64> = table.rows.iter().map(|row| row.value).collect();
    Histogram::of(&scores, BINS)
}
