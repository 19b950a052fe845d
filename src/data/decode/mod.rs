//! From the bytes of an image file to pixels.

mod complete;
mod error;

#[cfg(test)]
mod fixtures;
mod format;
mod gif;
#[cfg(test)]
mod grid;
mod header;
mod jpeg;
mod limits;
mod orientation;
mod planes;
mod rgb;
mod scans;
mod unread;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use self::complete::webp_is_complete;
pub use self::error::DecodeError;
use self::format::{decoder, explain, format_of, name};
use self::gif::reaches_beyond;
pub use self::header::{Header, probe, within};
use self::header::{announced, jpeg_header, png_header};
use self::jpeg::Jpeg;
pub use self::limits::Limits;
use self::rgb::into_rgb;
use super::Image;

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
    let (mut decoded, orientation) = match format {
        ImageFormat::Jpeg => from_jpeg(bytes, limits)?,
        _ => (from_file(bytes, format, limits)?, orientation::of_file(bytes, format)),
    };
    decoded.apply_orientation(orientation);

    let (width, height) = (decoded.width(), decoded.height());
    let damaged = |reason: String| DecodeError::Damaged { format: name(format), reason };
    let rgb = into_rgb(decoded).ok_or_else(|| damaged("its channels are floats".to_owned()))?;
    Image::new(width, height, rgb).map_err(|error| damaged(error.to_string()))
}

fn from_jpeg(bytes: &[u8], limits: &Limits) -> Result<(DynamicImage, Orientation), DecodeError> {
    within(&jpeg_header(&Jpeg::head(bytes)?.frame), limits)?;
    let jpeg = Jpeg::whole(bytes)?;
    let (width, height) = (u32::from(jpeg.frame.width), u32::from(jpeg.frame.height));
    let rgb = RgbImage::from_raw(width, height, scans::pixels(&jpeg)?)
        .ok_or_else(|| jpeg::damaged("it has fewer pixels than it says"))?;
    Ok((DynamicImage::ImageRgb8(rgb), orientation::of_jpeg(&jpeg)))
}

fn from_file(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<DynamicImage, DecodeError> {
    // The other decoders notice by themselves.
    if format == ImageFormat::WebP && !webp_is_complete(bytes) {
        return Err(DecodeError::Truncated { format: name(format) });
    }
    if format == ImageFormat::Gif && reaches_beyond(bytes) {
        return Err(DecodeError::Unsupported {
            format: name(format),
            reason: "a GIF whose picture reaches beyond its screen is not read; convert it to PNG".to_owned(),
        });
    }
    if let Some(header) = png_header(bytes, format) {
        within(&header, limits)?;
    }
    let mut decoder = decoder(bytes, format, limits)?;
    within(&announced(&mut decoder, format), limits)?;
    DynamicImage::from_decoder(decoder).map_err(|error| explain(format, error))
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
    }
}
