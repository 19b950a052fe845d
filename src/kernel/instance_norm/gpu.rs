//! The GPU implementation: one invocation a channel of an image for the sums, one a value for the rest.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{EPSILON, InstanceNorm, InstanceNormBackward, InstanceNormGradients};
use crate::kernel::gpu::sums::sum_rows;
use crate::kernel::gpu::{elementwise, empty, ready, span};
use crate::kernel::probe::Work;

/// `moments[image][channel]` is the mean, behind all of them lie the inverse standard deviations.
#[cube(launch_unchecked)]
fn moments_of(images: &[f32], moments: &mut [f32], count: u32, pixels: u32, channels: u32, epsilon: f32) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let first = place / channels * pixels * channels + place % channels;
    let share = 1.0 / f32::cast_from(pixels);
    let mut sum = 0.0f32;
    for pixel in 0..pixels {
        sum += images[(first + pixel * channels) as usize];
    }
    let mean = sum * share;
    let mut squares = 0.0f32;
    for pixel in 0..pixels {
        let difference = images[(first + pixel * channels) as usize] - mean;
        squares += difference * difference;
    }
    moments[place as usize] = mean;
    moments[(count + place) as usize] = 1.0 / (squares * share + epsilon).sqrt();
}

/// A normalised value: place and channel are its own, `group` its channel of its image.
#[cube]
fn normal(images: &[f32], moments: &[f32], place: u32, group: u32, groups: u32) -> f32 {
    (images[place as usize] - moments[group as usize]) * moments[(groups + group) as usize]
}

/// The place in scale and shift of a channel of an image; every student has its own, and `batch` images.
#[cube]
fn column(image: u32, channel: u32, channels: u32, batch: u32) -> usize {
    (image / batch * channels + channel) as usize
}

#[cube(launch_unchecked)]
fn normalise(
    images: &[f32],
    moments: &[f32],
    scale: &[f32],
    shift: &[f32],
    output: &mut [f32],
    count: u32,
    pixels: u32,
    channels: u32,
    groups: u32,
    batch: u32,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (image, channel) = (place / (pixels * channels), place % channels);
    let (group, column) = (image * channels + channel, column(image, channel, channels, batch));
    let value = scale[column] * normal(images, moments, place, group, groups) + shift[column];
    output[place as usize] = select(value > 0.0, value, 0.0f32);
}

/// Gradient that has passed the ReLU.
#[cube]
fn passed(normal: f32, scale: f32, shift: f32, gradient: f32) -> f32 {
    select(scale * normal + shift > 0.0, gradient, 0.0f32)
}

/// Sums of an image's channel: `sums[image][0]` of its gradients, `sums[image][1]` of these times the normalised values.
#[cube(launch_unchecked)]
fn sums_of(
    images: &[f32],
    moments: &[f32],
    scale: &[f32],
    shift: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
    count: u32,
    pixels: u32,
    channels: u32,
    batch: u32,
) {
    let group = ABSOLUTE_POS as u32;
    if group >= count {
        terminate!();
    }
    let (image, channel) = (group / channels, group % channels);
    let column = column(image, channel, channels, batch);
    let (scale, shift) = (scale[column], shift[column]);
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    for pixel in 0..pixels {
        let place = (image * pixels + pixel) * channels + channel;
        let normal = normal(images, moments, place, group, count);
        let g = passed(normal, scale, shift, gradient[place as usize]);
        sum += g;
        product += g * normal;
    }
    let to = image * 2 * channels + channel;
    sums[to as usize] = sum;
    sums[(to + channels) as usize] = product;
}

#[cube(launch_unchecked)]
fn gradients_of(
    images: &[f32],
    moments: &[f32],
    scale: &[f32],
    shift: &[f32],
    gradient: &[f32],
    sums: &[f32],
    found: &mut [f32],
    count: u32,
    pixels: u32,
    channels: u32,
    groups: u32,
    batch: u32,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (image, channel) = (place / (pixels * channels), place % channels);
    let (group, column) = (image * channels + channel, column(image, channel, channels, batch));
    let (scale, shift) = (scale[column], shift[column]);
    let normal = normal(images, moments, place, group, groups);
    let g = passed(normal, scale, shift, gradient[place as usize]);
    let from = image * 2 * channels + channel;
    let all = sums[from as usize] + normal * sums[(from + channels) as usize];
    let inverse = moments[(groups + group) as usize];
    found[place as usize] = scale * inverse * (g - all / f32::cast_from(pixels));
}

