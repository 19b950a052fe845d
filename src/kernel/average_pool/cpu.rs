//! The CPU implementation: an image is a piece of work.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::{AveragePool, AveragePoolBackward, Windows};
use crate::kernel::cpu::Buffer;
use crate::kernel::flex::{floats, tensor};
use crate::kernel::probe::{Work, span};
use crate::parallel::for_each_chunk;

impl Windows {
    /// Calls `visit` with the place of each pixel that lies in a window, and of its window.
    fn visit(&self, mut visit: impl FnMut(usize, usize)) {
        let [rows, columns] = self.output();
        for y in 0..rows * self.window[0] {
            for x in 0..columns * self.window[1] {
                visit(y * self.width + x, y / self.window[0] * columns + x / self.window[1]);
            }
        }
    }
}

fn work(windows: Windows, batch: usize) -> Work {
    let Windows { height, width, channels, .. } = windows;
    let values = batch * height * width * channels;
    Work { shape: format!("{height}x{width}x{channels}"), flops: values as f64, floats: values }
}

impl AveragePool for Flex {
    fn average_pool(images: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self> {
        let (batch, windows) = (images.shape()[0], Windows::new(&images.shape(), window));
        let ([rows, columns], channels) = (windows.output(), windows.channels);
        let _span = span("average pool", || work(windows, batch));
        let images = floats(&images);
        let images: Vec<&[f32]> = images.chunks_exact(windows.height * windows.width * channels).collect();
        let mut means = Buffer::new(batch * rows * columns * channels);
        let share = 1.0 / windows.pixels() as f32;
        for_each_chunk(
            &images,
            &mut means,
            rows * columns * channels,
            || (),
            |(), image, means| {
                means.fill(0.0);
                windows.visit(|pixel, window| {
                    let pixel = &image[pixel * channels..][..channels];
                    means[window * channels..][..channels]
                        .iter_mut()
                        .zip(pixel)
                        .for_each(|(mean, v)| *mean += v);
                });
                means.iter_mut().for_each(|mean| *mean *= share);
            },
        );
        tensor(means, [batch, rows, columns, channels])
    }
}

impl AveragePoolBackward for Flex {
    fn average_pool_backward(gradient: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self> {
        let batch = gradient.shape()[0];
        let Windows { height, width, channels, .. } = windows;
        let [rows, columns] = windows.output();
        let _span = span("average pool, gradient", || work(windows, batch));
        let gradient = floats(&gradient);
        let gradients: Vec<&[f32]> = gradient.chunks_exact(rows * columns * channels).collect();
        let mut found = Buffer::new(batch * height * width * channels);
        let share = 1.0 / windows.pixels() as f32;
        for_each_chunk(
            &gradients,
            &mut found,
            height * width * channels,
            || (),
            |(), gradient, found| {
                found.fill(0.0);
                windows.visit(|pixel, window| {
                    let gradient = &gradient[window * channels..][..channels];
                    found[pixel * channels..][..channels]
                        .iter_mut()
                        .zip(gradient)
                        .for_each(|(f, g)| *f = share * g);
                });
            },
        );
        tensor(found, [batch, height, width, channels])
    }
}
