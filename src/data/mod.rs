//! Data in: from the files of a labelled folder to pixels of one size.

mod error;
mod image;
mod sample;

pub use error::DataError;
pub use image::{Image, ImageSet};
pub use sample::{ClassMap, ContentHash, Sample};
