//! A max pool whose windows overlap, on images `[B, H, W, C]`: the one in the stem of a ResNet.

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// A square window of a max pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolWindow {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

/// Operations that a backend implements to run [`max_pool`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait MaxPool: Backend {
    /// The largest value of every window.
    fn max_pool(images: FloatTensor<Self>, window: PoolWindow) -> FloatTensor<Self>;
}

/// Backward pass that a backend without autodiff implements.
pub(crate) trait MaxPoolBackward: MaxPool {
    /// The gradient of the images: that of each window, at the first of its largest values.
    fn max_pool_backward(
        images: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: PoolWindow,
    ) -> FloatTensor<Self>;
}

/// The largest value of every window: `[B, H', W', C]` of `[B, H, W, C]`. Differentiable once.
pub(crate) fn max_pool(images: Tensor<4>, window: PoolWindow) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as MaxPool>::max_pool(images.into_dispatch(), window))
}
