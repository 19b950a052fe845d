//! Scoring a dataset: proxies trained on the full training set, or a table made elsewhere.

use super::request::ProxyRequest;
pub use super::scored::Scored;
use super::{Dataset, PipelineError};
use crate::device::Opened;
use crate::report::Scoring;
use crate::report::words::{self, counted};
use crate::run::{Observer, ProxyJob, Storage, train_proxies};
use crate::score::{ScoreError, parse_window};
use crate::train::{Length, Settings};

/// The proxies of a dataset, to be trained.
pub(super) fn proxies(data: &Dataset, settings: &Settings, request: &ProxyRequest) -> ProxyJob {
    ProxyJob {
        images: data.train.images.clone(),
        model: settings.model(data.classes.len()),
        config: settings.proxy,
        min_scale: settings.proxy_min_scale,
        pass: request.pass,
    }
}

/// Checks, before anything is trained, that the window is one of the epochs that proxies train.
///
/// # Errors
/// [`PipelineError::Usage`], or [`ScoreError::Window`] for one that reaches past them.
pub(super) fn ensure_window(settings: &Settings, request: &ProxyRequest) -> Result<(), PipelineError> {
    let Some(given) = &request.window else { return Ok(()) };
    let window = parse_window(given).map_err(|why| PipelineError::Usage(format!("`window`: {why}")))?;
    match settings.proxy.length {
        Length::Epochs(epochs) if window.end as usize > epochs => {
            let epochs = u32::try_from(epochs).unwrap_or(u32::MAX);
            Err(ScoreError::Window { given: given.clone(), epochs }.into())
        }
        _ => Ok(()),
    }
}

/// Scores a dataset by proxies with consecutive seeds.
///
/// # Errors
/// The errors of [`train_proxies`] and [`Scored::from_logs`].
pub fn score(
    data: &Dataset,
    settings: &Settings,
    request: &ProxyRequest,
    seed: u64,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Scored, PipelineError> {
    let begun = observer.seconds();
    ensure_window(settings, request)?;
    let seeds: Vec<u64> = (0..request.runs.get() as u64).map(|run| seed.wrapping_add(run)).collect();
    let logs = train_proxies(&proxies(data, settings, request), &seeds, None, opened, observer)?;
    let scored = Scored::from_logs(data, request.window.as_deref(), &logs, seed, observer.seconds() - begun)?;
    if let Some(last) = scored.report.proxy_accuracy.last() {
        observer.say(&format!(
            "scored {} in {}; the proxy got {last:.1} % of its training views right in the last epoch",
            counted(data.train.samples.len() as u64, "image", "images"),
            words::seconds(scored.report.seconds)
        ));
    }
    Ok(scored)
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
    keep: (&dyn Storage, &str),
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Vec<Scored>, PipelineError> {
    let begun = observer.seconds();
    let runs = request.runs.get();
    // All proxies differ: those averaged for one seed are not used for the next.
    let all: Vec<u64> = seeds
        .iter()
        .flat_map(|&seed| (0..runs as u64).map(move |run| seed.wrapping_add(run * 1_000_003)))
        .collect();
    let logs = train_proxies(&proxies(data, settings, request), &all, Some(keep), opened, observer)?;
    let seconds = observer.seconds() - begun;
    logs.chunks(runs)
        .zip(seeds)
        .map(|(logs, &seed)| Scored::from_logs(data, request.window.as_deref(), logs, seed, seconds))
        .collect()
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
