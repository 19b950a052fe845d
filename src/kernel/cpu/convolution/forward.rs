//! The forward pass, and the moments of each channel on the way.

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::normalise::Moments;
use super::super::shared::Shared;
use super::Convolution;
use super::correlate::Correlation;
use super::pack::Order;
use super::winograd::Winograd;
use crate::parallel::for_each;

/// Pixels whose moments are taken at once, while they are in the first-level cache.
const BLOCK: usize = 64;

impl Convolution {
    fn correlation(&self, group: usize) -> Correlation {
        let (input, output) = (self.input / self.groups, self.output / self.groups);
        Correlation {
            batch: self.batch,
            source: [self.height, self.width, self.input],
            channels: [group * input, input],
            window: [self.kernel; 2],
            origin: [-(self.padding as isize); 2],
            stride: self.stride,
            count: [self.output_height(), self.output_width()],
            destination: [self.output_height(), self.output_width(), self.output],
            first: [0; 2],
            step: 1,
            columns: [group * output, output],
        }
    }

    /// The order of a group's weights, for sums over taps and input channels. `places` counts the taps.
    pub(super) fn order<'a>(&self, places: &'a [usize]) -> Order<'a> {
        let input = self.input / self.groups;
        Order {
            columns: (self.output / self.groups, input * places.len()),
            channels: (input, places.len()),
            taps: places,
        }
    }

    /// The geometry of a group, for the weight gradient.
    pub(super) fn windows(&self, group: usize) -> Correlation {
        self.correlation(group)
    }
}

/// `values = images * weights + bias`. With `moments`, the mean and the biased variance of every channel
/// of the values: `[output]` each.
pub(crate) fn forward(
    kernels: &Kernels,
    shape: &Convolution,
    images: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    values: &mut [f32],
    moments: Option<(&mut [f32], &mut [f32])>,
) {
    shape.check(images.len(), values.len(), weights.len());
    let output = shape.output / shape.groups;
    let depth = shape.weight_len() / shape.output;
    let places: Vec<usize> = (0..shape.kernel * shape.kernel).collect();
    let padded = output.next_multiple_of(kernels.panel);
    let values = Shared::new(values);
    // Mean and squares of each chunk: the chunks are the same for every group.
    let winograd = Winograd::of(&shape.correlation(0));
    let chunks = winograd.map_or_else(|| shape.correlation(0).chunks(), |winograd| winograd.chunks());
    let wanted = if moments.is_some() { chunks.len() * 2 * shape.output } else { 0 };
    let mut partial = Buffer::new(wanted);
    partial.fill(0.0);
    let partials = Shared::new(&mut partial);
    let mut biases = Buffer::new(padded);
    let pixels = shape.output_height() * shape.output_width();
    for group in 0..shape.groups {
        let first = group * output;
        biases.fill(0.0);
        if let Some(bias) = bias {
            biases[..output].copy_from_slice(&bias[first..first + output]);
        }
        let weights = (&shape.order(&places), &weights[first * depth..]);
        shape.correlation(group).run(kernels, images, weights, &biases, values, |chunk, columns| {
            if wanted == 0 {
                return;
            }
            let Ok(place) = chunks.binary_search_by_key(&(chunk.image, chunk.row), |c| (c.image, c.row))
            else {
                unreachable!("the chunks are those of the first group");
            };
            let start = (chunk.image * pixels + chunk.row * shape.output_width()) * shape.output;
            let count = chunk.images * chunk.rows * shape.output_width();
            for before in (0..count).step_by(BLOCK) {
                let channel = first + columns.start;
                // SAFETY: these pixels and columns have just been written by this piece of work; the moments of a
                // chunk's columns are its own.
                unsafe {
                    (kernels.moments)(&Moments {
                        values: values.at(start + before * shape.output + channel),
                        pixels: BLOCK.min(count - before),
                        stride: shape.output,
                        channels: columns.len(),
                        before,
                        mean: partials.at(place * 2 * shape.output + channel),
                        squares: partials.at((place * 2 + 1) * shape.output + channel),
                    });
                }
            }
        });
    }
    if let Some((mean, variance)) = moments {
        let counts: Vec<f64> =
            chunks.iter().map(|c| (c.images * c.rows * shape.output_width()) as f64).collect();
        combine(&partial, &counts, mean, variance);
    }
}

/// Merges the moments of chunks in their order, in double precision.
fn combine(partial: &[f32], counts: &[f64], mean: &mut [f32], variance: &mut [f32]) {
    let channels = mean.len();
    let (means, variances) = (Shared::new(mean), Shared::new(variance));
    const BLOCK: usize = 64;
    for_each(channels.div_ceil(BLOCK), |block| {
        for c in block * BLOCK..channels.min((block + 1) * BLOCK) {
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for (chunk, &new) in partial.chunks_exact(2 * channels).zip(counts) {
                let delta = f64::from(chunk[c]) - mean;
                let total = count + new;
                mean += delta * new / total;
                squares += f64::from(chunk[channels + c]) + delta * delta * count * new / total;
                count = total;
            }
            // SAFETY: each piece writes its own channels.
            unsafe {
                *means.at(c) = mean as f32;
                *variances.at(c) = (squares / count) as f32;
            }
        }
    });
}
