//! The format of an image file, told by its content, and its decoder.

use std::io::Cursor;

use image::{ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::error::DecodeError;
use super::limits::Limits;
use super::unread::unread;

pub(super) fn format_of(bytes: &[u8]) -> Result<ImageFormat, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Gif),
        ) => Ok(format),
        _ => Err(unread(bytes).unwrap_or(DecodeError::UnknownFormat)),
    }
}

/// A decoder that has read the header; JPEG has a way of its own.
pub(super) fn decoder<'a>(
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

pub(super) fn name(format: ImageFormat) -> String {
    match format {
        ImageFormat::WebP => "WebP".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    }
}

pub(super) fn explain(format: ImageFormat, error: ImageError) -> DecodeError {
    let format = name(format);
    match error {
        ImageError::Unsupported(error) => {
            let reason = format!("this kind of {format} is not read ({error}); convert it to JPEG or PNG");
            DecodeError::Unsupported { format, reason }
        }
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format }
        }
        other => DecodeError::Damaged { format, reason: other.to_string() },
    }
}
