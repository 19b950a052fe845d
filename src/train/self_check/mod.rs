//! A numeric check of a device: our operations against the CPU's, which are tested against double precision, and a few
//! steps of training.
//!
//! A GPU driver, a browser or a shader compiler can be silently wrong. This check takes a second and finds out.

#[cfg(feature = "flex")]
mod error;
mod operators;
mod products;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, TensorData};
use serde::Serialize;

pub use self::error::CheckError;
use super::config::{Decay, Length, Optimizer, Schedule, TrainConfig};
use super::optimizer::OptimizerState;
use crate::device::{Precision, read, upload};
use crate::kernel::convolution::reference::OF_HALVES;
use crate::kernel::cross_entropy::{Target, mixed_cross_entropy};
use crate::kernel::read_all;
use crate::model::{ModelConfig, NetworkKind};
use crate::random::{Purpose, Stream};

/// Result of the check of a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelfCheck {
    /// `true` where every number was right and training lowered the loss.
    pub ok: bool,
    /// Largest error: of a loss or its gradient relative to 1 or to the value where that is larger, of another operation
    /// relative to the largest number of its result.
    pub worst_error: f64,
    /// In mixed precision, the largest error of a convolution's sums of products, in units of the root of the sum of the
    /// squared products; rounding to 16-bit floats explains up to 2⁻⁸.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_product: Option<f64>,
    /// Training loss of a small network before the first step, in nats.
    pub loss_before: f64,
    /// The same after twelve steps on one batch.
    pub loss_after: f64,
}

/// Number of training steps in a check.
const STEPS: usize = 12;

/// Errors up to this are rounding: losses and gradients are sums of a few f32 exponentials.
const TOLERANCE: f64 = 2e-5;

/// Checks `device`, which is the plain one, without autodiff, and can compute in `precision` ([`Precision::on`]). For mixed
/// precision its products are checked in addition to everything that is checked for full precision.
///
/// # Errors
/// [`CheckError::Device`] when it does not answer; wrong numbers are not an error, but give `ok: false`.
pub async fn self_check(device: &Device, precision: Precision) -> Result<SelfCheck, CheckError> {
    let mut worst_error = 0.0f64;
    for (batch, classes, scale) in [(5, 2, 1.0), (33, 10, 8.0), (70, 129, 30.0)] {
        worst_error = worst_error.max(cross_entropy_error(device, batch, classes, scale).await?);
    }
    #[cfg(feature = "flex")]
    if !crate::device::is_cpu(device) {
        worst_error = worst_error.max(operators::error(device).await?);
    }
    let worst_product = match precision {
        Precision::Full => None,
        Precision::Mixed => Some(products::worst(device).await?),
    };
    let (loss_before, loss_after) = train(device, precision).await?;
    let ok = worst_error < TOLERANCE
        && worst_product.is_none_or(|error| error < OF_HALVES)
        && loss_after < 0.8 * loss_before;
    Ok(SelfCheck { ok, worst_error, worst_product, loss_before, loss_after })
}

/// Largest error of losses and gradients on random logits, against double precision.
async fn cross_entropy_error(
    device: &Device,
    batch: usize,
    classes: usize,
    scale: f64,
) -> Result<f64, CheckError> {
    let mut stream = Stream::new(0, Purpose::Test, 0, (batch * classes) as u64);
    let values: Vec<f32> = (0..batch * classes).map(|_| (scale * stream.normal()) as f32).collect();
    let label = |_| Target { own: 0, other: 0, own_share: 0.6, other_share: 0.3 };
    let mut targets: Vec<Target> = (0..batch).map(label).collect();
    targets.iter_mut().for_each(|target| target.own = stream.below(classes as u32));
    targets.iter_mut().for_each(|target| target.other = stream.below(classes as u32));

    let autodiff = device.clone().autodiff();
    let logits =
        upload::floats::<2>(TensorData::new(values.clone(), [batch, classes]), &autodiff).require_grad();
    let losses = mixed_cross_entropy(logits.clone(), &targets);
    let gradients = losses.clone().backward();
    let Some(gradient) = logits.grad(&gradients) else {
        return Ok(f64::INFINITY);
    };
    let (losses, gradient) = (read(losses).await?, read(gradient).await?);

    let error = |got: f32, want: f64| (f64::from(got) - want).abs() / want.abs().max(1.0);
    let mut worst = 0.0f64;
    for (b, row) in values.chunks_exact(classes).enumerate() {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exp = |z: f32| f64::from(z - max).exp();
        let sum: f64 = row.iter().map(|&z| exp(z)).sum();
        let [label, other] = [targets[b].own, targets[b].other].map(|label| label as usize);
        let [own_share, other_share] = [targets[b].own_share, targets[b].other_share].map(f64::from);
        let loss = |label: usize| f64::from(max) + sum.ln() - f64::from(row[label]);
        worst = worst.max(error(losses[b], own_share * loss(label) + other_share * loss(other)));
        for (class, &z) in row.iter().enumerate() {
            let indicator = |label: usize| f64::from(u8::from(class == label));
            let want = (own_share + other_share) * exp(z) / sum
                - own_share * indicator(label)
                - other_share * indicator(other);
            worst = worst.max(error(gradient[b * classes + class], want));
        }
    }
    // A NaN would pass `max` unseen.
    let finite = losses.iter().chain(&gradient).all(|value| value.is_finite());
    Ok(if finite { worst } else { f64::INFINITY })
}

