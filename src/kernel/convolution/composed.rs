//! The convolution of a backend's own operators, on a view of the images as they expect it.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::{ConvolutionGradients, Window};

/// `[B, H, W, C]` seen as `[B, C, H, W]`.
pub(in crate::kernel) fn channels_first<B: Backend>(images: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(images, &[0, 3, 1, 2])
}

/// `[B, C, H, W]` seen as `[B, H, W, C]`.
pub(in crate::kernel) fn channels_last<B: Backend>(images: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(images, &[0, 2, 3, 1])
}

#[cfg_attr(not(feature = "cube"), expect(dead_code, reason = "the CPU has kernels of its own"))]
pub(super) fn convolution<B: Backend>(
    images: FloatTensor<B>,
    weights: FloatTensor<B>,
    bias: FloatTensor<B>,
    window: Window,
) -> FloatTensor<B> {
    channels_last::<B>(B::conv2d(channels_first::<B>(images), weights, Some(bias), window.options()))
}

#[cfg_attr(not(feature = "cube"), expect(dead_code, reason = "the CPU has kernels of its own"))]
pub(super) fn convolution_backward<B: Backend>(
    images: FloatTensor<B>,
    weights: FloatTensor<B>,
    gradient: FloatTensor<B>,
    window: Window,
    with_images: bool,
) -> ConvolutionGradients<B> {
    let (images, gradient) = (channels_first::<B>(images), channels_first::<B>(gradient));
    let of_images = with_images.then(|| {
        let options = window.options();
        B::conv2d_x_backward(images.clone(), weights.clone(), gradient.clone(), options)
    });
    let of_bias = B::float_sum_dim(B::float_sum_dim(B::float_sum_dim(gradient.clone(), 0), 2), 3);
    let channels = burn::backend::TensorMetadata::shape(&of_bias)[1];
    ConvolutionGradients {
        images: of_images.map(channels_last::<B>),
        weights: B::conv2d_weight_backward(images, weights, gradient, window.options()),
        bias: B::float_reshape(of_bias, [channels].into()),
    }
}
