//! The sizes of a convolution.

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

    pub(super) fn check(&self, input: usize, output: usize, weights: usize) {
        assert!(self.stride > 0 && self.kernel > 0, "{self:?}");
        assert!(self.kernel <= self.height.min(self.width) + 2 * self.padding, "{self:?}");
        assert_eq!(input, self.input_len(), "{self:?}");
        assert_eq!(output, self.output_len(), "{self:?}");
        assert_eq!(weights, self.weight_len(), "{self:?}");
    }
}
