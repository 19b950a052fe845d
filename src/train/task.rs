//! The task of a student: the stored images it learns from, and the policy for their views.

use std::sync::Arc;

use crate::augment::{Augmentation, Normalise};
use crate::data::{Grid, Source};

/// The images that a student is trained on, and the policy for its views.
#[derive(Clone, Debug)]
pub struct Task {
    /// The stored images.
    pub images: Arc<dyn Source>,
    /// The grid of the stored images; [`Grid::WHOLE`] when they are not composites.
    pub grid: Grid,
    /// Policy for training views.
    pub augmentation: Augmentation,
    /// The mean and standard deviation that pixels are normalised by.
    pub normalise: Normalise,
}
