//! Source images at their full size.

use crate::data::Image;

/// Any reason why a source image cannot be had.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Source images as they were given, by the paths of their samples.
pub trait Originals: Send + Sync {
    /// One whole image, at its full size.
    ///
    /// # Errors
    /// The reason why it cannot be had.
    fn image(&self, path: &str) -> Result<Image, ReadError>;

    /// Bytes of its file; `None` when it is not there.
    fn file_size(&self, path: &str) -> Option<u64>;
}
