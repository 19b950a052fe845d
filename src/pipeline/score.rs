//! Scoring a dataset: proxies trained on the full training set, or a table made elsewhere.

use std::sync::Arc;

use super::request::{Common, ProxyRequest};
pub use super::scored::Scored;
use super::{Dataset, PipelineError};
use crate::report::Scoring;
use crate::report::words::{self, counted};
use crate::run::{Devices, Keep, Observer, ProxyJob, RunError, log_name, train_proxies};
use crate::score::parse_window;
use crate::train::{Ranks, Settings};

/// The proxies of a dataset, to be trained.
pub(super) fn proxies(data: &Dataset, settings: &Settings, request: &ProxyRequest) -> ProxyJob {
    ProxyJob {
        ranks: None,
        images: data.train.images.clone(),
        model: settings.model(data.classes.len()),
        config: settings.proxy,
        min_scale: settings.proxy_min_scale,
        pass: request.pass,
    }
}

/// Folder of the logs of finished proxies, and of the checkpoints of unfinished ones.
pub const LOGS: &str = "training-logs";

/// Makes sure, before anything is scored or replaced, that the scores of a request can be had: the table that was given fits the
/// images, and the window lies within the proxy's epochs.
///
/// # Errors
/// [`ScoreError`](crate::score::ScoreError) for a table of other images, [`PipelineError::Usage`] for an invalid window.
pub fn ensure_scorable(common: &Common, data: &Dataset) -> Result<(), PipelineError> {
    match &common.score.given {
        Some(given) => Ok(given.scored.table.join(&data.train.samples, &data.classes).map(drop)?),
        None => ensure_window(&common.settings, &common.score.proxy, data.train.samples.len()),
    }
}

/// Makes sure that the window of a request lies within the epochs that its proxies train on so many images.
///
/// # Errors
/// [`PipelineError::Usage`].
pub fn ensure_window(
    settings: &Settings,
    request: &ProxyRequest,
    images: usize,
) -> Result<(), PipelineError> {
    let Some(text) = &request.window else { return Ok(()) };
    let window = parse_window(text).map_err(|why| PipelineError::Usage(format!("`window`: {why}")))?;
    let epochs = epochs(settings, images);
    if window.end as usize <= epochs {
        return Ok(());
    }
    Err(PipelineError::Usage(format!("`window` {text}: the proxy trains {epochs} epochs (`score-epochs`)")))
}

/// Epochs that a proxy trains.
fn epochs(settings: &Settings, images: usize) -> usize {
    settings.proxy.steps(images) / settings.proxy.steps_per_epoch(images).max(1)
}

/// Bytes of the training log of one dataset: 18 for each image and epoch.
pub(super) fn log_bytes(settings: &Settings, data: &Dataset) -> u64 {
    let samples = data.train.samples.len();
    18 * (samples * epochs(settings, samples)) as u64
}

/// Scores a dataset by proxies with consecutive seeds. Their logs are kept as they come, if `keep` has a place for them; once
/// the scores are kept, [`forget`] removes them. Where there are `ranks`, each of them calls this, and all come to the same scores;
/// the first alone need keep anything.
///
/// # Errors
/// The errors of [`train_proxies`] and [`Scored::from_logs`].
pub fn score(
    data: &Dataset,
    settings: &Settings,
    request: &ProxyRequest,
    seed: u64,
    (keep, ranks): (Option<Keep<'_>>, Option<Arc<dyn Ranks>>),
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<Scored, PipelineError> {
    let begun = observer.seconds();
    let seeds: Vec<u64> = seeds(request, seed).collect();
    let job = ProxyJob { ranks, ..proxies(data, settings, request) };
    let (logs, spending) = train_proxies(&job, &seeds, keep, devices, observer)?;
    let mut scored =
        Scored::from_logs(data, request.window.as_deref(), &logs, seed, observer.seconds() - begun)?;
    scored.spending = Some(spending);
    if let Some(last) = scored.report.proxy_accuracy.last() {
        observer.say(&format!(
            "scored {} in {}; the proxy got {last:.1} % of its training views right in the last epoch",
            counted(data.train.samples.len() as u64, "image", "images"),
            words::seconds(scored.report.seconds)
        ));
    }
    Ok(scored)
}

/// Seeds of the proxies that one table of scores is made of.
fn seeds(request: &ProxyRequest, seed: u64) -> impl Iterator<Item = u64> {
    (0..request.runs.get() as u64).map(move |run| seed.wrapping_add(run))
}

/// Removes the kept logs of a table of scores that is kept itself.
///
/// # Errors
/// [`RunError`] when one is there and cannot be removed, or is not what was kept.
pub fn forget(request: &ProxyRequest, seed: u64, keep: Keep<'_>) -> Result<(), RunError> {
    seeds(request, seed).try_for_each(|seed| keep.files.remove(&log_name(seed)))
}

/// Scores a dataset once for each seed, with proxies of that seed's own, so that confidence intervals include the noise of
/// scoring. The first report holds the time of all.
///
/// # Errors
/// The errors of [`score`].
pub fn score_seeds(
    data: &Dataset,
    settings: &Settings,
    request: &ProxyRequest,
    seeds: &[u64],
    keep: Keep<'_>,
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<Vec<Scored>, PipelineError> {
    let begun = observer.seconds();
    let runs = request.runs.get();
    // All proxies differ: those averaged for one seed are not used for the next.
    let all: Vec<u64> = seeds
        .iter()
        .flat_map(|&seed| (0..runs as u64).map(move |run| seed.wrapping_add(run * 1_000_003)))
        .collect();
    let (logs, spending) =
        train_proxies(&proxies(data, settings, request), &all, Some(keep), devices, observer)?;
    let seconds = observer.seconds() - begun;
    let scored = logs.chunks(runs).zip(seeds).map(|(logs, &seed)| {
        let scored = Scored::from_logs(data, request.window.as_deref(), logs, seed, seconds)?;
        Ok(Scored { spending: Some(spending), ..scored })
    });
    scored.collect()
}

/// Tells the user about a proxy that has hardly learned, so that its EL2N says little; returns the warning for the report.
pub fn warn(scoring: &Scoring, data: &Dataset, observer: &dyn Observer) -> Option<String> {
    /// Share of the way from chance to 100 % accuracy that a proxy must reach to count as trained.
    const LEARNED: f64 = 0.1;
    let accuracy = *scoring.proxy_accuracy.last()?;
    let labels = data.train.images.labels();
    let mut counts = vec![0usize; data.classes.len()];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    // Accuracy in percent of always naming the largest class.
    let chance = 100.0 * counts.into_iter().max()? as f64 / labels.len() as f64;
    if accuracy >= chance + LEARNED * (100.0 - chance) {
        return None;
    }
    let text = format!(
        "the proxy got only {accuracy:.1} % of its training views right in the last epoch (chance: \
         {chance:.1} %), so its EL2N says little about the images; give it more images a class, more epochs \
         (`score-epochs`), or scores made elsewhere (`scores`)"
    );
    observer.warn(&text);
    Some(text)
}
