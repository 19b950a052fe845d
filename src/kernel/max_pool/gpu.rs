//! The GPU implementation.

use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{MaxPool, MaxPoolBackward, PoolWindow};
use crate::kernel::gpu::pool::{max_pool, max_pool_gradient};

impl MaxPool for CubeBackend {
    fn max_pool(images: FloatTensor<Self>, window: PoolWindow) -> FloatTensor<Self> {
        max_pool(images, window)
    }
}

impl MaxPoolBackward for CubeBackend {
    fn max_pool_backward(
        images: FloatTensor<Self>,
        _output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: PoolWindow,
    ) -> FloatTensor<Self> {
        max_pool_gradient(images, gradient, window)
    }
}
