//! Training proxies, one for each seed.

use std::sync::Arc;

use super::meter::Meter;
use super::training::{Keep, finish};
use super::{Devices, Observer, RunError, Training, lanes};
use crate::data::Source;
use crate::device::Opened;
use crate::model::ModelConfig;
use crate::report::{Spending, words};
use crate::score::TrainingLog;
use crate::train::{Proxy, Ranks, ScoringPass, TrainConfig, TrainError, ranks};

/// Training job of proxies: their images, network and training.
pub struct ProxyJob {
    /// The whole training set.
    pub images: Arc<dyn Source>,
    /// The network.
    pub model: ModelConfig,
    /// Its training.
    pub config: TrainConfig,
    /// Smallest crop of its views as a share of an image.
    pub min_scale: f64,
    /// The forward pass that scores.
    pub pass: ScoringPass,
    /// Ranks among which every step of a proxy is shared, if there are any.
    pub ranks: Option<Arc<dyn Ranks>>,
}

impl ProxyJob {
    /// The training of proxies of some seeds.
    pub fn training(&self, seeds: usize) -> Training<'_> {
        let Self { images, model, config, .. } = self;
        Training { model, config, images: images.len(), networks: seeds, logged: true }
    }
}

/// Name of the kept training log of one seed.
pub fn log_name(seed: u64) -> String {
    format!("{seed}.safetensors")
}

/// Trains one proxy for each seed, on the CPU one a core and elsewhere one a device at a time, and gives their logs in the order of
/// the seeds. Logs are kept as `<seed>.safetensors` as they come; those that are there already are read, and a proxy goes on from
/// its checkpoint. The time that was spent comes with them.
///
/// # Errors
/// [`RunError`] when the device fails, a loss diverges, a log cannot be kept or read, or the observer stops the run.
pub fn train_proxies(
    job: &ProxyJob,
    seeds: &[u64],
    keep: Option<Keep<'_>>,
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<(Vec<TrainingLog>, Spending), RunError> {
    job.training(seeds.len()).ensure_fits(devices.is_cpu(), observer)?;
    let task = Proxy::task(job.images.clone(), job.min_scale);
    let steps = job.config.steps(job.images.len());
    let stage = observer.stage("score", "steps", steps * seeds.len());
    let meter = Meter::new(vec![&*job.images]);
    let train = |seed: u64, opened: &Opened, observer: &dyn Observer| -> Result<TrainingLog, RunError> {
        if let Some(bytes) = finished(job, seed, keep)? {
            stage.add(steps);
            return Ok(TrainingLog::from_bytes(&bytes)?);
        }
        let mut proxy = Proxy::new(&job.model, job.config, task.clone(), job.pass, seed, &opened.device)?;
        if let Some(ranks) = &job.ranks {
            proxy.share(ranks.clone()).map_err(TrainError::Ranks)?;
        }
        finish(&mut proxy, &seed.to_string(), keep, &*stage, &meter, observer)?;
        let log = proxy.into_log();
        if let Some(keep) = keep {
            keep.files.write(&log_name(seed), &log.to_bytes())?;
            keep.forget(&seed.to_string())?;
        }
        Ok(log)
    };
    // Ranks must do all in the same order.
    let logs = if job.ranks.is_some() {
        seeds.iter().map(|&seed| train(seed, devices.first(), observer)).collect::<Result<_, _>>()?
    } else if devices.is_cpu() {
        lanes::run(seeds.to_vec(), observer, |seed, observer| train(seed, devices.first(), observer))?
    } else {
        let lanes = devices.count().min(seeds.len());
        lanes::side_by_side(lanes, seeds.to_vec(), observer, |lane, seed, observer| {
            train(seed, devices.at(lane), observer)
        })?
    };
    drop(stage);
    let spending = meter.spending();
    if let Some(text) = words::spending("scoring", &spending) {
        observer.say(&text);
    }
    Ok((logs, spending))
}

/// The log of a proxy that an earlier run finished. Ranks have what the first of them has found.
fn finished(job: &ProxyJob, seed: u64, keep: Option<Keep<'_>>) -> Result<Option<Vec<u8>>, RunError> {
    let mut found = None;
    if let Some(keep) = keep {
        // Under the second name, that of earlier versions, nothing has a seal: it is refused by its name.
        for name in [log_name(seed), format!("{seed}.bin")] {
            if found.is_none() {
                found = keep.files.read(&name)?;
            }
        }
        if found.is_some() {
            keep.forget(&seed.to_string())?;
        }
    }
    match &job.ranks {
        None => Ok(found),
        Some(ranks) => Ok(ranks::told(&**ranks, found).map_err(TrainError::Ranks)?),
    }
}
