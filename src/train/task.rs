//! The task of a student: the stored images it learns from, and the views it gets of them.

use std::sync::Arc;

use crate::augment::{Augmentation, Normalise};
use crate::data::{Grid, Source};

/// The images that a student is trained on, and the making of its views.
#[derive(Clone, Debug)]
pub struct Task {
    /// The stored images.
    pub images: Arc<dyn Source>,
    /// The grid of the stored images; [`Grid::WHOLE`] when they are no composites.
    pub grid: Grid,
    /// The making of a training view.
    pub augmentation: Augmentation,
    /// The mean and deviation that pixels are normalised by.
    pub normalise: Normalise,
}
