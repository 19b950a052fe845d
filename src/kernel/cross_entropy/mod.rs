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
use burn::tensor::{Int, Tensor};

/// Weights in the loss of a sample's own label and of the one that was mixed in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shares {
    pub(crate) own: f32,
    pub(crate) other: f32,
}

/// What a backend implements to run [`cross_entropy`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait CrossEntropy: Backend {
    /// Loss of each sample, `[B]`, from logits `[B, C]` and both labels, `[B]` each.
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self>;

    /// Gradient of the logits, `[B, C]`, from the gradient of the losses, `[B]`.
    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        gradient: FloatTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self>;
}

/// Cross-entropy of each sample: `[B]` losses in nats from logits `[B, C]` and labels `[B]`.
///
/// Numerically stable for any finite logits. Differentiable with respect to the logits, once.
///
/// # Panics
/// When a label's shape does not fit the logits. A label that is not below `C` gives a wrong loss on
/// devices that cannot report it: labels are checked where data enters.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    mixed_cross_entropy(logits, labels.clone(), labels, Shares { own: 1.0, other: 0.0 })
}

/// The same with two labels a sample: `own · -ln softmax(z)_y + other · -ln softmax(z)_y'`.
///
/// # Panics
/// As [`cross_entropy`].
pub(crate) fn mixed_cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    others: Tensor<1, Int>,
    shares: Shares,
) -> Tensor<1> {
    let [batch, _] = logits.dims();
    assert_eq!([labels.dims(), others.dims()], [[batch]; 2], "one label for each row of logits");
    Tensor::from_dispatch(<Dispatch as CrossEntropy>::cross_entropy(
        logits.into_dispatch(),
        labels.into_dispatch(),
        others.into_dispatch(),
        shares,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    /// Made with `tests/golden/cross_entropy.py` (PyTorch, float64).
    const GOLDEN: &str = include_str!("../../../tests/golden/cross_entropy.json");

    #[derive(serde::Deserialize)]
    struct Case {
        logits: Vec<Vec<f32>>,
        labels: Vec<i32>,
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
            let labels = Tensor::<1, Int>::from_data(
                TensorData::new(case.labels, [batch]),
                (&device.clone().inner(), DType::I32),
            );
            let loss = cross_entropy(logits.clone(), labels);
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
        let labels = |values: [i32; 3]| {
            Tensor::<1, Int>::from_data(
                TensorData::new::<i32, _>(values.to_vec(), [3]),
                (&device.clone().inner(), DType::I32),
            )
        };
        let (own, other) = (labels([0, 1, 2]), labels([2, 1, 1]));
        let both = |z: &Tensor<2>, loss: Tensor<1>| {
            let gradient = z.grad(&loss.backward()).expect("the logits are tracked");
            let read = |data: TensorData| data.try_to_vec::<f32>().expect("f32 values");
            let loss = read(pollster::block_on(loss.into_data_async()).expect("a loss"));
            [loss, read(pollster::block_on(gradient.into_data_async()).expect("a gradient"))].concat()
        };
        let shares = Shares { own: 0.7, other: 0.2 };
        let z = logits();
        let mixed = both(&z, mixed_cross_entropy(z.clone(), own.clone(), other.clone(), shares));
        let z = logits();
        let first = both(&z, cross_entropy(z.clone(), own));
        let z = logits();
        let second = both(&z, cross_entropy(z.clone(), other));
        for ((mixed, a), b) in mixed.iter().zip(first).zip(second) {
            let want = 0.7 * a + 0.2 * b;
            assert!((mixed - want).abs() < 2e-6 * want.abs().max(1.0), "{mixed} should be {want}");
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
        if let Some(device) = crate::kernel::testing::wgpu() {
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
        if let Some(device) = crate::kernel::testing::wgpu() {
            check(&device);
        }
    }
}
