//! What training views of whole images are cut out of.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// What training views of whole images are cut out of. It makes no difference to images that are looked at as a whole (scores of a
/// pass of their own, validation), nor to composites, which are files of their own size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropFrom {
    /// The square copy of the image: it is resized once for all views, and each view is cut out of that and resized again.
    #[default]
    Square,
    /// The image itself, in its own pixels and shape, as torchvision's loader cuts it: each view is resized once.
    Image,
}

impl CropFrom {
    /// `true` for the square copy, which files do not mention.
    pub fn is_square(&self) -> bool {
        *self == Self::Square
    }
}

words!(CropFrom, "source of crops", Square = "square", Image = "image");
