//! Normalisation, shortcut, ReLU and pool of a whole batch, from the moments of each channel.

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
    /// From moments and the learned weight and bias, `[channels]` each.
    pub(crate) fn new(mean: &[f32], variance: &[f32], weight: &[f32], bias: &[f32], epsilon: f64) -> Self {
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
    assert!(shortcut.is_none() || !plane.pool, "a block with a shortcut has no pool");
    assert!(shortcut.is_none_or(|shortcut| shortcut.len() == values.len()));
    assert_eq!((values.len(), output.len()), (batch * plane.input(), batch * plane.output()));
    assert_eq!((affine.scale.len(), affine.shift.len()), (plane.channels, plane.channels));
    let output = Shared::new(output);
    for_each(batch, |image| {
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

/// What [`normalise`] was given and the gradient that came back.
pub(crate) struct Given<'a> {
    pub(crate) plane: Plane,
    pub(crate) values: &'a [f32],
    pub(crate) mean: &'a [f32],
    pub(crate) variance: &'a [f32],
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) epsilon: f64,
    /// The output, where there was a shortcut.
    pub(crate) output: Option<&'a [f32]>,
    pub(crate) gradient: &'a [f32],
}

/// Gradients of the learned weight and bias, `[channels]` each.
pub(crate) struct Learned {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// The gradient of the values, through the moments too, and of the shortcut.
pub(crate) fn backward(
    kernels: &Kernels,
    given: &Given<'_>,
    values: &mut [f32],
    shortcut: Option<&mut [f32]>,
) -> Learned {
    let plane = &given.plane;
    let channels = plane.channels;
    let batch = given.values.len() / plane.input();
    assert_eq!((given.values.len(), given.gradient.len()), (batch * plane.input(), batch * plane.output()));
    assert_eq!(values.len(), given.values.len());
    assert!(given.output.is_none_or(|output| output.len() == values.len()));
    assert!(shortcut.as_ref().is_none_or(|shortcut| shortcut.len() == values.len()));
    let affine = Affine::new(given.mean, given.variance, given.weight, given.bias, given.epsilon);
    let incoming = |image: usize| Incoming {
        plane: *plane,
        values: given.values[image * plane.input()..].as_ptr(),
        scale: affine.scale.as_ptr(),
        shift: affine.shift.as_ptr(),
        output: at(given.output, image * plane.input()),
        gradient: given.gradient[image * plane.output()..].as_ptr(),
    };

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
    let mut sums = vec![0.0f64; 2 * channels];
    for image in partial.chunks_exact(2 * channels) {
        for (sum, &part) in sums.iter_mut().zip(image) {
            *sum += f64::from(part);
        }
    }

    // With g the gradient behind ReLU and pool and n pixels, the gradient of a value z is
    // w / s * (g - mean(g) - (z - m) / s² * mean(g * (z - m))), s the deviation and m the mean (Ioffe and Szegedy 2015).
    let count = (batch * plane.height * plane.width) as f64;
    let mut learned = Learned { weight: Vec::with_capacity(channels), bias: Vec::with_capacity(channels) };
    let [mut a, mut b, mut c] = [const { Vec::new() }; 3];
    for channel in 0..channels {
        let inverse = inverse_deviation(given.variance[channel], given.epsilon);
        let (sum, product) = (sums[channel], sums[channels + channel]);
        let scale = f64::from(given.weight[channel]) * inverse;
        let slope = -scale * inverse * inverse * product / count;
        learned.weight.push((product * inverse) as f32);
        learned.bias.push(sum as f32);
        a.push(scale as f32);
        b.push((-scale * sum / count - slope * f64::from(given.mean[channel])) as f32);
        c.push(slope as f32);
    }

    let values = Shared::new(values);
    let shortcut = shortcut.map(Shared::new);
    for_each(batch, |image| {
        // SAFETY: as above.
        unsafe {
            (kernels.normalise_backward)(&Backward {
                incoming: incoming(image),
                a: a.as_ptr(),
                b: b.as_ptr(),
                c: c.as_ptr(),
                values: values.at(image * plane.input()),
                shortcut: shortcut.map_or(core::ptr::null_mut(), |s| s.at(image * plane.input())),
            });
        }
    });
    learned
}
