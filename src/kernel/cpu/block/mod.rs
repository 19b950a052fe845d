//! The steps after a block's convolution, for a whole batch: normalisation, shortcut, ReLU and pool, from the moments of each
//! channel of the batch, and, in `by_image`, of each image.

pub(crate) mod by_image;

use super::buffer::Buffer;
use super::isa::Kernels;
use super::normalise::{Backward, Forward, Incoming, Plane, Sums};
use super::shared::Shared;
use crate::parallel::for_each;

/// The scale and shift that normalise a channel and then apply the learned ones.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

/// `1 / sqrt(variance + epsilon)` in double precision.
fn inverse_deviation(variance: f32, epsilon: f64) -> f64 {
    1.0 / (f64::from(variance) + epsilon).sqrt()
}

impl Affine {
    /// From moments and what is learned, `[channels]` each.
    pub(crate) fn new(mean: &[f32], variance: &[f32], learned: Learned<'_>) -> Self {
        let Learned { weight, bias, epsilon } = learned;
        let (mut scale, mut shift) = (Vec::with_capacity(mean.len()), Vec::with_capacity(mean.len()));
        for (((&mean, &variance), &weight), &bias) in mean.iter().zip(variance).zip(weight).zip(bias) {
            let a = f64::from(weight) * inverse_deviation(variance, epsilon);
            scale.push(a as f32);
            shift.push((f64::from(bias) - f64::from(mean) * a) as f32);
        }
        Self { scale, shift }
    }
}

/// `output = pool(relu(values * scale + shift + shortcut))`.
pub(crate) fn normalise(
    kernels: &Kernels,
    plane: &Plane,
    values: &[f32],
    affine: &Affine,
    shortcut: Option<&[f32]>,
    output: &mut [f32],
) {
    let batch = values.len() / plane.input();
    assert!(shortcut.is_none() || !plane.pools(), "a block with a shortcut has no pool");
    assert!(shortcut.is_none_or(|shortcut| shortcut.len() == values.len()));
    assert_eq!((values.len(), output.len()), (batch * plane.input(), batch * plane.output()));
    assert_eq!((affine.scale.len(), affine.shift.len()), (plane.channels, plane.channels));
    let output = Shared::new(output);
    for_each(batch, |piece| {
        let image = batch - 1 - piece;
        // SAFETY: the lengths are checked above; each piece writes its own image.
        unsafe {
            (kernels.normalise)(&Forward {
                plane: *plane,
                values: values.as_ptr().add(image * plane.input()),
                scale: affine.scale.as_ptr(),
                shift: affine.shift.as_ptr(),
                shortcut: at(shortcut, image * plane.input()),
                output: output.at(image * plane.output()),
            });
        }
    });
}

/// A place in a slice, or null.
fn at(slice: Option<&[f32]>, place: usize) -> *const f32 {
    slice.map_or(core::ptr::null(), |slice| slice[place..].as_ptr())
}

/// Learned weight and bias of a norm, `[channels]` each, and the norm's epsilon.
#[derive(Clone, Copy)]
pub(crate) struct Learned<'a> {
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) epsilon: f64,
}

/// Inputs of a block's backward pass: values of the forward pass, and the gradient of the output.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) plane: Plane,
    /// Empty where the values are made again.
    pub(crate) values: &'a [f32],
    /// `[channels]`, or in an InstanceNorm `[batch, channels]`, as is `variance`.
    pub(crate) mean: &'a [f32],
    pub(crate) variance: &'a [f32],
    pub(crate) learned: Learned<'a>,
    /// The output, where there was a shortcut.
    pub(crate) output: Option<&'a [f32]>,
    pub(crate) gradient: &'a [f32],
}

/// Gradients of the learned weight and bias, `[channels]` each.
pub(crate) struct OfLearned {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Given<'_> {
    /// Asserts all lengths, for `batch` images and `moments` sets of moments.
    fn check(&self, batch: usize, moments: usize) {
        let Self { plane, learned, .. } = self;
        assert_eq!(self.gradient.len(), batch * plane.output());
        assert!(self.values.is_empty() || self.values.len() == batch * plane.input());
        assert_eq!((learned.weight.len(), learned.bias.len()), (plane.channels, plane.channels));
        let moments = moments * plane.channels;
        assert_eq!((self.mean.len(), self.variance.len()), (moments, moments));
        assert!(self.output.is_none_or(|output| output.len() == batch * plane.input()));
    }

