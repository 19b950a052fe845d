//! The forward pass, and the moments of each channel on the way.

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::normalise::Moments;
use super::super::shared::Shared;
use super::Convolution;
use super::correlate::Correlation;
use super::pack::Order;
use crate::parallel::for_each;

/// Pixels whose moments are taken at once, while they are in the first-level cache.
const BLOCK: usize = 64;

impl Convolution {
    /// The geometry of the forward pass, and of the weight gradient.
    pub(super) fn correlation(&self) -> Correlation {
        Correlation {
            batch: self.batch,
            source: [self.height, self.width],
            channels: self.input,
            window: [self.kernel; 2],
            origin: [-(self.padding as isize); 2],
            stride: self.stride,
            count: [self.output_height(), self.output_width()],
            destination: [self.output_height(), self.output_width()],
            columns: self.output,
            first: [0; 2],
            step: 1,
        }
    }

    /// The order of the weights, for sums over taps and input channels. `places` counts the taps.
    pub(super) fn order<'a>(&self, places: &'a [usize]) -> Order<'a> {
        Order {
            columns: (self.output, self.input * places.len()),
            channels: (self.input, places.len()),
            taps: places,
        }
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
    let places: Vec<usize> = (0..shape.kernel * shape.kernel).collect();
    let mut biases = Buffer::new(shape.output.next_multiple_of(kernels.panel));
    biases.fill(0.0);
    if let Some(bias) = bias {
        biases[..shape.output].copy_from_slice(bias);
    }
    let values = Shared::new(values);
    let correlation = shape.correlation();
    // Mean and squares of each chunk.
    let chunks = correlation.chunks();
    let wanted = if moments.is_some() { chunks.len() * 2 * shape.output } else { 0 };
    let mut partial = Buffer::new(wanted);
    partial.fill(0.0);
    let partials = Shared::new(&mut partial);
    let pixels = shape.output_height() * shape.output_width();
    let weights = (&shape.order(&places), weights);
    correlation.run(kernels, images, weights, &biases, values, |place, columns| {
        if wanted == 0 {
            return;
        }
        let chunk = &chunks[place];
        let start = (chunk.image * pixels + chunk.row * shape.output_width()) * shape.output;
        let count = chunk.images * chunk.rows * shape.output_width();
        for before in (0..count).step_by(BLOCK) {
            // SAFETY: these pixels and columns have just been written by this piece of work; the moments of a chunk's
            // columns are its own.
            unsafe {
                (kernels.moments)(&Moments {
                    values: values.at(start + before * shape.output + columns.start),
                    pixels: BLOCK.min(count - before),
                    stride: shape.output,
                    channels: columns.len(),
                    before,
                    mean: partials.at(place * 2 * shape.output + columns.start),
                    squares: partials.at((place * 2 + 1) * shape.output + columns.start),
                });
            }
        }
    });
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
