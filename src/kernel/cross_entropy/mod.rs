//! Softmax and cross-entropy in one operation, `-ln softmax(z)_y` for each sample.
//!
//! Composed of general operators this takes log-softmax, gather and negate forward, and as many again
//! backward. As one operation each direction is a single pass over the logits; the gradient is
//! `(softmax(z) - onehot(y)) * g`, whose norm at `g = 1` is EL2N.

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use crate::device::upload;

/// Target of a sample's loss: two labels and the weight of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    /// The sample's own label.
    pub(crate) own: u32,
    /// The label that was mixed in.
    pub(crate) other: u32,
    pub(crate) own_share: f32,
    pub(crate) other_share: f32,
}

/// Words of a target on the device: the labels, and the bits of the shares.
pub(crate) const WORDS: usize = 4;

impl Target {
    fn words(self) -> [i32; WORDS] {
        let Self { own, other, own_share, other_share } = self;
        [own, other, own_share.to_bits(), other_share.to_bits()].map(u32::cast_signed)
    }

    #[cfg(feature = "flex")]
    fn of_words(words: [i32; WORDS]) -> Self {
        let [own, other, own_share, other_share] = words.map(i32::cast_unsigned);
        Self { own, other, own_share: f32::from_bits(own_share), other_share: f32::from_bits(other_share) }
    }
}

/// Operations that a backend implements to run [`cross_entropy`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait CrossEntropy: Backend {
    /// Loss of each sample, `[B]`, from logits `[B, C]` and targets, `[B · WORDS]`.
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of the logits, `[B, C]`, from the gradient of the losses, `[B]`.
    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Cross-entropy of each sample: `[B]` losses in nats from logits `[B, C]` and B labels.
///
/// Numerically stable for any finite logits. Differentiable with respect to the logits, once.
///
/// # Panics
/// When there is not one label a sample, or a label is not below `C`.
pub fn cross_entropy(logits: Tensor<2>, labels: &[u32]) -> Tensor<1> {
    let target = |&own: &u32| Target { own, other: own, own_share: 1.0, other_share: 0.0 };
    mixed_cross_entropy(logits, &labels.iter().map(target).collect::<Vec<_>>())
}

