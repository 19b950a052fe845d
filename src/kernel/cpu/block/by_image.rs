//! Blocks with an InstanceNorm: an image goes through all of a block while it is in the cache.
//!
//! Where values are made of few products they are not even kept: the way back makes an image's again, turns them into
//! their gradient where they lie, and adds that to the gradient of the weights.

use super::{Affine, Given, Learned, OfLearned, Turned, add_images, inverse_deviation};
use crate::kernel::cpu::buffer::Buffer;
use crate::kernel::cpu::convolution::{Convolution, Single, forward_by_image, weight_gradient_by_image};
use crate::kernel::cpu::isa::Kernels;
use crate::kernel::cpu::normalise::{Forward, Plane, Sums};
use crate::kernel::cpu::shared::Shared;
use crate::parallel::for_each;

/// A convolution with its operands.
#[derive(Clone, Copy)]
pub(crate) struct Convolved<'a> {
    pub(crate) shape: &'a Convolution,
    pub(crate) images: &'a [f32],
    pub(crate) weights: &'a [f32],
}

/// `output = pool(relu(norm(images * weights)))`, and the mean and the biased variance of each channel of each image,
/// `[batch, channels]` each. `values` are those of the convolution, or empty: then none are kept.
pub(crate) fn forward(
    kernels: &Kernels,
    convolved: Convolved<'_>,
    plane: &Plane,
    learned: Learned<'_>,
    values: &mut [f32],
    (mean, variance): (&mut [f32], &mut [f32]),
    output: &mut [f32],
) {
    let Convolved { shape, images, weights } = convolved;
    let channels = plane.channels;
    assert_eq!(
        (shape.output_len(), output.len()),
        (shape.batch * plane.input(), shape.batch * plane.output())
    );
    assert_eq!((shape.output, learned.weight.len(), learned.bias.len()), (channels, channels, channels));
    assert_eq!((mean.len(), variance.len()), (shape.batch * channels, shape.batch * channels));
    let output = Shared::new(output);
    let normalise = |image: usize, values: &[f32], (mean, variance): (&[f32], &[f32])| {
        let affine = Affine::new(mean, variance, learned);
        // SAFETY: the lengths are checked above; each image is normalised once.
        unsafe {
            (kernels.normalise)(&Forward {
                plane: *plane,
                values: values.as_ptr(),
                scale: affine.scale.as_ptr(),
                shift: affine.shift.as_ptr(),
                shortcut: core::ptr::null(),
                output: output.at(image * plane.output()),
            });
        }
    };
    if !values.is_empty() {
        forward_by_image(kernels, shape, images, weights, values, (mean, variance), normalise);
        return;
    }
    let single = Single::new(kernels, shape, weights);
    let (means, variances) = (Shared::new(mean), Shared::new(variance));
    for_each(shape.batch, |image| {
        let own = image * channels..(image + 1) * channels;
        // SAFETY: each image has its own moments.
        let (mean, variance) = unsafe { (means.slice(own.clone()), variances.slice(own)) };
        let mut values = Buffer::new(plane.input());
        single.values(images, image, &mut values, Some([&mut *mean, &mut *variance]));
        normalise(image, &values, (mean, variance));
    });
}

/// Each image's part of the gradients of bias and weight, in this order: `[batch, 2, channels]`.
struct Parts(Buffer);

impl Parts {
    fn learned(&self, channels: usize) -> OfLearned {
        let sums = add_images(&self.0, 2 * channels);
        let mut bias: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
        let weight = bias.split_off(channels);
        OfLearned { weight, bias }
    }
}

