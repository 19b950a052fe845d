//! The GPU implementation: burn's operators, on a view of the images as they expect it.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{ConvolutionGradients, Convolve, ConvolveBackward, Window};

/// `[B, H, W, C]` seen as `[B, C, H, W]`.
pub(in crate::kernel) fn channels_first(images: FloatTensor<CubeBackend>) -> FloatTensor<CubeBackend> {
    CubeBackend::float_permute(images, &[0, 3, 1, 2])
}

/// `[B, C, H, W]` seen as `[B, H, W, C]`.
pub(in crate::kernel) fn channels_last(images: FloatTensor<CubeBackend>) -> FloatTensor<CubeBackend> {
    CubeBackend::float_permute(images, &[0, 2, 3, 1])
}

impl Convolve for CubeBackend {
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        channels_last(Self::conv2d(channels_first(images), weights, Some(bias), window.options()))
    }
}

impl ConvolveBackward for CubeBackend {
    fn convolution_backward(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: Window,
        with_images: bool,
    ) -> ConvolutionGradients<Self> {
        let (images, gradient) = (channels_first(images), channels_first(gradient));
        let of_images = with_images.then(|| {
            let options = window.options();
            Self::conv2d_x_backward(images.clone(), weights.clone(), gradient.clone(), options)
        });
        let of_bias = [0, 2, 3].into_iter().fold(gradient.clone(), Self::float_sum_dim);
        let channels = of_bias.shape()[1];
        ConvolutionGradients {
            images: of_images.map(channels_last),
            weights: Self::conv2d_weight_backward(images, weights, gradient, window.options()),
            bias: Self::float_reshape(of_bias, [channels].into()),
        }
    }
}
