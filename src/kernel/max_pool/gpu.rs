//! The GPU implementation: burn's operators.

use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::IntDType;
use burn_cubecl::CubeBackend;

use super::{MaxPool, MaxPoolBackward, PoolWindow};
use crate::kernel::convolution::gpu::{channels_first, channels_last};

impl MaxPool for CubeBackend {
    fn max_pool(images: FloatTensor<Self>, window: PoolWindow) -> FloatTensor<Self> {
        let PoolWindow { kernel, stride, padding } = window;
        let images = channels_first(images);
        channels_last(Self::max_pool2d(images, [kernel; 2], [stride; 2], [padding; 2], [1; 2], false))
    }
}

impl MaxPoolBackward for CubeBackend {
    fn max_pool_backward(
        images: FloatTensor<Self>,
        _output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: PoolWindow,
    ) -> FloatTensor<Self> {
        let PoolWindow { kernel, stride, padding } = window;
        let (size, step, border, one) = ([kernel; 2], [stride; 2], [padding; 2], [1; 2]);
        let images = channels_first(images);
        let gradient = channels_first(gradient);
        let found =
            Self::max_pool2d_with_indices(images.clone(), size, step, border, one, false, IntDType::I32);
        let result = Self::max_pool2d_with_indices_backward(
            images,
            size,
            step,
            border,
            one,
            false,
            gradient,
            found.indices,
        );
        channels_last(result.x_grad)
    }
}
