//! From the bytes of an image file to pixels.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::Image;

/// How large an image may be before it is refused; checked on the header, before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels in a row.
    pub max_width: u32,
    /// Most rows.
    pub max_height: u32,
    /// Most bytes of decoded pixels, as RGB or in the file's own channels and depth, whichever is more.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 32768 pixels a side, and 256 MiB in all: as RGB 89 megapixels, where Pillow too begins to
    /// suspect a decompression bomb.
    fn default() -> Self {
        Self { max_width: 32_768, max_height: 32_768, max_bytes: 256 << 20 }
    }
}

/// Why a file is no image that can be used. The file's name is known to the caller.
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
        /// What is allowed.
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
        /// What the decoder says.
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

/// What the header of an image file announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name of the format, such as `JPEG`.
    pub format: String,
    /// Width in pixels, before the picture is turned as its EXIF orientation says.
    pub width: u32,
    /// Height in pixels, before that turn.
    pub height: u32,
    /// Bytes of decoded pixels, as RGB or in the file's own channels and depth, whichever is more.
    pub bytes: u64,
}

/// Reads the header of an image file. No memory is taken for pixels, so that a file from anywhere can be looked at.
///
/// # Errors
/// A file that is no image, or whose header is damaged. Exceeding the limits is none: see [`within`].
pub fn probe(bytes: &[u8]) -> Result<Header, DecodeError> {
    let format = format_of(bytes)?;
    if let Some(header) = png_header(bytes, format)
        && within(&header, &Limits::default()).is_err()
    {
        return Ok(header);
    }
    // What a decoder itself may allocate for a header.
    let mut decoder = decoder(bytes, format, &Limits::default())?;
    Ok(announced(&mut decoder, format))
}

/// Checks an image against limits before it is decoded.
///
/// # Errors
/// [`DecodeError::TooLarge`].
pub fn within(header: &Header, limits: &Limits) -> Result<(), DecodeError> {
    let &Header { width, height, bytes, .. } = header;
    if width > limits.max_width || height > limits.max_height || bytes > limits.max_bytes {
        return Err(DecodeError::TooLarge { width, height, bytes, limits: *limits });
    }
    Ok(())
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

/// What a PNG announces. Its decoder refuses sizes beyond the address space without naming them, which on wasm is
/// 2 GiB.
fn png_header(bytes: &[u8], format: ImageFormat) -> Option<Header> {
    /// Where the first chunk's data lie, behind the signature, a length and a name.
    const IHDR: usize = 16;
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if format != ImageFormat::Png {
        return None;
    }
    let (width, height) = (number(IHDR)?, number(IHDR + 4)?);
    let (depth, colour) = (*bytes.get(IHDR + 8)?, *bytes.get(IHDR + 9)?);
    let channels: u64 = if colour & 4 == 0 { 3 } else { 4 };
    let pixels = u64::from(width).saturating_mul(u64::from(height));
    let bytes = pixels.saturating_mul(channels * u64::from(depth).div_ceil(8).max(1));
    Some(Header { format: name(format), width, height, bytes })
}

fn announced(decoder: &mut impl ImageDecoder, format: ImageFormat) -> Header {
    let (width, height) = decoder.dimensions();
    let bytes = decoder.total_bytes().max(u64::from(width) * u64::from(height) * 3);
    Header { format: name(format), width, height, bytes }
}

/// The pixels as RGB, transparency over white; `None` for floats, which none of the formats has. RGB of 8 bits, the
/// common case, is handed on uncopied. By hand, as `image`'s own conversions bring colour management with them: no
/// number would be another, but the edge package half as large again.
fn into_rgb(image: DynamicImage) -> Option<Vec<u8>> {
    Some(match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageLuma8(gray) => gray.as_raw().iter().flat_map(|&v| [v, v, v]).collect(),
        DynamicImage::ImageLumaA8(gray) => {
            let (pixels, _) = gray.as_raw().as_chunks::<2>();
            pixels.iter().flat_map(|&[v, a]| [over_white(v, a); 3]).collect()
        }
        DynamicImage::ImageRgba8(rgba) => {
            let (pixels, _) = rgba.as_raw().as_chunks::<4>();
            pixels.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|v| over_white(v, a))).collect()
        }
        DynamicImage::ImageLuma16(gray) => gray.as_raw().iter().flat_map(|&v| [to_8_bit(v); 3]).collect(),
        DynamicImage::ImageLumaA16(gray) => {
            let (pixels, _) = gray.as_raw().as_chunks::<2>();
            pixels.iter().flat_map(|&[v, a]| [over_white(to_8_bit(v), to_8_bit(a)); 3]).collect()
        }
        DynamicImage::ImageRgb16(rgb) => rgb.as_raw().iter().map(|&v| to_8_bit(v)).collect(),
        DynamicImage::ImageRgba16(rgba) => {
            let (pixels, _) = rgba.as_raw().as_chunks::<4>();
            let over = |[r, g, b, a]: [u16; 4]| [r, g, b].map(|v| over_white(to_8_bit(v), to_8_bit(a)));
            pixels.iter().flat_map(|&pixel| over(pixel)).collect()
        }
        _ => return None,
    })
}

