//! The values of one image at a time, of convolutions of so few products that computing values again costs less than
//! keeping them.

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::shared::Shared;
use super::forward::{joined, take};
use super::geometry::{Chunk, Correlation};
use super::shape::Convolution;

/// The most products a value for which that holds: on two cores that make 200 GFLOP/s and read 12 GB/s, 27 products take
/// 0.3 ns, a value written, and read once more, 1 ns.
const FEW: usize = 32;

impl Convolution {
    /// `true` where a value has so few products that computing it again costs less than keeping it.
    pub(crate) fn is_made_again(&self) -> bool {
        self.kernel * self.kernel * self.input <= FEW
    }
}

/// The convolution of one image with weights that are packed once for all.
pub(crate) struct Single<'a> {
    kernels: &'a Kernels,
    shape: Convolution,
    correlation: Correlation,
    chunks: Vec<Chunk>,
    packed: Buffer,
    bias: Buffer,
}

impl<'a> Single<'a> {
    /// For an image of the convolution's batch. Not in squares.
    pub(crate) fn new(kernels: &'a Kernels, shape: &Convolution, weights: &[f32]) -> Self {
        let shape = Convolution { batch: 1, ..*shape };
        let correlation = shape.correlation();
        let chunks = correlation.chunks();
        let places: Vec<usize> = (0..shape.kernel * shape.kernel).collect();
        let packed = correlation.packed(kernels, (&shape.order(&places), weights));
        let mut bias = Buffer::new(shape.output.next_multiple_of(kernels.panel));
        bias.fill(0.0);
        Self { kernels, shape, correlation, chunks, packed, bias }
    }

    /// The values of an image of a batch. With `moments`, the mean and the biased variance of each of its channels, too.
    pub(crate) fn values(
        &self,
        images: &[f32],
        image: usize,
        values: &mut [f32],
        moments: Option<[&mut [f32]; 2]>,
    ) {
        let (shape, kernels) = (&self.shape, self.kernels);
        let images = &images[image * shape.input_len()..][..shape.input_len()];
        assert_eq!(values.len(), shape.output_len());
        let values = Shared::new(values);
        let panels = shape.output.div_ceil(kernels.panel);
        let mut partial = Buffer::new(if moments.is_some() { 2 * shape.output } else { 0 });
        partial.fill(0.0);
        let wanted = !partial.is_empty();
        let partials = Shared::new(&mut partial);
        for chunk in &self.chunks {
            // SAFETY: nobody else has this image's values and moments.
            unsafe {
                self.correlation.compute(
                    kernels,
                    images,
                    (&self.packed, &self.bias),
                    chunk,
                    0..panels,
                    values,
                );
                if wanted {
                    let pixels = shape.pixels(chunk);
                    let known = pixels.start;
                    take(kernels, shape, (values, pixels), 0..shape.output, (partials, 0), known);
                }
            }
        }
        if let Some([mean, variance]) = moments {
            let count = [(shape.output_len() / shape.output) as f64];
            for (c, (mean, variance)) in mean.iter_mut().zip(variance).enumerate() {
                [*mean, *variance] = joined(&partial, &count, shape.output, c);
            }
        }
    }
}
