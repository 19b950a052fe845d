//! Image files that cannot be used.

use super::limits::Limits;
use crate::fault::{Fault, Faulty};

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
    /// A format that is not read, or a kind of a format.
    #[error("{reason}")]
    Unsupported {
        /// Name of the format.
        format: String,
        /// What is not read, and what to do.
        reason: String,
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

impl Faulty for DecodeError {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}
