//! Memory that training takes, before it is taken: a system that runs out of it kills the program without a word.

use super::{Observer, RunError};
use crate::bounds::LOG_BYTES;
use crate::model::{ModelConfig, NetworkKind};
use crate::quantity::bytes;
use crate::train::TrainConfig;

/// Bytes of a value, of an activation or a weight.
const FLOAT: u64 = 4;
/// Values that are kept for a weight: itself, its gradient, and the optimiser's moments.
const OF_A_WEIGHT: u64 = 4;

/// Networks to be trained.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// The network.
    pub model: &'a ModelConfig,
    /// Its training.
    pub config: &'a TrainConfig,
    /// Number of training images.
    pub images: usize,
    /// Number of networks.
    pub networks: usize,
    /// `true` for proxies, whose outputs are logged.
    pub logged: bool,
}

impl Training<'_> {
    /// Bytes of memory that the training takes at least. `on_cpu` is `false` where a GPU has memory of its own.
    pub fn least_bytes(&self, on_cpu: bool) -> u64 {
        let (model, images) = (self.model, self.images as u64);
        let side = model.image_size as u64;
        let batch = (self.config.batch as u64).min(images);
        // What each block leaves behind is at least a quarter of the widest activation, as all of them pool.
        let floats = side.saturating_mul(side).saturating_mul(3).saturating_add(model.widest() as u64 / 4);
        let weights = match model.network {
            NetworkKind::ConvNet { width } | NetworkKind::ConvNetD { width } => {
                let layers = model.depth().saturating_sub(1) as u64;
                (width as u64).saturating_mul(width as u64).saturating_mul(9 * layers)
            }
            NetworkKind::ResNet18 { .. } => 11_000_000,
        };
        let one = floats.saturating_mul(batch).saturating_add(weights.saturating_mul(OF_A_WEIGHT));
        let at_once = self.networks.min(rayon::current_num_threads()) as u64;
        let training = if on_cpu { one.saturating_mul(FLOAT).saturating_mul(at_once) } else { 0 };
        let epochs = self.config.steps(self.images) / self.config.steps_per_epoch(self.images).max(1);
        let log = images.saturating_mul(epochs as u64).saturating_mul(LOG_BYTES);
        training.saturating_add(if self.logged { log.saturating_mul(self.networks as u64) } else { 0 })
    }

    /// Checks that there is memory for the training, as far as the observer knows.
    ///
    /// # Errors
    /// [`RunError::Memory`] with the estimate, and what to lower.
    pub fn ensure_fits(&self, on_cpu: bool, observer: &dyn Observer) -> Result<(), RunError> {
        self.config.check().map_err(crate::train::TrainError::from)?;
        let needed = self.least_bytes(on_cpu);
        let Some(free) = observer.free_memory().filter(|&free| needed > free) else { return Ok(()) };
        let batch = self.config.batch.min(self.images);
        let (lower, epochs) = if self.logged {
            (
                "`image-size`, `score-batch-size`, `score-epochs` or `threads`",
                "their outputs in all epochs and ",
            )
        } else {
            ("`image-size`, `batch-size` or `threads`", "")
        };
        Err(RunError::Memory(format!(
            "training takes at least {} of memory ({epochs}batches of {batch} images of {side}x{side} pixels), and {} are \
             free; lower {lower}",
            bytes(needed),
            bytes(free),
            side = self.model.image_size,
        )))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::fault::{Fault, Faulty as _};
    use crate::run::{Silent, Stage};
    use crate::train::Preset;

    /// An observer with this much memory.
    struct Room(u64);

    impl Observer for Room {
        fn say(&self, _text: &str) {}
        fn warn(&self, _text: &str) {}
        fn stage(&self, _name: &'static str, _unit: &'static str, _total: usize) -> Box<dyn Stage + '_> {
            Box::new(Silent)
        }
        fn wants_stop(&self) -> bool {
            false
        }
        fn seconds(&self) -> f64 {
            0.0
        }
        fn free_memory(&self) -> Option<u64> {
            Some(self.0)
        }
    }

    #[test]
    fn training_that_does_not_fit_is_refused_with_its_estimate_and_what_fits_is_not() {
        let settings = Preset::Small.settings();
        let wide = settings.with_image_size(4096);
        let (small, wide) = (settings.model(2), wide.model(2));
        let of =
            |model, logged| Training { model, config: &settings.student, images: 100, networks: 1, logged };
        // 50 images of 64 px: under 10 MB.
        assert!(of(&small, false).ensure_fits(true, &Room(10_000_000)).is_ok());
        let error = of(&wide, false).ensure_fits(true, &Room(8 << 30)).expect_err("37 GB");
        assert_eq!(error.fault(), Fault::Usage);
        let message = error.to_string();
        assert!(
            message.contains("at least 36.9 GB") && message.contains("batches of 50 images of 4096x4096"),
            "{message}"
        );
        assert!(of(&wide, false).ensure_fits(false, &Room(1 << 20)).is_ok(), "a GPU has its own memory");
        // 300 epochs of 100 images.
        assert_eq!(of(&wide, true).least_bytes(false), 300 * 100 * 18);
        assert!(of(&wide, false).ensure_fits(true, &Silent).is_ok(), "nobody knows");
    }
}
