//! The task of a student: the stored images it learns from, and the views it gets of them.

use std::sync::Arc;

use crate::augment::{Augmentation, Normalise};
use crate::data::{Grid, ImageSet};

/// What a student is trained on, and how its views are made.
#[derive(Clone, Debug)]
pub struct Task {
    /// The stored images.
    pub images: Arc<ImageSet>,
    /// The grid of the stored images; [`Grid::WHOLE`] when they are no composites.
    pub grid: Grid,
    /// How a training view is made.
    pub augmentation: Augmentation,
    /// What pixels are normalised by.
    pub normalise: Normalise,
}