/// The nearest of 256 levels.
fn to_8_bit(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// A channel of opacity `alpha` seen on white, rounded to the nearest level.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Whether an end-of-image marker follows the first scan.
///
/// The decoder is lenient and paints what is missing gray, so a file cut short is found here.
/// Entropy-coded data never holds `FF D9` (a byte `FF` is followed by a stuffed 0), and the search
/// runs from the end, where the marker nearly always is.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Marker segments up to the first scan are skipped: the thumbnail in an EXIF segment is a JPEG of
    // its own and ends with the same marker.
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        match (first, marker) {
            (0xFF, 0xDA) => return bytes[at..].windows(2).rev().any(|pair| pair == [0xFF, 0xD9]),
            // Fill bytes, and markers that have no segment.
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
            // Bytes between segments; decoders step over them.
            _ => at += 1,
        }
    }
    false
}

/// Whether the file is as long as its RIFF header says. The decoder does not miss what follows the
/// pixels, and there lies the orientation.
fn webp_is_complete(bytes: &[u8]) -> bool {
    match bytes.get(4..8).and_then(|size| size.try_into().ok()) {
        Some(size) => bytes.len() as u64 >= u64::from(u32::from_le_bytes(size)) + 8,
        None => false,
    }
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
    use super::*;

    /// A file and the pixels an independent decoder gives for it (`tests/golden/decode_fixtures.py`).
    struct Fixture {
        name: &'static str,
        file: &'static [u8],
        expected: &'static [u8],
        /// Largest allowed difference of a channel. JPEG and lossy WebP leave the inverse transform
        /// and the chroma interpolation to the decoder; everything else is exact.
        tolerance: u8,
    }

    macro_rules! fixture {
        ($name:literal, $tolerance:literal) => {
            Fixture {
                name: $name,
                file: include_bytes!(concat!("../../tests/data/decode/", $name)),
                expected: include_bytes!(concat!("../../tests/data/decode/", $name, ".rgb")),
                tolerance: $tolerance,
            }
        };
    }

    const FIXTURES: &[Fixture] = &[
        fixture!("baseline.jpg", 3),
        fixture!("subsampled.jpg", 4),
        fixture!("progressive.jpg", 3),
        fixture!("gray.jpg", 3),
        fixture!("cmyk.jpg", 4),
        fixture!("ycck.jpg", 4),
        fixture!("rgb.png", 0),
        fixture!("palette.png", 0),
        fixture!("palette_transparent.png", 0),
        fixture!("one_bit.png", 0),
        fixture!("gray_alpha.png", 0),
        fixture!("rgba.png", 0),
        fixture!("gray16.png", 0),
        fixture!("rgb16.png", 0),
        fixture!("interlaced.png", 0),
        fixture!("lossless.webp", 0),
        fixture!("alpha.webp", 0),
        fixture!("lossy.webp", 6),
        fixture!("rgb.bmp", 0),
        fixture!("palette.bmp", 0),
        fixture!("animated.gif", 0),
        fixture!("transparent.gif", 0),
        fixture!("orientation1.png", 0),
        fixture!("orientation2.png", 0),
        fixture!("orientation3.png", 0),
        fixture!("orientation4.png", 0),
        fixture!("orientation5.png", 0),
        fixture!("orientation6.png", 0),
        fixture!("orientation7.png", 0),
        fixture!("orientation8.png", 0),
        fixture!("orientation6.jpg", 3),
        fixture!("orientation8.webp", 0),
        fixture!("png_called.jpg", 0),
    ];

    fn decoded(bytes: &[u8]) -> Result<Image, DecodeError> {
        decode(bytes, &Limits::default())
    }

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
    fn a_jpeg_without_its_end_marker_is_cut_short_even_where_a_thumbnail_has_one() {
        let file = FIXTURES[0].file;
        let thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        let with_thumbnail = [&file[..2], &thumbnail, &file[2..]].concat();
        assert_eq!(decoded(&with_thumbnail), decoded(file));
        assert_eq!(
            decoded(&with_thumbnail[..with_thumbnail.len() - 2]),
            Err(DecodeError::Truncated { format: "JPEG".to_owned() })
        );
        // Cameras append to their files; that loses nothing.
        assert_eq!(decoded(&[file, &[0; 100]].concat()), decoded(file));
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

    /// A PNG of 30000 × 30000 pixels that announces its size and holds nothing.
    fn bomb() -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8; 4], data: &[u8]| {
            file.extend((data.len() as u32).to_be_bytes());
            let body = [&kind[..], data].concat();
            file.extend(&body);
            file.extend(crc32(&body).to_be_bytes());
        };
        chunk(b"IHDR", &[&30_000u32.to_be_bytes()[..], &30_000u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
        chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]);
        chunk(b"IEND", &[]);
        file
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
        })
    }

    #[test]
    fn a_decompression_bomb_is_refused_on_its_header() {
        let error = decoded(&bomb()).unwrap_err();
        let limits = Limits::default();
        assert_eq!(
            error,
            DecodeError::TooLarge { width: 30_000, height: 30_000, bytes: 2_700_000_000, limits }
        );
        assert!(error.to_string().starts_with("30000x30000 pixels"), "{error}");
    }

    #[test]
    fn a_header_tells_what_decoding_gives() {
        for fixture in FIXTURES {
            let header = probe(fixture.file).unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
            let image = decoded(fixture.file).unwrap();
            let sides = |a: u32, b: u32| [a.min(b), a.max(b)];
            assert_eq!(
                sides(header.width, header.height),
                sides(image.width(), image.height()),
                "{}: an orientation may only swap the sides",
                fixture.name
            );
            assert!(header.bytes >= image.pixels().len() as u64, "{}", fixture.name);
        }
        let header = probe(&bomb()).unwrap();
        assert_eq!((header.width, header.height, header.format.as_str()), (30_000, 30_000, "PNG"));
        assert!(matches!(within(&header, &Limits::default()), Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn each_side_is_limited_by_itself() {
        let rgb = FIXTURES.iter().find(|f| f.name == "rgb.png").unwrap().file;
        let image = decoded(rgb).unwrap();
        let bytes = image.pixels().len() as u64;
        let tight = Limits { max_width: image.width(), max_height: image.height(), max_bytes: bytes };
        assert!(decode(rgb, &tight).is_ok());
        for limits in [
            Limits { max_width: tight.max_width - 1, ..tight },
            Limits { max_height: tight.max_height - 1, ..tight },
            Limits { max_bytes: bytes - 1, ..tight },
        ] {
            assert!(matches!(decode(rgb, &limits), Err(DecodeError::TooLarge { .. })), "{limits:?}");
        }
    }

    #[test]
    fn a_gray_image_counts_as_the_rgb_it_becomes() {
        let gray = FIXTURES.iter().find(|f| f.name == "gray.jpg").unwrap().file;
        let bytes = decoded(gray).unwrap().pixels().len() as u64;
        let limits = Limits { max_bytes: bytes - 1, ..Limits::default() };
        assert!(matches!(decode(gray, &limits), Err(DecodeError::TooLarge { .. })));
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

    #[test]
    fn sixteen_bits_become_the_nearest_level() {
        for value in 0..=u16::MAX {
            assert_eq!(f64::from(to_8_bit(value)), (f64::from(value) / 257.0).round(), "{value}");
        }
    }

    #[test]
    fn white_shows_through_as_rounded_exact_division_says() {
        for value in 0..=255u8 {
            for alpha in 0..=255u8 {
                let exact =
                    (f64::from(value) * f64::from(alpha) + 255.0 * (255.0 - f64::from(alpha))) / 255.0;
                assert_eq!(f64::from(over_white(value, alpha)), exact.round());
            }
        }
    }
}
