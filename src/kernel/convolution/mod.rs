//! A convolution with bias, on images `[B, H, W, C]`.

mod autodiff;
#[cfg(feature = "flex")]
pub(in crate::kernel) mod cpu;
#[cfg(feature = "cube")]
mod gpu;
pub(crate) mod reference;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use crate::device::Precision;

/// Stride and padding of a square kernel, and the precision of its products on a GPU. On the CPU precision is always full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) precision: Precision,
    /// Students whose operands lie one after the other, along the first dimension of each: every student's kernels move
    /// over its own images. More than one on a GPU only; a CPU gives each student a core.
    pub(crate) students: usize,
}

/// Gradients of a convolution.
#[derive(Clone, Debug)]
pub(crate) struct ConvolutionGradients<B: Backend> {
    /// Absent when it was not asked for.
    pub(crate) images: Option<FloatTensor<B>>,
    pub(crate) weights: FloatTensor<B>,
    pub(crate) bias: FloatTensor<B>,
}

/// Operations that a backend implements to run [`convolution`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait Convolve: Backend {
    /// Values `[B, H', W', O]` of images `[B, H, W, C]`, weights `[O, C, K, K]` and bias `[O]`.
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self>;
}

/// Backward pass that a backend without autodiff implements.
pub(crate) trait ConvolveBackward: Convolve {
    /// The gradients, from that of the values; that of the images only if `with_images`.
    fn convolution_backward(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: Window,
        with_images: bool,
    ) -> ConvolutionGradients<Self>;
}

/// Values `[B, H', W', O]` of images `[B, H, W, C]`, weights `[O, C, K, K]` and bias `[O]`. Differentiable once.
pub(crate) fn convolution(
    images: Tensor<4>,
    weights: Tensor<4>,
    bias: Tensor<1>,
    window: Window,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Convolve>::convolution(
        images.into_dispatch(),
        weights.into_dispatch(),
        bias.into_dispatch(),
        window,
    ))
}
