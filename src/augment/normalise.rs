//! From bytes to the numbers a model reads: channel-wise `(v / 255 - mean) / std`.

use crate::data::{DataError, Source};
use crate::parallel::{self, Failures};

/// The order of a float batch in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[batch, 3, height, width]`: three planes an image.
    Nchw,
    /// `[batch, height, width, 3]`: channels of a pixel side by side.
    Nhwc,
}

/// Mean and standard deviation of each channel, for values scaled to `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalise {
    /// Mean of R, G, B.
    pub mean: [f32; 3],
    /// Standard deviation of R, G, B.
    pub std: [f32; 3],
}

impl Normalise {
    /// The constants of ImageNet, used for nearly everything else as well.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    /// `(gain, offset)` of each channel such that a byte `v` becomes `v * gain + offset`.
    pub fn affine(&self) -> [(f32, f32); 3] {
        [0, 1, 2].map(|c| {
            let (mean, std) = (f64::from(self.mean[c]), f64::from(self.std[c]));
            ((1.0 / (255.0 * std)) as f32, (-mean / std) as f32)
        })
    }
}

/// Writes the images `indices` of a source, whole and at their own size, into a float batch for evaluation. `out` holds
/// `indices.len()` × 3 × side × side numbers in `layout`.
///
/// # Errors
/// [`DataError`] when an image cannot be read: of several, that of the lowest number. The content of `out` is then undefined.
///
/// # Panics
/// When `out` has another size or there is no such image.
pub fn normalise_into(
    source: &dyn Source,
    indices: &[u32],
    normalise: &Normalise,
    layout: Layout,
    out: &mut [f32],
) -> Result<(), DataError> {
    let floats = 3 * source.side() as usize * source.side() as usize;
    assert_eq!(out.len(), indices.len() * floats, "one place for each channel of each pixel");
    if indices.is_empty() {
        return Ok(());
    }
    let (constants, failures) = (Affine::new(normalise), Failures::default());
    parallel::for_each_chunk(indices, out, floats, Vec::new, |buffer, &index, out| {
        let fetched = source.fetch(index as usize, buffer);
        let Some(pixels) = failures.kept(index, fetched) else { return };
        match layout {
            Layout::Nhwc => constants.convert(pixels, out),
            Layout::Nchw => {
                let planes = out.chunks_exact_mut(floats / 3);
                for (channel, (plane, (gain, offset))) in planes.zip(normalise.affine()).enumerate() {
                    for (value, pixel) in plane.iter_mut().zip(pixels.chunks_exact(3)) {
                        *value = f32::from(pixel[channel]) * gain + offset;
                    }
                }
            }
        }
    });
    failures.first()
}

/// Sixteen pixels: the shortest run of RGB that fills whole vectors of bytes.
const BLOCK: usize = 48;

/// The constants of a [`Normalise`], repeated over a block of interleaved pixels.
pub(super) struct Affine {
    gain: [f32; BLOCK],
    offset: [f32; BLOCK],
}

impl Affine {
    pub(super) fn new(normalise: &Normalise) -> Self {
        let affine = normalise.affine();
        Self {
            gain: std::array::from_fn(|k| affine[k % 3].0),
            offset: std::array::from_fn(|k| affine[k % 3].1),
        }
    }

    /// Interleaved bytes to interleaved normalised floats; both begin with the red of a pixel.
    #[inline(always)]
    pub(super) fn convert(&self, pixels: &[u8], out: &mut [f32]) {
        let (blocks, rest) = pixels.as_chunks::<BLOCK>();
        let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
        for (out, block) in out_blocks.iter_mut().zip(blocks) {
            for k in 0..BLOCK {
                out[k] = f32::from(block[k]) * self.gain[k] + self.offset[k];
            }
        }
        for (k, (out, &value)) in out_rest.iter_mut().zip(rest).enumerate() {
            *out = f32::from(value) * self.gain[k] + self.offset[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageSet;

    #[test]
    fn a_normalised_image_has_the_textbook_values_in_both_layouts() {
        let side = 5;
        let pixels: Vec<u8> = (0..2 * side * side * 3).map(|k| (k * 37 % 256) as u8).collect();
        let set = ImageSet::from_parts(side, pixels, vec![0, 1]).expect("two images");
        let area = (side * side) as usize;
        let mut nchw = vec![0.0; 3 * 3 * area];
        let mut nhwc = nchw.clone();
        let indices = [1, 0, 1];
        normalise_into(&set, &indices, &Normalise::IMAGENET, Layout::Nchw, &mut nchw)
            .expect("memory does not fail");
        normalise_into(&set, &indices, &Normalise::IMAGENET, Layout::Nhwc, &mut nhwc)
            .expect("memory does not fail");
        for (place, &index) in indices.iter().enumerate() {
            for pixel in 0..area {
                for c in 0..3 {
                    let value = f64::from(set.image(index as usize)[pixel * 3 + c]) / 255.0;
                    let (mean, std) = (Normalise::IMAGENET.mean[c], Normalise::IMAGENET.std[c]);
                    let expected = ((value - f64::from(mean)) / f64::from(std)) as f32;
                    let (a, b) = (nchw[(place * 3 + c) * area + pixel], nhwc[(place * area + pixel) * 3 + c]);
                    assert_eq!(a, b);
                    assert!((a - expected).abs() < 1e-6, "{a} {expected}");
                }
            }
        }
    }
}
