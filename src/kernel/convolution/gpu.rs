//! The GPU implementation.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{ConvolutionGradients, Convolve, ConvolveBackward, Window};
use crate::kernel::gpu::convolution::{convolve, image_gradient, weight_gradient};
use crate::kernel::gpu::sums::sum_rows;

impl Convolve for CubeBackend {
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        convolve(images, weights, Some(bias), window)
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
        let of_bias = sum_rows(&gradient, 0..gradient.shape()[3], window.students);
        let of_images =
            with_images.then(|| image_gradient(gradient.clone(), weights.clone(), &images.shape(), window));
        ConvolutionGradients {
            images: of_images,
            weights: weight_gradient(images, gradient, &weights.shape(), window),
            bias: of_bias,
        }
    }
}
