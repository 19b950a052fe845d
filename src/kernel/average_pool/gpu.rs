//! The GPU implementation: one invocation a mean, and one a pixel on the way back.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use cubecl::prelude::*;

use super::{AveragePool, AveragePoolBackward, Windows};
use crate::kernel::gpu::{elementwise, empty, ready, span};
use crate::kernel::probe::Work;

#[cube(launch_unchecked)]
fn means_of(images: &[f32], means: &mut [f32], count: u32, #[comptime] windows: Windows) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (rows, columns) = comptime!((windows.output()[0] as u32, windows.output()[1] as u32));
    let channels = comptime!(windows.channels as u32);
    let (channel, window) = (place % channels, place / channels);
    let (x, row) = (window % columns, window / columns);
    let (y, image) = (row % rows, row / rows);
    let (down, across) = comptime!((windows.window[0] as u32, windows.window[1] as u32));
    let mut sum = 0.0f32;
    for v in 0..down {
        for u in 0..across {
            let (height, width) = comptime!((windows.height as u32, windows.width as u32));
            let pixel = (image * height + y * down + v) * width + x * across + u;
            sum += images[(pixel * channels + channel) as usize];
        }
    }
    means[place as usize] = sum * comptime!(1.0 / windows.pixels() as f32);
}

#[cube(launch_unchecked)]
fn shares_of(gradient: &[f32], found: &mut [f32], count: u32, #[comptime] windows: Windows) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (rows, columns) = comptime!((windows.output()[0] as u32, windows.output()[1] as u32));
    let (height, width) = comptime!((windows.height as u32, windows.width as u32));
    let channels = comptime!(windows.channels as u32);
    let (channel, pixel) = (place % channels, place / channels);
    let (x, row) = (pixel % width, pixel / width);
    let (y, image) = (row % height, row / height);
    let y = y / comptime!(windows.window[0] as u32);
    let x = x / comptime!(windows.window[1] as u32);
    let inside = y < rows && x < columns;
    let from = ((image * rows + y) * columns + x) * channels + channel;
    let value = gradient[select(inside, from, 0u32) as usize];
    found[place as usize] = select(inside, value * comptime!(1.0 / windows.pixels() as f32), 0.0f32);
}

fn work(windows: Windows, values: usize) -> Work {
    let Windows { height, width, channels, .. } = windows;
    Work { shape: format!("{height}x{width}x{channels}"), flops: values as f64, floats: values }
}

impl AveragePool for CubeBackend {
    fn average_pool(images: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self> {
        let images = ready(images);
        let (shape, windows) = (images.shape(), Windows::new(&images.shape(), window));
        let _span = span(&images, "average pool", || work(windows, shape.num_elements()));
        let [rows, columns] = windows.output();
        let means = empty(&images, [shape[0], rows, columns, windows.channels]);
        let count = means.shape().num_elements();
        let (cubes, dim) = elementwise(count);
        // SAFETY: `windows` decides every size; the kernel returns early past the last mean.
        unsafe {
            means_of::launch_unchecked(
                &means.client,
                cubes,
                dim,
                images.into_buffer_arg(),
                means.clone().into_buffer_arg(),
                count as u32,
                windows,
            );
        }
        means
    }
}

impl AveragePoolBackward for CubeBackend {
    fn average_pool_backward(gradient: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self> {
        let gradient = ready(gradient);
        let found = empty(&gradient, [gradient.shape()[0], windows.height, windows.width, windows.channels]);
        let count = found.shape().num_elements();
        let _span = span(&gradient, "average pool, gradient", || work(windows, count));
        let (cubes, dim) = elementwise(count);
        // SAFETY: as in `average_pool`.
        unsafe {
            shares_of::launch_unchecked(
                &found.client,
                cubes,
                dim,
                gradient.into_buffer_arg(),
                found.clone().into_buffer_arg(),
                count as u32,
                windows,
            );
        }
        found
    }
}
