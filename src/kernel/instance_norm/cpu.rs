//! The CPU implementation: an image is a piece of work, its channels lie side by side.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::{EPSILON, InstanceNorm, InstanceNormBackward, InstanceNormGradients};
use crate::kernel::cpu::Buffer;
use crate::kernel::flex::{floats, tensor, vector};
use crate::kernel::probe::{Work, span};
use crate::parallel::for_each_chunk;

fn work(images: &FloatTensor<Flex>, flops: usize, passes: usize) -> Work {
    let (shape, values) = (images.shape(), images.shape().num_elements());
    Work {
        shape: format!("{}x{}x{}", shape[1], shape[2], shape[3]),
        flops: (flops * values) as f64,
        floats: passes * values,
    }
}

/// Mean and inverse standard deviation of each channel of an image.
#[derive(Default)]
struct Moments {
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

impl Moments {
    fn take(&mut self, image: &[f32], channels: usize) {
        let Self { mean, inverse } = self;
        let share = channels as f32 / image.len() as f32;
        mean.clear();
        mean.resize(channels, 0.0);
        inverse.clear();
        inverse.resize(channels, 0.0);
        for pixel in image.chunks_exact(channels) {
            mean.iter_mut().zip(pixel).for_each(|(mean, x)| *mean += x);
        }
        mean.iter_mut().for_each(|mean| *mean *= share);
        for pixel in image.chunks_exact(channels) {
            for ((square, x), mean) in inverse.iter_mut().zip(pixel).zip(&*mean) {
                *square += (x - mean) * (x - mean);
            }
        }
        inverse.iter_mut().for_each(|square| *square = 1.0 / (*square * share + EPSILON as f32).sqrt());
    }
}

impl InstanceNorm for Flex {
    fn instance_norm(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let _span = span("instance norm", || work(&images, 6, 3));
        let shape: [usize; 4] = images.shape().dims();
        let (plane, channels) = (shape[1] * shape[2] * shape[3], shape[3]);
        let (images, scale, shift) = (floats(&images), floats(&scale), floats(&shift));
        let all: Vec<&[f32]> = images.chunks_exact(plane).collect();
        let mut output = Buffer::new(images.len());
        for_each_chunk(&all, &mut output, plane, Moments::default, |moments, image, output| {
            moments.take(image, channels);
            for (output, pixel) in output.chunks_exact_mut(channels).zip(image.chunks_exact(channels)) {
                for c in 0..channels {
                    let normal = (pixel[c] - moments.mean[c]) * moments.inverse[c];
                    output[c] = (scale[c] * normal + shift[c]).max(0.0);
                }
            }
        });
        tensor(output, shape)
    }
}

impl InstanceNormBackward for Flex {
    fn instance_norm_backward(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> InstanceNormGradients<Self> {
        let _span = span("instance norm, gradient", || work(&images, 16, 5));
        let shape: [usize; 4] = images.shape().dims();
        let (plane, channels) = (shape[1] * shape[2] * shape[3], shape[3]);
        let (images, scale, shift) = (floats(&images), floats(&scale), floats(&shift));
        let gradient = floats(&gradient);
        let pairs: Vec<_> = images.chunks_exact(plane).zip(gradient.chunks_exact(plane)).collect();
        // Behind an image's gradient lie its own sums for the shift and the scale.
        let sums = plane..plane + 2 * channels;
        let mut found = Buffer::new(pairs.len() * sums.end);
        for_each_chunk(
            &pairs,
            &mut found,
            sums.end,
            Moments::default,
            |moments, (image, gradient), found| {
                moments.take(image, channels);
                let (found, sums) = found.split_at_mut(plane);
                let (of_shift, of_scale) = sums.split_at_mut(channels);
                of_shift.fill(0.0);
                of_scale.fill(0.0);
                let normal = |pixel: &[f32], c: usize| (pixel[c] - moments.mean[c]) * moments.inverse[c];
                let passed =
                    |normal: f32, c: usize, g: f32| if scale[c] * normal + shift[c] > 0.0 { g } else { 0.0 };
                for (pixel, g) in image.chunks_exact(channels).zip(gradient.chunks_exact(channels)) {
                    for c in 0..channels {
                        let normal = normal(pixel, c);
                        let g = passed(normal, c, g[c]);
                        of_shift[c] += g;
                        of_scale[c] += g * normal;
                    }
                }
                let share = channels as f32 / plane as f32;
                let rows = image.chunks_exact(channels).zip(gradient.chunks_exact(channels));
                for (found, (pixel, g)) in found.chunks_exact_mut(channels).zip(rows) {
                    for c in 0..channels {
                        let normal = normal(pixel, c);
                        let rest = passed(normal, c, g[c]) - share * (of_shift[c] + normal * of_scale[c]);
                        found[c] = scale[c] * moments.inverse[c] * rest;
                    }
                }
            },
        );
        let (mut of_images, mut of_shift, mut of_scale) =
            (Buffer::new(images.len()), vec![0.0; channels], vec![0.0; channels]);
        for (image, found) in of_images.chunks_exact_mut(plane).zip(found.chunks_exact(sums.end)) {
            image.copy_from_slice(&found[..plane]);
            of_shift.iter_mut().zip(&found[plane..]).for_each(|(sum, own)| *sum += own);
            of_scale.iter_mut().zip(&found[plane + channels..]).for_each(|(sum, own)| *sum += own);
        }
        InstanceNormGradients {
            images: tensor(of_images, shape),
            scale: vector(of_scale),
            shift: vector(of_shift),
        }
    }
}
