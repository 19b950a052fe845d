//! Source images at their full size.

use crate::data::{ContentHash, Image};

/// Any reason why a source image cannot be read.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Source images as they were given, by the paths of their samples.
pub trait Originals: Send + Sync {
    /// One whole image, at its full size.
    ///
    /// # Errors
    /// The reason why it cannot be read.
    fn image(&self, path: &str) -> Result<Image, ReadError>;

    /// One whole image, at its full size, that was read before: with the content that it had then, which has this hash. Sources
    /// that cannot change between two readings, as those in memory, need nothing but [`image`](Self::image).
    ///
    /// # Errors
    /// The reason why it cannot be read, [`Changed`] where its content is another now.
    fn same_image(&self, path: &str, hash: ContentHash) -> Result<Image, ReadError> {
        let _ = hash;
        self.image(path)
    }

    /// Size of the image's file in bytes; `None` when there is no such file.
    fn file_size(&self, path: &str) -> Option<u64>;
}

/// A file whose content is not what it was when it was scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file has changed since its image was first read; give back the file that was scored, or begin anew in another \
     output folder"
)]
pub struct Changed;

/// A file that the system opens no more, as too many are open, which says nothing about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}; allow more open files (ulimit -n), or lower `threads`, and give the same command again")]
pub struct TooManyOpen(pub std::io::Error);
