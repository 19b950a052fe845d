//! Trees of files: where the images of a data set lie, and how their bytes are had.

mod blocks;
mod disk;
mod error;
mod imagenet;
mod info;
mod labels;
mod mat;
mod open;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod pattern;
mod shards;
mod source;
mod tar;
mod tars;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

pub(super) use blocks::Archive;
pub use disk::{Disk, name_of};
pub use error::SourceError;
pub use info::{Info, SplitInfo};
pub(super) use open::inputs;
pub use open::{Opened, open};
pub use source::SourceTree;

use super::folder::error::FolderError;
use super::folder::scan::Scan;

/// Named files, as they lie in a folder of the disk or in archives that are read in place. What a data set is made of depends on
/// their paths and bytes alone, so it is the same in whatever form it came.
pub trait Tree: Send + Sync + Debug {
    /// Lists the files.
    ///
    /// # Errors
    /// [`FolderError`] where something cannot be listed: otherwise classes would be missing without a word.
    fn scan(&self) -> Result<Scan, FolderError>;

    /// The bytes of a file, by the path that [`scan`](Self::scan) gave it. Called from many threads, in any order.
    ///
    /// # Errors
    /// The system's; one of kind [`FileTooLarge`](io::ErrorKind::FileTooLarge) for more than `most` bytes.
    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>>;

    /// Size of a file in bytes; `None` where there is no such file.
    fn size(&self, path: &str) -> Option<u64>;

    /// Place of a file of the tree on the disk, for messages; for the empty path, that of the tree itself.
    fn place(&self, path: &str) -> PathBuf;

    /// Name of the data set.
    fn name(&self) -> String;
}