/// Training loss of a small ConvNet on one batch, before and after a few steps.
async fn train(device: &Device, precision: Precision) -> Result<(f64, f64), CheckError> {
    const SIDE: usize = 16;
    const BATCH: usize = 24;
    const CLASSES: usize = 4;
    let model = ModelConfig {
        network: NetworkKind::ConvNet { width: 8 },
        classes: CLASSES,
        image_size: SIDE,
        precision,
    };
    let autodiff = device.clone().autodiff();
    let mut network = model.init(0, &autodiff).map_err(CheckError::Network)?;
    let config = TrainConfig {
        optimizer: Optimizer::AdamW,
        lr: 0.02,
        weight_decay: 1e-4,
        decay: Decay::Weights,
        batch: BATCH,
        length: Length::Steps(STEPS),
        horizon: Length::Steps(STEPS),
        eta_min: 0.0,
        schedule: Schedule::Step,
    };
    let mut optimizer = OptimizerState::new(&config);
    let mut stream = Stream::new(1, Purpose::Test, 0, 0);
    let pixels: Vec<f32> = (0..BATCH * 3 * SIDE * SIDE).map(|_| stream.normal() as f32).collect();
    let input = upload::floats(TensorData::new(pixels, [BATCH, SIDE, SIDE, 3]), &autodiff);
    let target =
        |label: u32| Target { own: label, other: label, own_share: 1.0 / BATCH as f32, other_share: 0.0 };
    let targets: Vec<Target> = (0..BATCH).map(|i| target((i % CLASSES) as u32)).collect();
    let mut losses = Vec::with_capacity(STEPS + 1);
    for _ in 0..=STEPS {
        let logits = network.forward_train(input.clone());
        let loss = mixed_cross_entropy(logits, &targets);
        losses.push(loss.clone().inner());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(config.lr, network, gradients);
    }
    // The last network must be usable off the graph, too: evaluation runs there.
    let logits = network.valid().forward_eval(input.inner());
    let finite = read(logits).await?.iter().all(|z| z.is_finite());
    let shares = read_all(losses).await?;
    let losses: Vec<f64> =
        shares.chunks(BATCH).map(|shares| shares.iter().map(|&s| f64::from(s)).sum()).collect();
    let last = if finite { losses[STEPS] } else { f64::INFINITY };
    Ok((losses[0], last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "flex")]
    fn the_cpu_passes_its_own_check() {
        let check =
            pollster::block_on(self_check(&Device::flex(), Precision::Full)).expect("the CPU answers");
        assert!(check.ok, "{check:?}");
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn a_gpu_passes_the_check() {
        let Some(device) = crate::device::testing::wgpu() else { return };
        let check = pollster::block_on(self_check(&device, Precision::Full)).expect("the GPU answers");
        assert!(check.ok && check.worst_product.is_none(), "{check:?}");
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn matrix_units_pass_the_check_in_mixed_precision() {
        let Some((device, _)) = crate::device::testing::matrix_units() else { return };
        let check = pollster::block_on(self_check(&device, Precision::Mixed)).expect("the GPU answers");
        assert!(check.ok, "{check:?}");
        // Products in full precision would have hardly an error.
        assert!(check.worst_product.is_some_and(|error| error > 1e-5), "{check:?}");
    }
}
