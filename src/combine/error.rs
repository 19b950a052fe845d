//! Problems with a request to combine images.

use crate::fault::{Fault, Faulty};

/// A request that cannot be combined into composites.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CombineError {
    /// An IPC of 0.
    #[error("`ipc` 0 keeps nothing; give at least 1 image per class")]
    NoImages,
    /// Sources that do not fill whole composites.
    #[error(
        "`ipc` {ipc} with `ipc-counts` sources does not fill whole composites: `grid` {grid} takes {tiles} \
         sources each; give an `ipc` that {tiles} divides, or `grid` 1"
    )]
    UnevenSources {
        /// The number asked for.
        ipc: u32,
        /// The grid, as written on the command line.
        grid: crate::data::Grid,
        /// Tiles of that grid.
        tiles: u32,
    },
    /// More sources than can be numbered.
    #[error(
        "`ipc` {ipc} with `grid` {grid} is more sources per class than can be numbered; give a smaller `ipc`"
    )]
    TooMany {
        /// The number asked for.
        ipc: u32,
        /// The grid, as written on the command line.
        grid: crate::data::Grid,
    },
    /// A composite with fewer pixels than tiles.
    #[error("`image-size` {side} is too small for `grid` {grid}: every tile needs at least one pixel")]
    Side {
        /// Side of the composite in pixels.
        side: u32,
        /// The grid, as written on the command line.
        grid: crate::data::Grid,
    },
    /// A class whose picks are not what the composites take.
    #[error("class '{class}' has {picks} picked images where its composites take {expected}")]
    Picks {
        /// Name of the class.
        class: String,
        /// Images given.
        picks: usize,
        /// Images needed.
        expected: usize,
    },
    /// Another number of classes than the class map names.
    #[error("images were picked for {given} classes, but the class list names {expected}")]
    Classes {
        /// Classes given.
        given: usize,
        /// Classes named.
        expected: usize,
    },
    /// A JPEG quality outside 1 to 100.
    #[error("{quality} is not a JPEG quality; give `quality` 1 to 100")]
    Quality {
        /// The number asked for.
        quality: u8,
    },
    /// A quality for a format that has none.
    #[error("`quality` is for `format` jpeg; PNG keeps every pixel as it is")]
    QualityOfPng,
    /// A composite that the encoder refuses.
    #[error("a composite could not be encoded")]
    Encode(#[from] image::ImageError),
}

impl Faulty for CombineError {
    fn fault(&self) -> Fault {
        match self {
            Self::NoImages
            | Self::UnevenSources { .. }
            | Self::TooMany { .. }
            | Self::Side { .. }
            | Self::Quality { .. }
            | Self::QualityOfPng => Fault::Usage,
            _ => Fault::Data,
        }
    }
}
