//! Header of an image file: the size it announces, which is checked before memory is taken for pixels.

use image::{ImageDecoder, ImageFormat};

use super::error::DecodeError;
use super::format::{decoder, format_of, name};
use super::jpeg::{Frame, Jpeg};
use super::limits::Limits;

/// Header of an image file: the format and size it announces.
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
    if format == ImageFormat::Jpeg {
        return Ok(jpeg_header(&Jpeg::head(bytes)?.frame));
    }
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

/// Header of a PNG. Its decoder refuses sizes beyond the address space without naming them, which on wasm is
/// 2 GiB.
pub(super) fn png_header(bytes: &[u8], format: ImageFormat) -> Option<Header> {
    /// Offset of the first chunk's data, behind the signature, a length and a name.
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

pub(super) fn jpeg_header(frame: &Frame) -> Header {
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    // Channels are 8 bits deep, and of four inks three colours are left.
    let bytes = u64::from(width) * u64::from(height) * 3;
    Header { format: name(ImageFormat::Jpeg), width, height, bytes }
}

pub(super) fn announced(decoder: &mut impl ImageDecoder, format: ImageFormat) -> Header {
    let (width, height) = decoder.dimensions();
    let bytes = decoder.total_bytes().max(u64::from(width) * u64::from(height) * 3);
    Header { format: name(format), width, height, bytes }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{FIXTURES, decoded};
    use super::*;
    use crate::data::decode;

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
}
