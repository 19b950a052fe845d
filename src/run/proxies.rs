//! Training proxies, one for each seed.

use std::sync::Arc;

use super::{Observer, RunError, Storage, Training, lanes};
use crate::data::ImageSet;
use crate::device::Opened;
use crate::model::ModelConfig;
use crate::score::TrainingLog;
use crate::train::{Proxy, ScoringPass, TrainConfig};

/// Training job of proxies: their images, network and training.
pub struct ProxyJob {
    /// The whole training set.
    pub images: Arc<ImageSet>,
    /// The network.
    pub model: ModelConfig,
    /// Its training.
    pub config: TrainConfig,
    /// Smallest crop of its views as a share of an image.
    pub min_scale: f64,
    /// The forward pass that scores.
    pub pass: ScoringPass,
}

impl ProxyJob {
    /// The training of proxies of some seeds.
    pub fn training(&self, seeds: usize) -> Training<'_> {
        let Self { images, model, config, .. } = self;
        Training { model, config, images: images.len(), networks: seeds, logged: true }
    }
}

/// Name of the training log of one seed in a folder that keeps several.
pub fn log_name(folder: &str, seed: u64) -> String {
    format!("{folder}/{seed}.safetensors")
}

/// Trains one proxy for each seed, on the CPU one a core, and gives their logs in the order of the seeds. Logs are kept as
/// `keep.1/<seed>.safetensors` as they come; those that are there already are read.
///
/// # Errors
/// [`RunError`] when the device fails, a loss diverges, a log cannot be kept or read, or the observer stops the run.
pub fn train_proxies(
    job: &ProxyJob,
    seeds: &[u64],
    keep: Option<(&dyn Storage, &str)>,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Vec<TrainingLog>, RunError> {
    job.training(seeds.len()).ensure_fits(opened.is_cpu, observer)?;
    let task = Proxy::task(job.images.clone(), job.min_scale);
    let steps = job.config.steps(job.images.len());
    let stage = observer.stage("score", "steps", steps * seeds.len());
    let train = |seed: u64| -> Result<TrainingLog, RunError> {
        if let Some((storage, folder)) = keep {
            // The second name is that of earlier versions.
            for name in [log_name(folder, seed), format!("{folder}/{seed}.bin")] {
                if let Some(bytes) = storage.read(&name)? {
                    stage.add(steps);
                    return Ok(TrainingLog::from_bytes(&bytes)?);
                }
            }
        }
        let mut proxy = Proxy::new(&job.model, job.config, task.clone(), job.pass, seed, &opened.device)?;
        while !proxy.finished() {
            observer.go_on()?;
            let before = proxy.student().steps_made();
            pollster::block_on(proxy.advance())?;
            stage.add(proxy.student().steps_made() - before);
        }
        let log = proxy.into_log();
        if let Some((storage, folder)) = keep {
            storage.write(&log_name(folder, seed), &log.to_bytes())?;
        }
        Ok(log)
    };
    if opened.is_cpu {
        lanes::run(seeds.to_vec(), train)
    } else {
        seeds.iter().map(|&seed| train(seed)).collect()
    }
}
