//! The forward pass, and the moments of each channel on the way: of the batch, or of each image.

use core::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::normalise::Moments;
use super::super::shared::Shared;
use super::geometry::{Chunk, Correlation};
use super::pack::Order;
use super::shape::Convolution;
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
    let values = Shared::new(values);
    // Mean and squares of each chunk.
    let chunks = shape.correlation().chunks();
    let wanted = if moments.is_some() { chunks.len() * 2 * shape.output } else { 0 };
    let mut partial = Buffer::new(wanted);
    partial.fill(0.0);
    let partials = Shared::new(&mut partial);
    run(kernels, shape, (images, weights, bias), values, |place, columns| {
        if wanted > 0 {
            let pixels = shape.pixels(&chunks[place]);
            // SAFETY: these pixels and columns have just been written by this piece of work; the moments of a chunk's
            // columns are its own.
            unsafe { take(kernels, shape, (values, pixels), columns, (partials, place), 0) };
        }
    });
    if let Some((mean, variance)) = moments {
        let counts: Vec<f64> = chunks.iter().map(|chunk| shape.pixels(chunk).len() as f64).collect();
        combine(&partial, &counts, mean, variance);
    }
}

/// `values = images * weights`, and the mean and the biased variance of every channel of each image: `[batch, output]` each.
///
/// `done` is told an image's number, its values and its moments once they are there; by the piece of work that computed the
/// last of them, where the pieces compute all channels of their pixels, so that the values are in the cache.
pub(crate) fn forward_by_image(
    kernels: &Kernels,
    shape: &Convolution,
    images: &[f32],
    weights: &[f32],
    values: &mut [f32],
    moments: (&mut [f32], &mut [f32]),
    done: impl Fn(usize, &[f32], (&[f32], &[f32])) + Sync,
) {
    shape.check(images.len(), values.len(), weights.len());
    let channels = shape.output;
    assert_eq!((moments.0.len(), moments.1.len()), (shape.batch * channels, shape.batch * channels));
    let (mean, variance) = (Shared::new(moments.0), Shared::new(moments.1));
    let image_len = values.len() / shape.batch.max(1);
    let values = Shared::new(values);
    // Chunks are several images, or bands of one, of which each image has as many as the first.
    let chunks = shape.correlation().chunks();
    let bands = chunks.iter().take_while(|chunk| chunk.image == 0).count();
    let counts: Vec<f64> =
        chunks[..bands].iter().map(|band| (band.rows * shape.output_width()) as f64).collect();
    let mut partial = Buffer::new(shape.batch * bands * 2 * channels);
    partial.fill(0.0);
    let partials = Shared::new(&mut partial);
    let finish = |image: usize| {
        let (first, own) = (image * bands * 2 * channels, image * channels..(image + 1) * channels);
        // SAFETY: all pieces of work that write this image or its moments are done, and it is finished once.
        unsafe {
            let partial = partials.slice(first..first + bands * 2 * channels);
            let (mean, variance) = (mean.slice(own.clone()), variance.slice(own));
            for (c, (mean, variance)) in mean.iter_mut().zip(&mut *variance).enumerate() {
                [*mean, *variance] = joined(partial, &counts, channels, c);
            }
            done(image, values.slice(image * image_len..(image + 1) * image_len), (mean, variance));
        }
    };
    // Bands of each image that are not there yet.
    let missing: Vec<AtomicUsize> = (0..shape.batch).map(|_| AtomicUsize::new(bands)).collect();
    run(kernels, shape, (images, weights, None), values, |place, columns| {
        let (chunk, band) = (&chunks[place], place % bands);
        let mine = chunk.image..chunk.image + chunk.images;
        for (image, missing) in mine.clone().zip(&missing[mine]) {
            let pixels = shape.pixels(&Chunk { image, images: 1, ..*chunk });
            let partial = (partials, image * bands + band);
            // SAFETY: as in `forward`.
            unsafe { take(kernels, shape, (values, pixels), columns.clone(), partial, 0) };
            // Whoever takes the last one off sees what those before have written.
            if columns.len() == channels && missing.fetch_sub(1, Ordering::AcqRel) == 1 {
                finish(image);
            }
        }
    });
    for_each(shape.batch, |image| {
        if missing[image].load(Ordering::Relaxed) > 0 {
            finish(image);
        }
    });
}

impl Convolution {
    /// The pixels of a chunk of outputs, counted through the batch.
    pub(super) fn pixels(&self, chunk: &Chunk) -> Range<usize> {
        let start = (chunk.image * self.output_height() + chunk.row) * self.output_width();
        start..start + chunk.images * chunk.rows * self.output_width()
    }
}

/// Computes the values. `done` is told, within the piece of work that computed them, which columns of which chunk are there.
fn run(
    kernels: &Kernels,
    shape: &Convolution,
    (images, weights, bias): (&[f32], &[f32], Option<&[f32]>),
    values: Shared<'_, f32>,
    done: impl Fn(usize, Range<usize>) + Sync,
) {
    let places: Vec<usize> = (0..shape.kernel * shape.kernel).collect();
    let mut biases = Buffer::new(shape.output.next_multiple_of(kernels.panel));
    biases.fill(0.0);
    if let Some(bias) = bias {
        biases[..shape.output].copy_from_slice(bias);
    }
    let weights = (&shape.order(&places), weights);
    shape.correlation().run(kernels, images, weights, &biases, values, done);
}

/// Adds the moments of some columns of pixels to those at a place of `partials`, `[places, 2, output]`, which has
/// `known` pixels already.
///
/// # Safety
/// The pixels' columns are there, and these of the place are nobody else's.
pub(super) unsafe fn take(
    kernels: &Kernels,
    shape: &Convolution,
    (values, pixels): (Shared<'_, f32>, Range<usize>),
    columns: Range<usize>,
    (partials, place): (Shared<'_, f32>, usize),
    known: usize,
) {
    for before in (0..pixels.len()).step_by(BLOCK) {
        // SAFETY: passed on.
        unsafe {
            (kernels.moments)(&Moments {
                values: values.at((pixels.start + before) * shape.output + columns.start),
                pixels: BLOCK.min(pixels.len() - before),
                stride: shape.output,
                channels: columns.len(),
                before: known + before,
                mean: partials.at(place * 2 * shape.output + columns.start),
                squares: partials.at((place * 2 + 1) * shape.output + columns.start),
            });
        }
    }
}

/// Merges the moments of chunks in their order, in double precision.
fn combine(partial: &[f32], counts: &[f64], mean: &mut [f32], variance: &mut [f32]) {
    let channels = mean.len();
    let (means, variances) = (Shared::new(mean), Shared::new(variance));
    const BLOCK: usize = 64;
    for_each(channels.div_ceil(BLOCK), |block| {
        for c in block * BLOCK..channels.min((block + 1) * BLOCK) {
            // SAFETY: each piece writes its own channels.
            unsafe { [*means.at(c), *variances.at(c)] = joined(partial, counts, channels, c) };
        }
    });
}

/// Mean and biased variance of a channel of all chunks.
pub(super) fn joined(partial: &[f32], counts: &[f64], channels: usize, c: usize) -> [f32; 2] {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (chunk, &new) in partial.chunks_exact(2 * channels).zip(counts) {
        let delta = f64::from(chunk[c]) - mean;
        let total = count + new;
        mean += delta * new / total;
        squares += f64::from(chunk[channels + c]) + delta * delta * count * new / total;
        count = total;
    }
    [mean as f32, (squares / count) as f32]
}