/// The same with two labels a sample: `own_share · -ln softmax(z)_own + other_share · -ln softmax(z)_other`.
///
/// # Panics
/// As [`cross_entropy`].
pub(crate) fn mixed_cross_entropy(logits: Tensor<2>, targets: &[Target]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    assert_eq!(targets.len(), batch, "one target for each row of logits");
    let known = |label: u32| (label as usize) < classes;
    assert!(targets.iter().all(|target| known(target.own) && known(target.other)), "a label is a class");
    let words: Vec<i32> = targets.iter().flat_map(|target| target.words()).collect();
    let targets = upload::words(words, &logits.device().inner());
    Tensor::from_dispatch(<Dispatch as CrossEntropy>::cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
    ))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    /// Made with `tests/golden/cross_entropy.py` (PyTorch, float64).
    const GOLDEN: &str = include_str!("../../../tests/golden/cross_entropy.json");

    #[derive(serde::Deserialize)]
    struct Case {
        logits: Vec<Vec<f32>>,
        labels: Vec<u32>,
        upstream: Vec<f32>,
        loss: Vec<f32>,
        gradient: Vec<Vec<f32>>,
    }

    fn check(device: &Device) {
        let cases: Vec<Case> = serde_json::from_str(GOLDEN).expect("the golden file is JSON");
        assert!(cases.len() >= 5);
        for case in cases {
            let (batch, classes) = (case.logits.len(), case.logits[0].len());
            let device = device.clone().autodiff();
            let logits = Tensor::<2>::from_data(
                TensorData::new(case.logits.concat(), [batch, classes]),
                (&device, DType::F32),
            )
            .require_grad();
            let loss = cross_entropy(logits.clone(), &case.labels);
            let upstream =
                Tensor::<1>::from_data(TensorData::new(case.upstream, [batch]), (&device, DType::F32));
            let gradients = (loss.clone() * upstream).sum().backward();
            let gradient = logits.grad(&gradients).expect("the logits are tracked");

            let close = |got: Vec<f32>, want: Vec<f32>| {
                for (got, want) in got.iter().zip(&want) {
                    let error = (got - want).abs() / want.abs().max(1.0);
                    assert!(error < 2e-6, "{got} should be {want} ({classes} classes)");
                }
            };
            let values = |data: TensorData| data.try_to_vec::<f32>().expect("f32 values");
            close(values(pollster::block_on(loss.into_data_async()).expect("a loss")), case.loss);
            close(
                values(pollster::block_on(gradient.into_data_async()).expect("a gradient")),
                case.gradient.concat(),
            );
        }
    }

    /// Losses and gradients of two labels are the weighted sums of those of each.
    fn check_mixed(device: &Device) {
        let device = device.clone().autodiff();
        let values = vec![0.5, -2.0, 3.0, 1.0, 1.0, 1.0, -30.0, 40.0, 0.0];
        let logits = || {
            Tensor::<2>::from_data(TensorData::new::<f32, _>(values.clone(), [3, 3]), (&device, DType::F32))
                .require_grad()
        };
        let (own, other) = ([0, 1, 2], [2, 1, 1]);
        // Every sample has shares of its own.
        let shares = [(0.7, 0.2), (0.1, 0.9), (1.0, 0.0)];
        let targets: Vec<Target> = (0..3)
            .map(|i| Target {
                own: own[i],
                other: other[i],
                own_share: shares[i].0,
                other_share: shares[i].1,
            })
            .collect();
        let both = |z: &Tensor<2>, loss: Tensor<1>| {
            let gradient = z.grad(&loss.backward()).expect("the logits are tracked");
            let read = |data: TensorData| data.try_to_vec::<f32>().expect("f32 values");
            let loss = read(pollster::block_on(loss.into_data_async()).expect("a loss"));
            [loss, read(pollster::block_on(gradient.into_data_async()).expect("a gradient"))].concat()
        };
        let z = logits();
        let mixed = both(&z, mixed_cross_entropy(z.clone(), &targets));
        let z = logits();
        let first = both(&z, cross_entropy(z.clone(), &own));
        let z = logits();
        let second = both(&z, cross_entropy(z.clone(), &other));
        for (place, ((mixed, a), b)) in mixed.iter().zip(first).zip(second).enumerate() {
            // Three losses, then a row of three gradients for each sample.
            let (own, other) = shares[if place < 3 { place } else { place / 3 - 1 }];
            let want = own * a + other * b;
            assert!((mixed - want).abs() < 2e-6 * want.abs().max(1.0), "{mixed} should be {want}");
        }
    }

    /// The loss of the larger of two logits and the gradient of the other are `ln(1 + eᶻ)` and `eᶻ / (1 + eᶻ)`, from tiny
    /// ones to ½, and NaN stays NaN.
    fn check_exponentials(device: &Device) {
        let device = device.clone().autodiff();
        let mut values: Vec<f32> = (0..=4000u16).map(|i| f32::from(i) * -0.025).collect();
        values.push(f32::NAN);
        let rows = values.iter().flat_map(|&z| [0.0, z]).collect::<Vec<f32>>();
        let logits = Tensor::<2>::from_data(TensorData::new(rows, [values.len(), 2]), (&device, DType::F32))
            .require_grad();
        let losses = cross_entropy(logits.clone(), &vec![0; values.len()]);
        let gradients = logits.grad(&losses.clone().backward()).expect("the logits are tracked");
        let read = |data: TensorData| data.try_to_vec::<f32>().expect("f32 values");
        let losses = read(pollster::block_on(losses.into_data_async()).expect("a loss"));
        let gradients = read(pollster::block_on(gradients.into_data_async()).expect("a gradient"));
        for ((&z, loss), pair) in values.iter().zip(losses).zip(gradients.chunks_exact(2)) {
            if z.is_nan() {
                assert!(loss.is_nan() && pair[1].is_nan(), "{loss}, {pair:?}");
                continue;
            }
            let e = f64::from(z).exp();
            let (want, slope) = (e.ln_1p(), e / (1.0 + e));
            assert!((f64::from(loss) - want).abs() < 1.5e-7, "{z}: {loss} should be {want}");
            // A GPU's compiler may put ln 2 together from its parts, which costs digits as the logits differ; and what is
            // smaller than a normal number may be taken for zero.
            let digits = 5e-7 + 1.2e-7 * f64::from(z.abs());
            let error = (f64::from(pair[1]) - slope).abs();
            assert!(
                error < digits * slope + f64::from(f32::MIN_POSITIVE),
                "{z}: {} should be {slope}",
                pair[1]
            );
        }
    }

    #[test]
    #[cfg(feature = "flex")]
    fn exponentials_keep_their_digits_on_the_cpu() {
        check_exponentials(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn exponentials_keep_their_digits_on_wgpu() {
        if let Some(device) = crate::device::testing::wgpu() {
            check_exponentials(&device);
        }
    }

    #[test]
    #[cfg(feature = "flex")]
    fn two_labels_weigh_as_they_are_told_on_the_cpu() {
        check_mixed(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn two_labels_weigh_as_they_are_told_on_wgpu() {
        if let Some(device) = crate::device::testing::wgpu() {
            check_mixed(&device);
        }
    }

    #[test]
    #[cfg(feature = "flex")]
    fn loss_and_gradient_agree_with_pytorch_on_the_cpu() {
        check(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn loss_and_gradient_agree_with_pytorch_on_wgpu() {
        if let Some(device) = crate::device::testing::wgpu() {
            check(&device);
        }
    }
}
