//! What is packed in which form.

use crate::combine::Format;
use crate::data::OnError;

/// File name of the description, which is written last.
pub(super) const INFO: &str = "_info.json";
/// File name of what a share ends with in its place.
pub(super) const PART: &str = "part.json";

/// Form of packed images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackForm {
    /// Every file as it is.
    AsIs,
    /// Encoded anew, but for images that `short_side` leaves as they are.
    Encoded(Format),
}

/// Kind of the files that images are packed into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Container {
    /// Tars, as WebDataset has them.
    #[default]
    WebDataset,
    /// Parquet files, as Hugging Face has them.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Container {
    /// The extension of its files.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::WebDataset => "tar",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }
}

/// Options of packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackOptions {
    /// Shorter side that larger images are shrunk to, in pixels.
    pub short_side: Option<u32>,
    /// Form of the images.
    pub form: PackForm,
    /// Kind of the files.
    pub container: Container,
    /// Bytes that a shard has at most, unless one image takes more.
    pub shard_bytes: u64,
    /// Whether training images are shuffled; else they stand in the order of their paths.
    pub shuffle: bool,
    /// Seed of the shuffle.
    pub seed: u64,
    /// Treatment of a file that cannot be used.
    pub on_error: OnError,
}

/// What was packed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Packed {
    /// Number of images.
    pub images: u64,
    /// Number of shards.
    pub shards: u64,
    /// Bytes of all shards.
    pub bytes: u64,
    /// Number of files that were left out.
    pub left_out: u64,
}
