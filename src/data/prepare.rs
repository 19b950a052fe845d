//! From the bytes of an image file to pixels of one size, with what tells the file from others.

use super::{ContentHash, CropFrom, DecodeError, Filter, Fit, Image, Limits, Look, Resizer, decode};

/// Steps that bring an image to the size of its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Width and height in pixels.
    pub side: u32,
    /// Way in which an image becomes square.
    pub fit: Fit,
    /// Kernel of the resize.
    pub filter: Filter,
    /// Instead of `fit`: bring the short side to this and cut out the centre, as the field does with
    /// validation images. At least `side`.
    pub val_short: Option<u32>,
    /// What training views are cut out of: the image at the size of the set, or as it was decoded.
    pub crop_from: CropFrom,
    /// Largest size of an image that is read.
    pub limits: Limits,
}

impl Preparation {
    /// The whole image at a side, as training images are read.
    pub fn whole(side: u32) -> Self {
        let (fit, filter) = (Fit::Squash, Filter::Lanczos3);
        let (crop_from, limits) = (CropFrom::Square, Limits::default());
        Self { side, fit, filter, val_short: None, crop_from, limits }
    }
}

/// Everything that pixels depend on besides a file, for [`fingerprint_of_files`](super::fingerprint_of_files).
impl std::fmt::Display for Preparation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { side, fit, filter, val_short, crop_from, limits } = self;
        let Limits { max_width, max_height, max_bytes } = limits;
        write!(f, "form 1, {side} px, {fit:?}, {filter:?}, ")?;
        write!(f, "{}, {max_width}x{max_height}, {max_bytes} B", val_short.unwrap_or(0))?;
        match crop_from {
            // What runs of earlier versions kept still fits.
            CropFrom::Square => Ok(()),
            CropFrom::Image => f.write_str(", views of the image"),
        }
    }
}

impl Preparation {
    /// Brings a decoded image to the size, into `out`, `side` × `side` × 3 bytes.
    ///
    /// # Panics
    /// When `out` has another size, or the side is 0 or larger than `val_short`.
    pub fn apply(&self, image: &Image, resizer: &mut Resizer, out: &mut [u8]) {
        let side = self.side;
        match self.val_short {
            Some(short) => resizer.resize_short_then_centre_crop_into(image, short, side, self.filter, out),
            None => {
                let from = (image.width(), image.height());
                resizer.resize_into(image.pixels(), from, (side, side), self.fit, self.filter, out);
            }
        }
    }
}

/// Hash and look of a file, which are kept beside its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Hash of the file's bytes.
    pub hash: ContentHash,
    /// Look of the image before it is resized: the same however it is prepared.
    pub look: Look,
}

/// Decodes and resizes an image file into `out`, `side` × `side` × 3 bytes.
///
/// # Errors
/// [`DecodeError`]; `out` is then as it was.
///
/// # Panics
/// When `out` has another size, or the side is 0 or larger than `val_short`.
pub fn prepare(
    bytes: &[u8],
    how: &Preparation,
    resizer: &mut Resizer,
    out: &mut [u8],
) -> Result<Prepared, DecodeError> {
    let image = decode(bytes, &how.limits)?;
    how.apply(&image, resizer, out);
    Ok(Prepared { hash: ContentHash::of(bytes), look: Look::of(&image) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = include_bytes!("../../tests/data/decode/baseline.jpg");

    #[test]
    fn a_prepared_image_is_the_decoded_one_resized() {
        let mut out = vec![0; 16 * 16 * 3];
        let prepared = prepare(JPEG, &Preparation::whole(16), &mut Resizer::new(), &mut out).unwrap();
        let image = decode(JPEG, &Limits::default()).unwrap();
        let resized = Resizer::new().resize(&image, 16, 16, Fit::Squash, Filter::Lanczos3);
        assert_eq!(out, resized.pixels());
        assert_eq!(prepared.hash, ContentHash::of(JPEG));
        assert_eq!(prepared.look, Look::of(&image));
    }
}