/// Images, pixels of an image and channels.
fn sizes(images: &CubeTensor) -> [usize; 3] {
    let shape = images.shape();
    [shape[0], shape[1] * shape[2], shape[3]]
}

fn moments(images: &CubeTensor) -> CubeTensor {
    let [batch, pixels, channels] = sizes(images);
    let found = empty(images, [2, batch * channels]);
    let (cubes, dim) = elementwise(batch * channels);
    // SAFETY: the sizes are those of the images; the kernel returns early past the last channel.
    unsafe {
        moments_of::launch_unchecked(
            &found.client,
            cubes,
            dim,
            images.clone().into_buffer_arg(),
            found.clone().into_buffer_arg(),
            (batch * channels) as u32,
            pixels as u32,
            channels as u32,
            EPSILON as f32,
        );
    }
    found
}

fn work(images: &CubeTensor, flops: usize, passes: usize) -> Work {
    let (shape, values) = (images.shape(), images.shape().num_elements());
    Work {
        shape: format!("{}x{}x{}", shape[1], shape[2], shape[3]),
        flops: (flops * values) as f64,
        floats: passes * values,
    }
}

impl InstanceNorm for CubeBackend {
    fn instance_norm(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let images = ready(images);
        let _span = span(&images, "instance norm", || work(&images, 6, 4));
        let [batch, pixels, channels] = sizes(&images);
        let moments = moments(&images);
        let output = empty(&images, images.shape());
        let count = batch * pixels * channels;
        let students = scale.shape()[0] / channels;
        let (cubes, dim) = elementwise(count);
        // SAFETY: as in `moments`.
        unsafe {
            normalise::launch_unchecked(
                &output.client,
                cubes,
                dim,
                images.into_buffer_arg(),
                moments.into_buffer_arg(),
                ready(scale).into_buffer_arg(),
                ready(shift).into_buffer_arg(),
                output.clone().into_buffer_arg(),
                count as u32,
                pixels as u32,
                channels as u32,
                (batch * channels) as u32,
                (batch / students) as u32,
            );
        }
        output
    }
}

impl InstanceNormBackward for CubeBackend {
    fn instance_norm_backward(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> InstanceNormGradients<Self> {
        let (images, gradient) = (ready(images), ready(gradient));
        let (scale, shift) = (ready(scale), ready(shift));
        let _span = span(&images, "instance norm, gradient", || work(&images, 16, 7));
        let [batch, pixels, channels] = sizes(&images);
        let (moments, groups) = (moments(&images), batch * channels);
        let students = scale.shape()[0] / channels;
        let sums = empty(&images, [batch, 2 * channels]);
        let found = empty(&images, images.shape());
        let client = images.client.clone();
        // SAFETY: as in `moments`.
        unsafe {
            let (cubes, dim) = elementwise(groups);
            sums_of::launch_unchecked(
                &client,
                cubes,
                dim,
                images.clone().into_buffer_arg(),
                moments.clone().into_buffer_arg(),
                scale.clone().into_buffer_arg(),
                shift.clone().into_buffer_arg(),
                gradient.clone().into_buffer_arg(),
                sums.clone().into_buffer_arg(),
                groups as u32,
                pixels as u32,
                channels as u32,
                (batch / students) as u32,
            );
            let (cubes, dim) = elementwise(groups * pixels);
            gradients_of::launch_unchecked(
                &client,
                cubes,
                dim,
                images.into_buffer_arg(),
                moments.into_buffer_arg(),
                scale.into_buffer_arg(),
                shift.into_buffer_arg(),
                gradient.into_buffer_arg(),
                sums.clone().into_buffer_arg(),
                found.clone().into_buffer_arg(),
                (groups * pixels) as u32,
                pixels as u32,
                channels as u32,
                groups as u32,
                (batch / students) as u32,
            );
        }
        InstanceNormGradients {
            images: found,
            shift: sum_rows(&sums, 0..channels, students),
            scale: sum_rows(&sums, channels..2 * channels, students),
        }
    }
}
