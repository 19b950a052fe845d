//! The CPU implementation.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::{MaxPool, MaxPoolBackward, PoolWindow};
use crate::kernel::cpu::max_pool::{max_pool, max_pool_backward};
use crate::kernel::cpu::{Buffer, Pool, kernels};
use crate::kernel::flex::{floats, tensor};
use crate::kernel::probe::{Work, span};

fn pool(images: &FloatTensor<Flex>, window: PoolWindow) -> (usize, Pool) {
    let PoolWindow { kernel, stride, padding } = window;
    let shape = images.shape();
    let (height, width, channels) = (shape[1], shape[2], shape[3]);
    (shape[0], Pool { height, width, channels, kernel, stride, padding })
}

/// Work of a pool, for a profile. Comparisons do not count as operations.
fn work(pool: &Pool, batch: usize, passes: usize) -> Work {
    let Pool { height, width, channels, kernel, stride, .. } = pool;
    let output = pool.output_height() * pool.output_width() * channels;
    Work {
        shape: format!("{height}x{width}x{channels}, {kernel}x{kernel}, stride {stride}"),
        flops: 0.0,
        floats: passes * batch * (height * width * channels + output),
    }
}

impl MaxPool for Flex {
    fn max_pool(images: FloatTensor<Self>, window: PoolWindow) -> FloatTensor<Self> {
        let (batch, pool) = pool(&images, window);
        let shape = [batch, pool.output_height(), pool.output_width(), pool.channels];
        let _span = span("max pool", || work(&pool, batch, 1));
        let mut output = Buffer::new(shape.iter().product());
        max_pool(kernels(), &pool, &floats(&images), &mut output);
        tensor(output, shape)
    }
}

impl MaxPoolBackward for Flex {
    fn max_pool_backward(
        images: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: PoolWindow,
    ) -> FloatTensor<Self> {
        let (batch, pool) = pool(&images, window);
        let shape = [batch, pool.height, pool.width, pool.channels];
        let _span = span("max pool, gradient", || work(&pool, batch, 2));
        let mut result = Buffer::new(shape.iter().product());
        let (images, output, gradient) = (floats(&images), floats(&output), floats(&gradient));
        max_pool_backward(kernels(), &pool, &images, &output, &gradient, &mut result);
        tensor(result, shape)
    }
}
