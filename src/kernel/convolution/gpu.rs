//! The GPU implementation: burn's operators.

use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{ConvolutionGradients, Convolve, ConvolveBackward, Window, composed};

impl Convolve for CubeBackend {
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        composed::convolution::<Self>(images, weights, bias, window)
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
        composed::convolution_backward::<Self>(images, weights, gradient, window, with_images)
    }
}
