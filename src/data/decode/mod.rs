//! From the bytes of an image file to pixels.

mod complete;

impl Faulty for DecodeError {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}

#[cfg(test)]
mod fixtures;
mod header;
mod rgb;

use crate::fault::{Fault, Faulty};
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use self::complete::{jpeg_is_complete, webp_is_complete};
pub use self::header::{Header, Limits, probe, within};
use self::header::{announced, png_header};
use self::rgb::into_rgb;
use super::Image;

/// Reason for which a file is no image that can be used. The caller knows the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The content begins like no image format.
    #[error("this is not an image; JPEG, PNG, WebP, BMP and GIF are read")]
    UnknownFormat,
    /// An image format that is not read.
    #[error("{format} images are not read; convert it to JPEG or PNG")]
    Unsupported {
        /// Name of the format.
        format: String,
    },
    /// More pixels than the limits allow.
    #[error("{width}x{height} pixels ({bytes} bytes) exceed the limit of {}x{} pixels and {} bytes",
        limits.max_width, limits.max_height, limits.max_bytes)]
    TooLarge {
        /// Width the file announces, in pixels.
        width: u32,
        /// Height the file announces, in pixels.
        height: u32,
        /// Bytes of decoded pixels the file announces.
        bytes: u64,
        /// Largest size that is allowed.
        limits: Limits,
    },
    /// The file ends before its image does.
    #[error("the {format} file ends before its image is complete")]
    Truncated {
        /// Name of the format.
        format: String,
    },
    /// The content breaks the rules of its format.
    #[error("the {format} file is damaged: {reason}")]
    Damaged {
        /// Name of the format.
        format: String,
        /// Message of the decoder.
        reason: String,
    },
}

/// Decodes a JPEG, PNG, WebP, BMP or GIF file.
///
/// The type is told by the content, never by the file's name: ImageNet itself holds a PNG called
/// `.JPEG`. Whatever the file holds comes out as RGB of 8 bits a channel: 16 bit channels are rounded to
/// the nearest of the 256 levels, gray is spread over three channels, CMYK converted, transparency laid
/// over white, an animation reduced to its first frame, and the picture turned as its EXIF orientation
/// says.
///
/// # Errors
/// A file that is no image, exceeds `limits`, is damaged, or is cut short. A JPEG without its end
/// marker counts as cut short, as it does for Pillow, because its missing part would otherwise be
/// taken for gray.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, DecodeError> {
    let format = format_of(bytes)?;
    let complete = match format {
        ImageFormat::Jpeg => jpeg_is_complete(bytes),
        ImageFormat::WebP => webp_is_complete(bytes),
        // These decoders notice by themselves.
        _ => true,
    };
    if !complete {
        return Err(DecodeError::Truncated { format: name(format) });
    }

    if let Some(header) = png_header(bytes, format) {
        within(&header, limits)?;
    }
    let mut decoder = decoder(bytes, format, limits)?;
    within(&announced(&mut decoder, format), limits)?;
    // Broken metadata does not make the pixels wrong.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|error| explain(format, error))?;
    decoded.apply_orientation(orientation);

    let (width, height) = (decoded.width(), decoded.height());
    let rgb = into_rgb(decoded).ok_or_else(|| DecodeError::Unsupported { format: name(format) })?;
    Image::new(width, height, rgb)
        .map_err(|error| DecodeError::Damaged { format: name(format), reason: error.to_string() })
}

fn format_of(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    image::guess_format(bytes).map_err(|_| DecodeError::UnknownFormat)
}

/// A decoder that has read the header.
fn decoder<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<impl ImageDecoder + 'a, DecodeError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The sides are checked in `within`, where the message can name them.
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc = Some(limits.max_bytes);
    reader.limits(allowed);
    reader.into_decoder().map_err(|error| explain(format, error))
}

fn name(format: ImageFormat) -> String {
    match format {
        ImageFormat::WebP => "WebP".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    }
}

fn explain(format: ImageFormat, error: ImageError) -> DecodeError {
    let format = name(format);
    match error {
        ImageError::Unsupported(_) => DecodeError::Unsupported { format },
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format }
        }
        other => DecodeError::Damaged { format, reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{FIXTURES, decoded};
    use super::*;

    #[test]
    fn every_variant_decodes_to_the_pixels_of_an_independent_decoder() {
        for fixture in FIXTURES {
            let image = decoded(fixture.file).unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
            let (size, expected) = fixture.expected.split_at(8);
            let size = [image.width().to_le_bytes(), image.height().to_le_bytes()].concat() == size;
            assert!(size, "{}: {}x{}", fixture.name, image.width(), image.height());
            let worst = image.pixels().iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
            assert!(worst <= fixture.tolerance, "{} is off by {worst}", fixture.name);
        }
    }

    #[test]
    fn a_file_cut_short_anywhere_never_gives_other_pixels_and_never_panics() {
        for fixture in FIXTURES {
            let whole = decoded(fixture.file).unwrap();
            let mut errors = 0;
            for end in 0..fixture.file.len() {
                match decoded(&fixture.file[..end]) {
                    Err(_) => errors += 1,
                    // Nothing but a trailer, or a later frame, was lost.
                    Ok(image) => assert!(image == whole, "{} cut at {end}", fixture.name),
                }
            }
            assert!(errors * 3 > fixture.file.len(), "{}: {errors} errors", fixture.name);
        }
    }

    #[test]
    fn flipped_bits_never_panic() {
        for fixture in FIXTURES {
            let mut file = fixture.file.to_vec();
            for at in 0..file.len() {
                let bit = 1 << (at % 8);
                file[at] ^= bit;
                // Anything but a panic will do: a flipped bit may be a lawful other image.
                let _ = decode(&file, &Limits { max_width: 256, max_height: 256, max_bytes: 1 << 18 });
                file[at] ^= bit;
            }
        }
    }

    #[test]
    fn what_is_no_image_is_told_apart() {
        assert_eq!(decoded(b""), Err(DecodeError::Empty));
        assert_eq!(decoded(b"path,class\na.jpg,0\n"), Err(DecodeError::UnknownFormat));
        assert_eq!(
            decoded(b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0"),
            Err(DecodeError::Unsupported { format: "TIFF".to_owned() })
        );
    }
}
