//! Max pool of any size, stride and padding on images `[B, H, W, C]`.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{elementwise, empty, ready, span};
use crate::kernel::max_pool::PoolWindow;
use crate::kernel::probe::Work;

/// The sizes of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pool {
    height: u32,
    width: u32,
    output_height: u32,
    output_width: u32,
    channels: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
}

impl Pool {
    fn new(images: &[usize], window: PoolWindow) -> Self {
        let PoolWindow { kernel, stride, padding } = window;
        let side = |length: usize| ((length + 2 * padding - kernel) / stride + 1) as u32;
        Self {
            height: images[1] as u32,
            width: images[2] as u32,
            output_height: side(images[1]),
            output_width: side(images[2]),
            channels: images[3] as u32,
            kernel: kernel as u32,
            stride: stride as u32,
            padding: padding as u32,
        }
    }
}

/// The first of the largest values of a window, and where it lies in the images.
#[cube]
fn largest(images: &[f32], image: u32, y: u32, x: u32, channel: u32, #[comptime] pool: Pool) -> (f32, u32) {
    let mut most = f32::min_value();
    let mut place = 0u32;
    let mut found = false;
    #[unroll]
    for tap in 0..comptime!(pool.kernel * pool.kernel) {
        let row = y * pool.stride + comptime!(tap / pool.kernel) - pool.padding;
        let column = x * pool.stride + comptime!(tap % pool.kernel) - pool.padding;
        let inside = row < pool.height && column < pool.width;
        let here = ((image * pool.height + row) * pool.width + column) * pool.channels + channel;
        let value = images[select(inside, here, 0u32) as usize];
        let better = inside && (!found || value > most);
        most = select(better, value, most);
        place = select(better, here, place);
        found = found || inside;
    }
    (most, place)
}

#[cube(launch_unchecked)]
fn forward(images: &[f32], output: &mut [f32], count: u32, #[comptime] pool: Pool) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (channel, pixel) = (place % pool.channels, place / pool.channels);
    let (x, row) = (pixel % pool.output_width, pixel / pool.output_width);
    let (y, image) = (row % pool.output_height, row / pool.output_height);
    let (most, _place) = largest(images, image, y, x, channel, pool);
    output[place as usize] = most;
}

/// Each value looks at the windows it lies in, and takes the gradient of those whose largest it is: nothing is written
/// twice, so the sum has one order.
#[cube(launch_unchecked)]
fn backward(images: &[f32], gradient: &[f32], found: &mut [f32], count: u32, #[comptime] pool: Pool) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (channel, pixel) = (place % pool.channels, place / pool.channels);
    let (x, row) = (pixel % pool.width, pixel / pool.width);
    let (y, image) = (row % pool.height, row / pool.height);
    let mut sum = 0.0f32;
    #[unroll]
    for tap in 0..comptime!(pool.kernel * pool.kernel) {
        // Below the first window these wrap to more than any image has.
        let top = y + pool.padding - comptime!(tap / pool.kernel);
        let left = x + pool.padding - comptime!(tap % pool.kernel);
        let (window_y, window_x) = (top / pool.stride, left / pool.stride);
        if top.is_multiple_of(pool.stride)
            && left.is_multiple_of(pool.stride)
            && window_y < pool.output_height
            && window_x < pool.output_width
        {
            let (_most, winner) = largest(images, image, window_y, window_x, channel, pool);
            if winner == place {
                let from = (image * pool.output_height + window_y) * pool.output_width + window_x;
                sum += gradient[(from * pool.channels + channel) as usize];
            }
        }
    }
    found[place as usize] = sum;
}

/// Work of a pass over images, for a profile. Comparisons do not count as operations.
fn work(shape: &[usize], passes: usize) -> Work {
    let floats = passes * shape.iter().product::<usize>();
    Work { shape: format!("{}x{}x{}", shape[1], shape[2], shape[3]), flops: 0.0, floats }
}

/// The largest value of each window; padding counts as nothing.
pub(in crate::kernel) fn max_pool(images: CubeTensor, window: PoolWindow) -> CubeTensor {
    let images = ready(images);
    let shape = images.shape();
    let _span = span(&images, "max pool", || work(&shape, 1));
    let pool = Pool::new(&shape, window);
    let (height, width) = (pool.output_height as usize, pool.output_width as usize);
    let output = empty(&images, [shape[0], height, width, shape[3]]);
    let count = output.shape().num_elements();
    let (cubes, dim) = elementwise(count);
    // SAFETY: the pool decides every size; the kernel returns early past the last element.
    unsafe {
        forward::launch_unchecked(
            &output.client,
            cubes,
            dim,
            images.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            count as u32,
            pool,
        );
    }
    output
}

/// The gradient of the images.
pub(in crate::kernel) fn max_pool_gradient(
    images: CubeTensor,
    gradient: CubeTensor,
    window: PoolWindow,
) -> CubeTensor {
    let (images, gradient) = (ready(images), ready(gradient));
    let shape = images.shape();
    let _span = span(&images, "max pool, gradient", || work(&shape, 2));
    let found = empty(&images, shape.clone());
    let count = shape.num_elements();
    let (cubes, dim) = elementwise(count);
    // SAFETY: as in `max_pool`.
    unsafe {
        backward::launch_unchecked(
            &found.client,
            cubes,
            dim,
            images.into_buffer_arg(),
            gradient.into_buffer_arg(),
            found.clone().into_buffer_arg(),
            count as u32,
            Pool::new(&shape, window),
        );
    }
    found
}