    /// Inputs of both halves of the backward pass for one image, whose values lie at `values`.
    fn incoming(&self, image: usize, values: *const f32, affine: &Affine) -> Incoming {
        let plane = self.plane;
        Incoming {
            plane,
            values,
            scale: affine.scale.as_ptr(),
            shift: affine.shift.as_ptr(),
            output: at(self.output, image * plane.input()),
            gradient: self.gradient[image * plane.output()..].as_ptr(),
        }
    }
}

/// Coefficients of each channel in a value's gradient `a g + b + c z`, where `g` is the gradient behind ReLU and pool and `z`
/// the value.
#[derive(Default)]
struct Turned {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

impl Turned {
    /// Adds a channel, from its moments, the learned weight and the sums of `g` and of `g (z - mean)` over `count` pixels.
    ///
    /// With n pixels the gradient of a value is `w / s * (g - mean(g) - (z - m) / s² * mean(g * (z - m)))`, s the deviation and
    /// m the mean (Ioffe and Szegedy 2015).
    fn push(&mut self, (mean, inverse): (f32, f64), weight: f32, [sum, product]: [f64; 2], count: f64) {
        let scale = f64::from(weight) * inverse;
        let slope = -scale * inverse * inverse * product / count;
        self.a.push(scale as f32);
        self.b.push((-scale * sum / count - slope * f64::from(mean)) as f32);
        self.c.push(slope as f32);
    }

    /// The job of an image.
    fn job(&self, incoming: Incoming, values: *mut f32, shortcut: *mut f32) -> Backward {
        Backward { incoming, a: self.a.as_ptr(), b: self.b.as_ptr(), c: self.c.as_ptr(), values, shortcut }
    }
}

/// Sums over images, each of which has `numbers` numbers: one sum for each number.
fn add_images(partial: &[f32], numbers: usize) -> Vec<f64> {
    let mut sums = vec![0.0f64; numbers];
    for image in partial.chunks_exact(numbers) {
        for (sum, &part) in sums.iter_mut().zip(image) {
            *sum += f64::from(part);
        }
    }
    sums
}

/// The gradient of the values, through the moments of the batch too, and of the shortcut.
pub(crate) fn backward(
    kernels: &Kernels,
    given: &Given<'_>,
    values: &mut [f32],
    shortcut: Option<&mut [f32]>,
) -> OfLearned {
    let plane = &given.plane;
    let channels = plane.channels;
    let batch = values.len() / plane.input();
    given.check(batch, 1);
    assert_eq!((given.values.len(), values.len()), (batch * plane.input(), batch * plane.input()));
    assert!(shortcut.as_ref().is_none_or(|shortcut| shortcut.len() == values.len()));
    let affine = Affine::new(given.mean, given.variance, given.learned);
    let incoming =
        |image: usize| given.incoming(image, given.values[image * plane.input()..].as_ptr(), &affine);

    let mut partial = Buffer::new(batch * 2 * channels);
    partial.fill(0.0);
    let partials = Shared::new(&mut partial);
    for_each(batch, |image| {
        // SAFETY: the lengths are checked above; each piece adds to its own image's sums.
        unsafe {
            (kernels.normalise_sums)(&Sums {
                incoming: incoming(image),
                mean: given.mean.as_ptr(),
                gradient: partials.at(image * 2 * channels),
                product: partials.at((image * 2 + 1) * channels),
            });
        }
    });
    let sums = add_images(&partial, 2 * channels);

    let count = (batch * plane.height * plane.width) as f64;
    let mut of = OfLearned { weight: Vec::with_capacity(channels), bias: Vec::with_capacity(channels) };
    let mut turned = Turned::default();
    for channel in 0..channels {
        let inverse = inverse_deviation(given.variance[channel], given.learned.epsilon);
        let (sum, product) = (sums[channel], sums[channels + channel]);
        turned.push((given.mean[channel], inverse), given.learned.weight[channel], [sum, product], count);
        of.weight.push((product * inverse) as f32);
        of.bias.push(sum as f32);
    }

    let values = Shared::new(values);
    let shortcut = shortcut.map(Shared::new);
    for_each(batch, |piece| {
        let image = batch - 1 - piece;
        let values = values.at(image * plane.input());
        let shortcut = shortcut.map_or(core::ptr::null_mut(), |s| s.at(image * plane.input()));
        // SAFETY: as above.
        unsafe { (kernels.normalise_backward)(&turned.job(incoming(image), values, shortcut)) };
    });
    of
}

#[cfg(test)]
mod tests;
