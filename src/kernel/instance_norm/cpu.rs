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

/// Sums over the pixels of an image, one for each channel.
fn add_pixels(sums: &mut [f32], image: &[f32], value: impl Fn(usize, f32) -> f32) {
    sums.fill(0.0);
    for pixel in image.chunks_exact(sums.len()) {
        sums.iter_mut().zip(pixel).enumerate().for_each(|(c, (sum, &x))| *sum += value(c, x));
    }
}

/// Mean of each channel of an image, then the inverse standard deviation of each: a row for every image.
fn moments(images: &[&[f32]], channels: usize) -> Buffer {
    let mut moments = Buffer::new(images.len() * 2 * channels);
    for_each_chunk(
        images,
        &mut moments,
        2 * channels,
        || (),
        |(), image, row| {
            let (mean, inverse) = row.split_at_mut(channels);
            let share = channels as f32 / image.len() as f32;
            add_pixels(mean, image, |_, x| x);
            mean.iter_mut().for_each(|mean| *mean *= share);
            let mean = &*mean;
            add_pixels(inverse, image, |c, x| (x - mean[c]) * (x - mean[c]));
            inverse.iter_mut().for_each(|square| *square = 1.0 / (*square * share + EPSILON as f32).sqrt());
        },
    );
    moments
}

/// What turns the channels of an image into their normalised, scaled and shifted values, `gain · x + offset`. A vector
/// for each number, so that loops over channels become vector instructions.
struct Channels {
    mean: Vec<f32>,
    inverse: Vec<f32>,
    gain: Vec<f32>,
    offset: Vec<f32>,
}

impl Channels {
    fn new(moments: &[f32], scale: &[f32], shift: &[f32]) -> Self {
        let (mean, inverse) = moments.split_at(scale.len());
        let gain: Vec<f32> = scale.iter().zip(inverse).map(|(scale, inverse)| scale * inverse).collect();
        let offset = (0..scale.len()).map(|c| shift[c] - mean[c] * gain[c]).collect();
        Self { mean: mean.to_vec(), inverse: inverse.to_vec(), gain, offset }
    }

    fn forward(&self, pixel: &[f32], output: &mut [f32]) {
        let n = output.len();
        let (pixel, gain, offset) = (&pixel[..n], &self.gain[..n], &self.offset[..n]);
        for c in 0..n {
            output[c] = (gain[c] * pixel[c] + offset[c]).max(0.0);
        }
    }

    /// Adds a pixel's gradients behind the ReLU, and these times the normalised values.
    fn add(&self, pixel: &[f32], gradient: &[f32], sums: &mut [f32], products: &mut [f32]) {
        let n = sums.len();
        let (pixel, gradient, products) = (&pixel[..n], &gradient[..n], &mut products[..n]);
        let (gain, offset) = (&self.gain[..n], &self.offset[..n]);
        let (mean, inverse) = (&self.mean[..n], &self.inverse[..n]);
        for c in 0..n {
            let g = passed(gradient[c], gain[c] * pixel[c] + offset[c]);
            sums[c] += g;
            products[c] += g * (pixel[c] - mean[c]) * inverse[c];
        }
    }

    /// The gradient of a pixel, from the means over the image of what [`add`](Self::add) adds.
    fn backward(&self, pixel: &[f32], gradient: &[f32], [means, slopes]: [&[f32]; 2], found: &mut [f32]) {
        let n = found.len();
        let (pixel, gradient, means, slopes) = (&pixel[..n], &gradient[..n], &means[..n], &slopes[..n]);
        let (gain, offset) = (&self.gain[..n], &self.offset[..n]);
        let (mean, inverse) = (&self.mean[..n], &self.inverse[..n]);
        for c in 0..n {
            let g = passed(gradient[c], gain[c] * pixel[c] + offset[c]);
            found[c] = gain[c] * (g - means[c] - (pixel[c] - mean[c]) * inverse[c] * slopes[c]);
        }
    }
}

