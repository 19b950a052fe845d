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
    for_each(batch, |piece| {
        let image = batch - 1 - piece;
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

#[cfg(test)]
mod tests {
    use super::super::isa::available;
    use super::super::testing::{Random, error};
    use super::*;

    const EPSILON: f64 = 1e-5;

    /// A block's operands and the gradient that comes back.
    struct Case {
        plane: Plane,
        values: Vec<f32>,
        mean: Vec<f32>,
        variance: Vec<f32>,
        weight: Vec<f32>,
        bias: Vec<f32>,
        shortcut: Option<Vec<f32>>,
        gradient: Vec<f32>,
    }

    /// What came out, in double precision, each number with the magnitude that its error is measured by.
    struct Expected {
        output: Vec<(f64, f64)>,
        of_values: Vec<(f64, f64)>,
        of_shortcut: Vec<(f64, f64)>,
        of_weight: Vec<(f64, f64)>,
        of_bias: Vec<(f64, f64)>,
    }

    fn case(random: &mut Random, plane: Plane, batch: usize, shortcut: bool) -> Case {
        let (len, channels) = (batch * plane.input(), plane.channels);
        let values = random.floats(len);
        let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
        let count = (len / channels) as f64;
        for c in 0..channels {
            let channel = || values.iter().skip(c).step_by(channels).map(|&v| f64::from(v));
            let m = channel().sum::<f64>() / count;
            mean[c] = m as f32;
            variance[c] = (channel().map(|v| (v - m).powi(2)).sum::<f64>() / count) as f32;
        }
        Case {
            plane,
            values,
            mean,
            variance,
            weight: random.floats(channels),
            bias: random.floats(channels),
            shortcut: shortcut.then(|| random.floats(len)),
            gradient: random.floats(batch * plane.output()),
        }
    }

    fn expected(case: &Case) -> Expected {
        let Plane { height, width, channels, relu, pool } = case.plane;
        let batch = case.values.len() / case.plane.input();
        let count = (batch * height * width) as f64;
        let inverse = |c: usize| 1.0 / (f64::from(case.variance[c]) + EPSILON).sqrt();
        let normal = |i: usize| {
            let c = i % channels;
            (f64::from(case.values[i]) - f64::from(case.mean[c])) * inverse(c)
        };
        let before = |i: usize| {
            let c = i % channels;
            let shortcut = case.shortcut.as_ref().map_or(0.0, |shortcut| f64::from(shortcut[i]));
            normal(i) * f64::from(case.weight[c]) + f64::from(case.bias[c]) + shortcut
        };
        let mut output = Vec::new();
        let mut behind = vec![0.0f64; case.values.len()];
        let places = if pool { (height / 2) * (width / 2) } else { height * width };
        for (o, &gradient) in case.gradient.iter().enumerate() {
            let (c, place, b) = (o % channels, o / channels % places, o / channels / places);
            let at = |y: usize, x: usize| ((b * height + y) * width + x) * channels + c;
            let window = if pool {
                let (y, x) = (place / (width / 2) * 2, place % (width / 2) * 2);
                vec![at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1)]
            } else {
                vec![at(place / width, place % width)]
            };
            let most =
                window.iter().copied().fold(window[0], |m, i| if before(i) > before(m) { i } else { m });
            let value = before(most);
            output.push((if relu { value.max(0.0) } else { value }, 1.0 + value.abs()));
            if !relu || value > 0.0 {
                behind[most] += f64::from(gradient);
            }
        }
        let sum = |c: usize, of: &dyn Fn(usize) -> f64| -> (f64, f64) {
            let terms = (c..behind.len()).step_by(channels).map(|i| behind[i] * of(i));
            terms.fold((0.0, 1.0), |(sum, size), term| (sum + term, size + term.abs()))
        };
        let of_bias: Vec<_> = (0..channels).map(|c| sum(c, &|_| 1.0)).collect();
        let of_weight: Vec<_> = (0..channels).map(|c| sum(c, &normal)).collect();
        let of_value = |i: usize| {
            let c = i % channels;
            let scale = f64::from(case.weight[c]) * inverse(c);
            let centred = behind[i] - of_bias[c].0 / count - normal(i) * of_weight[c].0 / count;
            (scale * centred, scale.abs() * (1.0 + behind[i].abs()))
        };
        Expected {
            of_values: (0..behind.len()).map(of_value).collect(),
            of_shortcut: behind.iter().map(|&g| (g, 1.0)).collect(),
            output,
            of_weight,
            of_bias,
        }
    }

    #[test]
    fn a_block_and_its_gradients_agree_with_double_precision() {
        let mut random = Random(23);
        for kernels in available() {
            for round in 0..if cfg!(miri) { 6 } else { 60 } {
                let (pool, shortcut) = (round % 3 == 0, round % 3 == 1);
                let sizes: &[usize] = if cfg!(miri) { &[2, 3] } else { &[2, 3, 4, 7, 8] };
                let plane = Plane {
                    height: random.of(sizes),
                    width: random.of(sizes),
                    channels: random.of(&[1, 3, 8, 19, 32]),
                    relu: round % 2 == 0,
                    pool,
                };
                let batch = 1 + random.below(3);
                let case = case(&mut random, plane, batch, shortcut);
                let want = expected(&case);
                let affine = Affine::new(&case.mean, &case.variance, &case.weight, &case.bias, EPSILON);
                let mut output = vec![f32::NAN; case.gradient.len()];
                normalise(kernels, &plane, &case.values, &affine, case.shortcut.as_deref(), &mut output);
                let mut of_values = vec![f32::NAN; case.values.len()];
                let mut of_shortcut = vec![f32::NAN; case.values.len()];
                let given = Given {
                    plane,
                    values: &case.values,
                    mean: &case.mean,
                    variance: &case.variance,
                    weight: &case.weight,
                    bias: &case.bias,
                    epsilon: EPSILON,
                    output: shortcut.then_some(&output[..]),
                    gradient: &case.gradient,
                };
                let learned =
                    backward(kernels, &given, &mut of_values, shortcut.then_some(&mut of_shortcut[..]));
                let close = |what: &str, got: &[f32], want: &[(f64, f64)]| {
                    let worst = error(got, want);
                    assert!(worst < 1e-5, "{} {what} {worst:e} {plane:?}", kernels.name);
                };
                close("output", &output, &want.output);
                close("gradient of values", &of_values, &want.of_values);
                close("gradient of weight", &learned.weight, &want.of_weight);
                close("gradient of bias", &learned.bias, &want.of_bias);
                if shortcut {
                    close("gradient of shortcut", &of_shortcut, &want.of_shortcut);
                }
            }
        }
    }
}
