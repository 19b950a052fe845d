//! A trial of a device: measures the time of a training step, to choose between two devices.

use burn::tensor::Device;

use super::{TrainError, synthetic_student};
use crate::device::Precision;
use crate::model::{ModelConfig, NetworkKind};

/// Number of steps that a trial times.
const STEPS: usize = 3;

/// The student of a trial: the network that a page trains, on a batch that keeps a software adapter busy for less than a
/// second.
const MODEL: ModelConfig = ModelConfig {
    network: NetworkKind::ConvNet { width: 32 },
    classes: 10,
    image_size: 32,
    precision: Precision::Full,
};
const BATCH: usize = 32;

/// Seconds of the quickest of three training steps on a device, by a `clock` of seconds since any moment. A step
/// before them, in which a GPU compiles its kernels, does not count.
///
/// The trial ends at the first step that took longer than `enough` seconds, if the time of a better device is known. It can
/// only tell apart two devices of very different speed: its steps are few and its network is small. The device is the plain
/// one, without autodiff.
///
/// # Errors
/// [`TrainError`] when the device fails.
pub async fn step_seconds(
    device: &Device,
    clock: fn() -> f64,
    enough: Option<f64>,
) -> Result<f64, TrainError> {
    let mut student = synthetic_student(&MODEL, BATCH, 0, device)?;
    student.advance(1).await?;
    let mut quickest = f64::INFINITY;
    for _ in 0..STEPS {
        let begun = clock();
        student.advance(1).await?;
        quickest = quickest.min(clock() - begun);
        if enough.is_some_and(|enough| quickest > enough) {
            break;
        }
    }
    Ok(quickest)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use pollster::block_on;

    use super::*;

    // One test: the clock of the trial is a function, and counts how often it is read.
    #[test]
    fn a_trial_takes_the_quickest_of_three_steps_and_ends_at_one_that_is_too_slow() {
        static READ: AtomicU32 = AtomicU32::new(0);
        // Steps take 5, 1 and 3 seconds: the clock is read before and after each.
        let clock = || [0.0, 5.0, 5.0, 6.0, 6.0, 9.0][READ.fetch_add(1, Ordering::Relaxed) as usize];
        let trial = |enough| {
            READ.store(0, Ordering::Relaxed);
            let seconds = block_on(step_seconds(&Device::flex(), clock, enough)).expect("the CPU trains");
            (seconds, READ.load(Ordering::Relaxed))
        };
        assert_eq!(trial(None), (1.0, 6));
        assert_eq!(trial(Some(2.0)), (5.0, 2), "no second step");
        assert_eq!(trial(Some(5.0)), (1.0, 6));
    }
}