/// A gradient behind the ReLU: it passes where the value is positive. As bits, since a branch is wrong half of the time and
/// keeps loops from becoming vector instructions.
fn passed(gradient: f32, value: f32) -> f32 {
    f32::from_bits(gradient.to_bits() & 0u32.wrapping_sub(u32::from(value > 0.0)))
}

/// The pixels of images of one shape.
fn pixels(image: &[f32], channels: usize) -> std::slice::ChunksExact<'_, f32> {
    image.chunks_exact(channels)
}

impl InstanceNorm for Flex {
    fn instance_norm(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let _span = span("instance norm", || work(&images, 6, 4));
        let shape: [usize; 4] = images.shape().dims();
        let (plane, channels) = (shape[1] * shape[2] * shape[3], shape[3]);
        let (images, scale, shift) = (floats(&images), floats(&scale), floats(&shift));
        let all: Vec<&[f32]> = images.chunks_exact(plane).collect();
        let moments = moments(&all, channels);
        let rows: Vec<_> = all.into_iter().zip(moments.chunks_exact(2 * channels)).collect();
        let mut output = Buffer::new(images.len());
        for_each_chunk(
            &rows,
            &mut output,
            plane,
            || (),
            |(), (image, moments), output| {
                let of = Channels::new(moments, &scale, &shift);
                for (output, pixel) in output.chunks_exact_mut(channels).zip(pixels(image, channels)) {
                    of.forward(pixel, output);
                }
            },
        );
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
        let _span = span("instance norm, gradient", || work(&images, 16, 7));
        let shape: [usize; 4] = images.shape().dims();
        let (plane, channels) = (shape[1] * shape[2] * shape[3], shape[3]);
        let (images, scale, shift) = (floats(&images), floats(&scale), floats(&shift));
        let gradient = floats(&gradient);
        let all: Vec<&[f32]> = images.chunks_exact(plane).collect();
        let moments = moments(&all, channels);
        let gradients = gradient.chunks_exact(plane).zip(moments.chunks_exact(2 * channels));
        let rows: Vec<_> = all.into_iter().zip(gradients).collect();

        // Of each image, what its channels add to the gradients of shift and scale.
        let mut sums = Buffer::new(rows.len() * 2 * channels);
        for_each_chunk(
            &rows,
            &mut sums,
            2 * channels,
            || (),
            |(), (image, (gradient, moments)), sums| {
                let of = Channels::new(moments, &scale, &shift);
                sums.fill(0.0);
                let (sums, products) = sums.split_at_mut(channels);
                for (pixel, gradient) in pixels(image, channels).zip(pixels(gradient, channels)) {
                    of.add(pixel, gradient, sums, products);
                }
            },
        );

        let rows: Vec<_> = rows.into_iter().zip(sums.chunks_exact(2 * channels)).collect();
        let mut of_images = Buffer::new(images.len());
        let share = channels as f32 / plane as f32;
        for_each_chunk(
            &rows,
            &mut of_images,
            plane,
            || (),
            |(), row, found| {
                let ((image, (gradient, moments)), sums) = row;
                let of = Channels::new(moments, &scale, &shift);
                let means: Vec<f32> = sums.iter().map(|sum| sum * share).collect();
                let (means, slopes) = means.split_at(channels);
                let pairs = pixels(image, channels).zip(pixels(gradient, channels));
                for (found, (pixel, gradient)) in found.chunks_exact_mut(channels).zip(pairs) {
                    of.backward(pixel, gradient, [means, slopes], found);
                }
            },
        );

        let mut all = vec![0.0; 2 * channels];
        for own in sums.chunks_exact(2 * channels) {
            all.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        let of_scale = all.split_off(channels);
        InstanceNormGradients {
            images: tensor(of_images, shape),
            scale: vector(of_scale),
            shift: vector(all),
        }
    }
}
