//! The GPU implementation.

use burn::backend::TensorMetadata;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{ConvolutionGradients, Convolve, ConvolveBackward, Window};
use crate::kernel::gpu::convolution::{convolve, image_gradient, weight_gradient};

/// `[B, H, W, C]` seen as `[B, C, H, W]`.
fn channels_first(images: FloatTensor<CubeBackend>) -> FloatTensor<CubeBackend> {
    CubeBackend::float_permute(images, &[0, 3, 1, 2])
}

/// `[B, C, H, W]` seen as `[B, H, W, C]`.
fn channels_last(images: FloatTensor<CubeBackend>) -> FloatTensor<CubeBackend> {
    CubeBackend::float_permute(images, &[0, 2, 3, 1])
}

/// Convolution of images `[B, H, W, C]`. Our kernels know no groups; burn's do.
pub(in crate::kernel) fn forward(
    images: FloatTensor<CubeBackend>,
    weights: FloatTensor<CubeBackend>,
    bias: Option<FloatTensor<CubeBackend>>,
    window: Window,
) -> FloatTensor<CubeBackend> {
    if window.groups == 1 {
        convolve(images, weights, bias, window)
    } else {
        channels_last(CubeBackend::conv2d(channels_first(images), weights, bias, window.options()))
    }
}

/// Gradients of the images, if `with_images`, and of the weights.
pub(in crate::kernel) fn backward(
    images: FloatTensor<CubeBackend>,
    weights: FloatTensor<CubeBackend>,
    gradient: FloatTensor<CubeBackend>,
    window: Window,
    with_images: bool,
) -> (Option<FloatTensor<CubeBackend>>, FloatTensor<CubeBackend>) {
    if window.groups == 1 {
        let shape = weights.shape();
        let of_images =
            with_images.then(|| image_gradient(gradient.clone(), weights, &images.shape(), window));
        return (of_images, weight_gradient(images, gradient, &shape, window));
    }
    let (images, gradient) = (channels_first(images), channels_first(gradient));
    let of_images = with_images.then(|| {
        let (images, weights, options) = (images.clone(), weights.clone(), window.options());
        channels_last(CubeBackend::conv2d_x_backward(images, weights, gradient.clone(), options))
    });
    (of_images, CubeBackend::conv2d_weight_backward(images, weights, gradient, window.options()))
}

impl Convolve for CubeBackend {
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        forward(images, weights, Some(bias), window)
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
        let of_bias = [0, 1, 2].into_iter().fold(gradient.clone(), Self::float_sum_dim);
        let channels = of_bias.shape()[3];
        let (of_images, of_weights) = backward(images, weights, gradient, window, with_images);
        ConvolutionGradients {
            images: of_images,
            weights: of_weights,
            bias: Self::float_reshape(of_bias, [channels].into()),
        }
    }
}
