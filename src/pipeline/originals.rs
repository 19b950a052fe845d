//! Source images at their full size.

use crate::data::Image;

/// Any reason why a source image cannot be read.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Source images as they were given, by the paths of their samples.
pub trait Originals: Send + Sync {
    /// One whole image, at its full size.
    ///
    /// # Errors
    /// The reason why it cannot be read.
    fn image(&self, path: &str) -> Result<Image, ReadError>;

    /// Size of the image's file in bytes; `None` when there is no such file.
    fn file_size(&self, path: &str) -> Option<u64>;
}
