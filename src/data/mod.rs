//! Data in: from the files of a labelled folder to pixels of one size.

mod blur;
mod cell;
mod crop_from;
mod decode;
mod duplicates;
mod error;
mod folder;
mod grid;
mod image;
mod look;
mod prepare;
mod relative;
mod resize;
mod sample;
mod source;
mod split;
mod subset;

pub use blur::blurred;
pub use cell::{guarded, unguarded};
pub use crop_from::CropFrom;
pub use decode::{DecodeError, Header, Limits, decode, probe, within};
pub use duplicates::{look_alikes, near_duplicates, shared_copies};
pub use error::DataError;
pub use folder::{Entry, Folder, Layout, OnError, Problem, composed, is_junk, split_name};
pub use grid::{Grid, Rect};
pub use image::{Image, ImageSet};
pub use look::Look;
pub use prepare::{Preparation, Prepared, prepare};
pub use relative::{PathError, ensure_relative};
pub use resize::{Filter, Fit, Resizer};
pub use sample::{ClassMap, ContentHash, Sample};
#[cfg(test)]
pub(crate) use source::{Pictures, Streaming};
pub use source::{Source, Spent, fingerprint_of_files};
pub use split::{hold_out, hold_out_together};
pub use subset::Subset;
