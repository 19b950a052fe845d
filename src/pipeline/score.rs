//! Scoring a dataset: proxies trained on the full training set, or a table made elsewhere.

use std::io::BufRead;

use super::request::ProxyRequest;
use super::{Dataset, PipelineError, overrides};
use crate::device::Opened;
use crate::report::words::{self, counted};
use crate::report::{Histogram, Scoring};
use crate::run::{Observer, ProxyJob, Storage, train_proxies};
use crate::score::{ScoreError, ScoreTable, Suspect, SuspectRule, TrainingLog, parse_window};
use crate::train::Settings;

/// The scores of a dataset, and what else the proxies' logs say.
#[derive(Clone)]
pub struct Scored {
    /// A score for every image.
    pub table: ScoreTable,
    /// Images whose label may be wrong.
    pub suspects: Vec<Suspect>,
    /// What a report says of scoring.
    pub report: Scoring,
    /// The training log in its saved form, where proxies were trained.
    pub log: Option<Vec<u8>>,
}

impl Scored {
    /// A score table from a CSV file, which may have been made elsewhere.
    ///
    /// # Errors
    /// [`ScoreError`], which names line and column.
    pub fn read_csv(input: impl BufRead) -> Result<Self, ScoreError> {
        let table = ScoreTable::read_csv(input)?;
        let report = Scoring { el2n_histogram: histogram(&table), ..Scoring::default() };
        Ok(Self { table, suspects: Vec::new(), report, log: None })
    }

    /// Adds what the log of an earlier run says, whose table this is.
    ///
    /// # Errors
    /// [`ScoreError`] for a log that is none or not complete.
    pub fn with_log(mut self, bytes: &[u8]) -> Result<Self, ScoreError> {
        let log = TrainingLog::from_bytes(bytes)?;
        self.suspects = SuspectRule::default().find(&log)?;
        self.report.epochs = log.epochs();
        self.report.runs = log.runs();
        self.report.proxy_accuracy = accuracies(&log);
        Ok(self)
    }

    /// The scores that logs of one or several proxies come to.
    ///
    /// # Errors
    /// [`PipelineError::Usage`] for a window that is none, [`ScoreError`] for logs that do not fit the data.
    pub fn from_logs(
        data: &Dataset,
        request: &ProxyRequest,
        logs: &[TrainingLog],
        seed: u64,
        seconds: f64,
    ) -> Result<Self, PipelineError> {
        let log = TrainingLog::average(logs)?;
        let window = match &request.window {
            Some(text) => {
                parse_window(text).map_err(|why| PipelineError::Usage(format!("--window: {why}")))?
            }
            None => 0..log.epochs(),
        };
        let table = ScoreTable::from_log(&log, &data.train.samples, &data.classes, window, seed)?;
        let suspects = SuspectRule::default().find(&log)?;
        let report = Scoring {
            seconds,
            epochs: log.epochs(),
            runs: log.runs(),
            proxy_accuracy: accuracies(&log),
            el2n_histogram: histogram(&table),
        };
        Ok(Self { table, suspects, report, log: Some(log.to_bytes()) })
    }
}

/// The proxies of a dataset, to be trained.
pub(super) fn proxies(data: &Dataset, settings: &Settings, request: &ProxyRequest) -> ProxyJob {
    ProxyJob {
        images: data.train.images.clone(),
        model: overrides::model(settings, data.classes.len()),
        config: settings.proxy,
        min_scale: settings.proxy_min_scale,
        pass: request.pass,
    }
}

/// Scores a dataset by proxies of one seed and those after it.
///
/// # Errors
/// Those of [`train_proxies`] and [`Scored::from_logs`].
pub fn score(
    data: &Dataset,
    settings: &Settings,
    request: &ProxyRequest,
    seed: u64,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Scored, PipelineError> {
    let begun = observer.seconds();
    let seeds: Vec<u64> = (0..request.runs.get() as u64).map(|run| seed.wrapping_add(run)).collect();
    let logs = train_proxies(&proxies(data, settings, request), &seeds, None, opened, observer)?;
    let scored = Scored::from_logs(data, request, &logs, seed, observer.seconds() - begun)?;
    if let Some(last) = scored.report.proxy_accuracy.last() {
        observer.say(&format!(
            "scored {} in {}; the proxy got {last:.1} % of its training views right in the last epoch",
            counted(data.train.samples.len() as u64, "image", "images"),
            words::seconds(scored.report.seconds)
        ));
    }
    Ok(scored)
}

/// A proxy for each seed, so that intervals hold the noise of scoring too. The first one's report bears the time of all.
///
/// # Errors
/// As [`score`].
pub fn score_seeds(
    data: &Dataset,
    settings: &Settings,
    request: &ProxyRequest,
    seeds: &[u64],
    keep: (&dyn Storage, &str),
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Vec<Scored>, PipelineError> {
    let begun = observer.seconds();
    let runs = request.runs.get();
    // Proxies of one seed's average and of the next seed are all different.
    let all: Vec<u64> = seeds
        .iter()
        .flat_map(|&seed| (0..runs as u64).map(move |run| seed.wrapping_add(run * 1_000_003)))
        .collect();
    let logs = train_proxies(&proxies(data, settings, request), &all, Some(keep), opened, observer)?;
    let seconds = observer.seconds() - begun;
    logs.chunks(runs)
        .zip(seeds)
        .map(|(logs, &seed)| Scored::from_logs(data, request, logs, seed, seconds))
        .collect()
}

/// Tells the user about a proxy that has hardly learned, whose EL2N says little; gives the warning for the report.
pub fn warn(scoring: &Scoring, data: &Dataset, observer: &dyn Observer) -> Option<String> {
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
    observer.warn(&text);
    Some(text)
}

fn accuracies(log: &TrainingLog) -> Vec<f64> {
    (0..log.epochs()).map(|epoch| 100.0 * log.accuracy(epoch)).collect()
}

fn histogram(table: &ScoreTable) -> Option<Histogram> {
    const BINS: usize = 40;
    let scores: Vec<f64> = table.rows.iter().map(|row| row.value).collect();
    Histogram::of(&scores, BINS)
}
