//! What students are asked in the end: the validation images, and the same at the sharpness of a tile.

use burn::tensor::Device;

use super::eval::{Evaluation, evaluate};
use super::student::TrainError;
use crate::augment::Normalise;
use crate::combine::Grid;
use crate::data::ImageSet;
use crate::model::Network;

/// Images of a batch.
const BATCH: usize = 250;

/// Images of more bytes are not softened: that takes as much memory again.
const MOST: usize = 1 << 30;

/// Validation images, and the same as soft as the smallest tile that one of the students has learned from. Who has only
/// seen soft images is at a loss before sharp ones, and the two answers tell that from not having learned.
pub struct Exam<'a> {
    sharp: &'a ImageSet,
    soft: Option<ImageSet>,
}

/// A student's answers.
pub struct Answers {
    /// On the images as they are.
    pub sharp: Evaluation,
    /// On the softened ones; none where no student learns from tiles, or the images are too many to be held twice.
    pub soft: Option<Evaluation>,
}

impl<'a> Exam<'a> {
    /// For students that learn from stored images of these grids.
    pub fn new(sharp: &'a ImageSet, grids: impl IntoIterator<Item = Grid>) -> Self {
        let finest = grids.into_iter().filter(|grid| grid.tiles() > 1).max_by_key(|grid| grid.tiles());
        let soft = finest.filter(|_| sharp.pixels().len() <= MOST).map(|grid| {
            let tile = grid.tile(sharp.side(), grid.tiles() - 1);
            sharp.softened(tile.width, tile.height)
        });
        Self { sharp, soft }
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u32] {
        self.sharp.labels()
    }

    /// Asks a student.
    ///
    /// # Errors
    /// [`TrainError::Device`] when the device does not answer.
    pub async fn ask(&self, network: &Network, device: &Device) -> Result<Answers, TrainError> {
        let sharp = evaluate(network, device, self.sharp, &Normalise::IMAGENET, BATCH).await?;
        let soft = match &self.soft {
            Some(soft) => Some(evaluate(network, device, soft, &Normalise::IMAGENET, BATCH).await?),
            None => None,
        };
        Ok(Answers { sharp, soft })
    }
}
