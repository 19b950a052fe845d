//! The gradient of the images: each pixel gathers from the outputs that it took part in.
//!
//! With a stride `s`, the pixels of one residue modulo `s` in rows and columns meet the same taps, so the gradient
//! is `s * s` correlations of stride 1, each with its own part of the kernel.

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::shared::Shared;
use super::geometry::Correlation;
use super::pack::Order;
use super::shape::Convolution;

/// The taps that pixels of one residue meet, along one axis.
struct Taps {
    /// The first tap; the others follow in steps of the stride.
    first: usize,
    count: usize,
    /// The output of the first pixel's first tap.
    output: isize,
    /// Pixels of this residue.
    pixels: usize,
}

impl Convolution {
    fn taps(&self, residue: usize, length: usize) -> Taps {
        let first = (residue + self.padding) % self.stride;
        Taps {
            first,
            count: self.kernel.saturating_sub(first).div_ceil(self.stride),
            output: ((residue + self.padding) / self.stride) as isize,
            pixels: length.saturating_sub(residue).div_ceil(self.stride),
        }
    }
}

/// `gradient = d loss / d images`, from that of the values.
pub(crate) fn input_gradient(
    kernels: &Kernels,
    shape: &Convolution,
    values: &[f32],
    weights: &[f32],
    gradient: &mut [f32],
) {
    shape.check(gradient.len(), values.len(), weights.len());
    let side = shape.kernel;
    let mut bias = Buffer::new(shape.input.next_multiple_of(kernels.panel));
    bias.fill(0.0);
    let residues: Vec<Taps> = (0..shape.stride).map(|r| shape.taps(r, shape.height)).collect();
    let columns: Vec<Taps> = (0..shape.stride).map(|r| shape.taps(r, shape.width)).collect();
    if residues.iter().chain(&columns).any(|taps| taps.count == 0) {
        gradient.fill(0.0);
    }
    let gradient = Shared::new(gradient);
    for (row, vertical) in residues.iter().enumerate() {
        for (column, horizontal) in columns.iter().enumerate() {
            let window = [vertical.count, horizontal.count];
            if window.contains(&0) {
                continue;
            }
            // The last tap comes first: the gradient is turned by 180 degrees.
            let place = |tap: usize| {
                let y = vertical.first + (window[0] - 1 - tap / window[1]) * shape.stride;
                let x = horizontal.first + (window[1] - 1 - tap % window[1]) * shape.stride;
                y * side + x
            };
            let taps: Vec<usize> = (0..window[0] * window[1]).map(place).collect();
            let order = Order {
                columns: (shape.input, side * side),
                channels: (shape.output, shape.input * side * side),
                taps: &taps,
            };
            let correlation = Correlation {
                batch: shape.batch,
                source: [shape.output_height(), shape.output_width()],
                channels: shape.output,
                window,
                origin: [
                    vertical.output - (window[0] as isize - 1),
                    horizontal.output - (window[1] as isize - 1),
                ],
                stride: 1,
                count: [vertical.pixels, horizontal.pixels],
                destination: [shape.height, shape.width],
                columns: shape.input,
                first: [row, column],
                step: shape.stride,
            };
            correlation.run(kernels, values, (&order, weights), &bias, gradient, |_, _| {});
        }
    }
}