/// The gradient of an image's values, through its moments too, from the values at `values` to the same or another place; and
/// what the image adds to `[bias, weight]`.
///
/// # Safety
/// The image has values there, and room for their gradient; nobody else uses them meanwhile.
unsafe fn turn(
    kernels: &Kernels,
    given: &Given<'_>,
    image: usize,
    from: *const f32,
    to: *mut f32,
    parts: &mut [f32],
) {
    let channels = given.plane.channels;
    let own = image * channels..(image + 1) * channels;
    let (mean, variance) = (&given.mean[own.clone()], &given.variance[own]);
    let affine = Affine::new(mean, variance, given.learned);
    let incoming = given.incoming(image, from, &affine);
    parts.fill(0.0);
    let (sums, products) = parts.split_at_mut(channels);
    // SAFETY: passed on; a value is read before its gradient is written.
    unsafe {
        (kernels.normalise_sums)(&Sums {
            incoming,
            mean: mean.as_ptr(),
            gradient: sums.as_mut_ptr(),
            product: products.as_mut_ptr(),
        });
        let count = (given.plane.height * given.plane.width) as f64;
        let mut turned = Turned::default();
        for channel in 0..channels {
            let inverse = inverse_deviation(variance[channel], given.learned.epsilon);
            let both = [f64::from(sums[channel]), f64::from(products[channel])];
            turned.push((mean[channel], inverse), given.learned.weight[channel], both, count);
            products[channel] = (both[1] * inverse) as f32;
        }
        (kernels.normalise_backward)(&turned.job(incoming, to, core::ptr::null_mut()));
    }
}

/// The gradient of the values, through the moments of their image too: both halves of the way back of an image at once.
pub(crate) fn backward(kernels: &Kernels, given: &Given<'_>, of_values: &mut [f32]) -> OfLearned {
    let plane = &given.plane;
    let channels = plane.channels;
    let batch = of_values.len() / plane.input();
    given.check(batch, batch);
    assert_eq!((given.values.len(), of_values.len()), (batch * plane.input(), batch * plane.input()));
    let mut parts = Parts(Buffer::new(batch * 2 * channels));
    let (all, of_values) = (Shared::new(&mut parts.0), Shared::new(of_values));
    for_each(batch, |image| {
        let values = given.values[image * plane.input()..].as_ptr();
        // SAFETY: the lengths are checked above; each piece has its own image, and its own parts.
        unsafe {
            let parts = all.slice(image * 2 * channels..(image + 1) * 2 * channels);
            turn(kernels, given, image, values, of_values.at(image * plane.input()), parts);
        }
    });
    parts.learned(channels)
}

/// The gradient of the weights, of values that were not kept.
pub(crate) fn backward_to_weights(
    kernels: &Kernels,
    convolved: Convolved<'_>,
    given: &Given<'_>,
    of_weights: &mut [f32],
) -> OfLearned {
    let Convolved { shape, images, weights } = convolved;
    let (plane, channels) = (&given.plane, given.plane.channels);
    given.check(shape.batch, shape.batch);
    assert_eq!(shape.output_len(), shape.batch * plane.input());
    let single = Single::new(kernels, shape, weights);
    let mut parts = Parts(Buffer::new(shape.batch * 2 * channels));
    let all = Shared::new(&mut parts.0);
    let of_values = |image: usize, values: &mut [f32]| {
        single.values(images, image, values, None);
        let values = values.as_mut_ptr();
        // SAFETY: as in `backward`; the gradient takes the values' place.
        unsafe {
            let parts = all.slice(image * 2 * channels..(image + 1) * 2 * channels);
            turn(kernels, given, image, values, values, parts);
        }
    };
    weight_gradient_by_image(kernels, shape, images, of_values, of_weights);
    parts.learned(channels)
}

/// Values that were not kept, all of them.
pub(crate) fn values_again(kernels: &Kernels, convolved: Convolved<'_>) -> Buffer {
    let Convolved { shape, images, weights } = convolved;
    let single = Single::new(kernels, shape, weights);
    let mut values = Buffer::new(shape.output_len());
    let image_len = shape.output_len() / shape.batch.max(1);
    let all = Shared::new(&mut values);
    for_each(shape.batch, |image| {
        // SAFETY: each image has its own values.
        let values = unsafe { all.slice(image * image_len..(image + 1) * image_len) };
        single.values(images, image, values, None);
    });
    values
}
