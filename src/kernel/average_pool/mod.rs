//! An average pool whose windows do not overlap, on images `[B, H, W, C]`: the whole image before a classifier. (The pools of
//! 2×2 between blocks are part of them.)

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// Size of the images and of the pooling windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Windows {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Rows and columns of a window. What is left at the bottom and on the right of an image is in none.
    pub(crate) window: [usize; 2],
}

impl Windows {
    fn new(shape: &[usize], window: [usize; 2]) -> Self {
        Self { height: shape[1], width: shape[2], channels: shape[3], window }
    }

    /// Rows and columns of the output.
    fn output(&self) -> [usize; 2] {
        [self.height / self.window[0], self.width / self.window[1]]
    }

    fn pixels(&self) -> usize {
        self.window[0] * self.window[1]
    }
}

/// Operations that a backend implements to run [`average_pool`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait AveragePool: Backend {
    /// The mean of every window.
    fn average_pool(images: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self>;
}

/// Backward pass that a backend without autodiff implements.
pub(crate) trait AveragePoolBackward: AveragePool {
    /// The gradient of the images, from that of the means.
    fn average_pool_backward(gradient: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self>;
}

/// The mean of every window: `[B, H / window, W / window, C]` of `[B, H, W, C]`. Differentiable once.
pub(crate) fn average_pool(images: Tensor<4>, window: [usize; 2]) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as AveragePool>::average_pool(images.into_dispatch(), window))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::module::avg_pool2d;
    use burn::tensor::ops::AvgPoolOptions;
    use burn::tensor::{DType, Device, TensorData};
    use pollster::block_on;

    use super::*;
    use crate::device::read;
    use crate::random::{Purpose, Stream};

    fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
        let mut stream = Stream::new(6, Purpose::Test, 0, 0);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
    }

    fn ours(shape: [usize; 4], window: [usize; 2], device: &Device) -> [Vec<f32>; 2] {
        let device = device.clone().autodiff();
        let images = random(shape, &device).require_grad();
        let means = average_pool(images.clone(), window);
        let gradients = (means.clone() * random(means.dims(), &device)).backward();
        [means, images.grad(&gradients).expect("tracked")]
            .map(|t| block_on(read(t)).expect("the device answers"))
    }

    fn check(device: &Device) {
        for (shape, window) in
            [([2, 4, 6, 5], [2, 2]), ([3, 5, 7, 8], [2, 2]), ([2, 7, 7, 33], [7, 7]), ([1, 1, 1, 4], [1, 1])]
        {
            let reference = Device::flex().autodiff();
            let images = random(shape, &reference).require_grad();
            let options = AvgPoolOptions::new(window);
            let means = avg_pool2d(images.clone().permute([0, 3, 1, 2]), options).permute([0, 2, 3, 1]);
            let gradients = (means.clone() * random(means.dims(), &reference)).backward();
            let want = [means, images.grad(&gradients).expect("tracked")];
            for (found, want) in ours(shape, window, device).into_iter().zip(want) {
                let want = block_on(read(want)).expect("the CPU answers");
                assert_eq!(found.len(), want.len());
                for (a, b) in found.iter().zip(&want) {
                    assert!((a - b).abs() < 1e-6, "{a} should be {b}: {shape:?} by {window:?}");
                }
            }
        }
    }

    #[test]
    fn means_and_their_gradients_are_burns_on_the_cpu() {
        check(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn means_and_their_gradients_are_burns_on_a_gpu() {
        if let Some(device) = crate::device::testing::wgpu() {
            check(&device);
        }
    }
}
