//! Convolution of images in channels-last layout: forward, input gradient, weight gradient.
//!
//! All three are sums over taps of small matrix products. Each is brought into the shape of one of the two tiles in
//! `tile.rs` by copying a few rows of images at a time, with a border of zeros, into memory that stays in
//! the cache; weights are packed into panels as wide as a tile. Work is cut by shape alone, so results
//! do not depend on the number of threads.

mod correlate;
mod forward;
mod input_gradient;
mod pack;
mod single;
mod weight_gradient;
mod winograd;

pub(crate) use forward::{forward, forward_by_image};
pub(crate) use input_gradient::input_gradient;
pub(crate) use single::Single;
pub(crate) use weight_gradient::{channel_sums, weight_gradient, weight_gradient_by_image};
pub(super) use winograd::transform;

/// A convolution: images `[batch, height, width, input]`, weights `[output, input, kernel, kernel]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Convolution {
    pub(crate) batch: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Convolution {
    pub(crate) fn output_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    pub(crate) fn output_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Floats of the input.
    pub(crate) fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.input
    }

    /// Floats of the output.
    pub(crate) fn output_len(&self) -> usize {
        self.batch * self.output_height() * self.output_width() * self.output
    }

    /// Floats of the weights.
    pub(crate) fn weight_len(&self) -> usize {
        self.output * self.input * self.kernel * self.kernel
    }

    /// Multiply-adds of one pass times two.
    pub(crate) fn flops(&self) -> f64 {
        2.0 * self.output_len() as f64 * (self.weight_len() / self.output) as f64
    }

    fn check(&self, input: usize, output: usize, weights: usize) {
        assert!(self.stride > 0 && self.kernel > 0, "{self:?}");
        assert!(self.kernel <= self.height.min(self.width) + 2 * self.padding, "{self:?}");
        assert_eq!(input, self.input_len(), "{self:?}");
        assert_eq!(output, self.output_len(), "{self:?}");
        assert_eq!(weights, self.weight_len(), "{self:?}");
    }
}

#[cfg(test)]
mod tests;
