//! Instance normalisation with scale, shift and ReLU, on images `[B, H, W, C]`: the norm of a ConvNet-D.
//!
//! `relu(scale · (x - mean) / √(variance + ε) + shift)`, with the mean and the biased variance of every channel of every
//! image (`torch.nn.GroupNorm(C, C)`).

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::Tensor;

use super::block::EPSILON;

/// Gradients of the operands.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct InstanceNormGradients<B: Backend> {
    pub(crate) images: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) shift: FloatTensor<B>,
}

/// What a backend implements to run [`instance_norm`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait InstanceNorm: Backend {
    /// The normalised images.
    fn instance_norm(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// What a backend without autodiff implements for the way back.
pub(crate) trait InstanceNormBackward: InstanceNorm {
    /// The gradients of images, scale and shift, from that of the normalised images.
    fn instance_norm_backward(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> InstanceNormGradients<Self>;
}

/// The normalised images, `[S·B, H, W, C]`, of images of this shape and a scale and a shift `[S·C]`, of S students: one on
/// a CPU. Differentiable once.
pub(crate) fn instance_norm(images: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as InstanceNorm>::instance_norm(
        images.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
    ))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use pollster::block_on;

    use super::*;
    use crate::device::read;
    use crate::random::{Purpose, Stream};

    fn random<const D: usize>(shape: [usize; D], offset: f64, seed: u64, device: &Device) -> Tensor<D> {
        let mut stream = Stream::new(7, Purpose::Test, 0, seed);
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| (offset + stream.normal()) as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
    }

    type Norm = fn(Tensor<4>, Tensor<1>, Tensor<1>) -> Tensor<4>;

    /// The same by burn's operators and burn's autodiff.
    fn burns(images: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
        let [batch, height, width, channels] = images.dims();
        let planes = images.reshape([batch, height * width, channels]);
        let centred = planes.clone() - planes.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        let normal = centred / (variance + EPSILON).sqrt();
        let [scale, shift] = [scale, shift].map(|vector| vector.reshape([1, 1, channels]));
        burn::tensor::activation::relu((normal * scale + shift).reshape([batch, height, width, channels]))
    }

    fn all(norm: Norm, shape: [usize; 4], device: &Device) -> Vec<Vec<f32>> {
        let device = device.clone().autodiff();
        let images = random(shape, 2.0, 0, &device).require_grad();
        let scale = random([shape[3]], 1.0, 1, &device).require_grad();
        let shift = random([shape[3]], 0.0, 2, &device).require_grad();
        let output = norm(images.clone(), scale.clone(), shift.clone());
        let gradients = (output.clone() * random(shape, 0.0, 3, &device)).backward();
        let four = |tensor: Tensor<4>| block_on(read(tensor)).expect("the device answers");
        let one = |tensor: Tensor<1>| {
            block_on(read(tensor.grad(&gradients).expect("tracked"))).expect("it answers")
        };
        vec![four(output), four(images.grad(&gradients).expect("tracked")), one(scale), one(shift)]
    }

    fn check(device: &Device) {
        for shape in [[2, 4, 5, 3], [3, 8, 8, 16], [1, 3, 3, 65], [2, 1, 2, 4]] {
            let found = all(instance_norm, shape, device);
            for (found, want) in found.iter().zip(all(burns, shape, &Device::flex())) {
                assert_eq!(found.len(), want.len());
                for (a, b) in found.iter().zip(&want) {
                    assert!((a - b).abs() < 5e-5 * b.abs().max(1.0), "{a} should be {b}: {shape:?}");
                }
            }
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_burns_operators_on_the_cpu() {
        check(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn values_and_gradients_are_those_of_burns_operators_on_a_gpu() {
        if let Some(device) = crate::kernel::testing::wgpu() {
            check(&device);
        }
    }
}
