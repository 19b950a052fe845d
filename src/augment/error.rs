//! Errors in an augmentation that a user asked for.

use crate::data::Grid;
use crate::fault::{Fault, Faulty};

/// An augmentation that cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AugmentError {
    /// A crop that is not one of the known ones.
    #[error(
        "'{0}' is not a crop; give extract, global, shuffle or none, for the first two with a smallest scale \
         if wanted, as in extract:0.25"
    )]
    Crop(String),
    /// A crop without its smallest scale.
    #[error(
        "the crop '{0}' does not say its smallest scale; write {0}:0.25 for one of a quarter of the area"
    )]
    NoScale(String),
    /// The smallest crop is not a share of an area.
    #[error("the smallest crop scale is {0}; it must be above 0 and at most 1")]
    MinScale(f64),
    /// The cutout box is not a share of the image's side.
    #[error("the cutout side is {0} of the image; it must be above 0 and at most 1")]
    CutoutSide(f64),
    /// The parameter of the Beta distribution is outside the range that can be drawn.
    #[error("alpha of Mixup or CutMix is {0}; it must be above 0 and at most 8")]
    Alpha(f64),
    /// Images with fewer pixels than the grid has tiles.
    #[error("images of {side} px cannot hold a grid of {grid} tiles; use larger images or a smaller grid")]
    Grid {
        /// Width and height of the images in pixels.
        side: u32,
        /// The grid that does not fit.
        grid: Grid,
    },
}

impl Faulty for AugmentError {
    fn fault(&self) -> Fault {
        Fault::Usage
    }
}
