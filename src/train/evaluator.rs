//! The final evaluation of students: on the validation images as they are; on the same with BatchNorm statistics taken from
//! these images; and on the same blurred to the sharpness of a tile.

use burn::tensor::Device;

use super::error::TrainError;
use super::eval::{Evaluation, Statistics, evaluate};
use crate::augment::Normalise;
use crate::data::{DataError, Grid, ImageSet, Source, blurred};
use crate::model::Network;

/// Number of images in a batch.
const BATCH: usize = 250;

/// Size of a set in bytes above which it is not blurred, since the blurred copy takes as much memory again.
const MAX_BLURRED_BYTES: u64 = 1 << 30;

/// Validation images, and a copy of them blurred to the sharpness of the smallest tile that a student was trained on. The
/// images in composites differ from validation images in sharpness, mean and variance; the three results show how much of a
/// loss in accuracy comes from that difference and how much was not learned.
pub struct Evaluator<'a> {
    sharp: &'a dyn Source,
    at_tile_size: Option<ImageSet>,
}

/// The three results of a student.
pub struct Answers {
    /// Result on the images as they are.
    pub sharp: Evaluation,
    /// Result on the images as they are, with BatchNorm's mean and variance taken from them; `None` for a network without
    /// BatchNorm, whose result would be the same.
    pub adapted: Option<Evaluation>,
    /// Result on the blurred images; `None` where no student is trained on tiles, or the images are too many to be held twice.
    pub at_tile_size: Option<Evaluation>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator for students that are trained on stored images of these grids.
    ///
    /// # Errors
    /// [`DataError`] when an image cannot be read.
    pub fn new(sharp: &'a dyn Source, grids: impl IntoIterator<Item = Grid>) -> Result<Self, DataError> {
        let finest = grids.into_iter().filter(|grid| grid.tiles() > 1).max_by_key(|grid| grid.tiles());
        let fits = Self::blurs(sharp.len(), sharp.side());
        let at_tile_size = finest.filter(|_| fits).map(|grid| {
            let tile = grid.tile(sharp.side(), grid.tiles() - 1);
            blurred(sharp, tile.width, tile.height)
        });
        Ok(Self { sharp, at_tile_size: at_tile_size.transpose()? })
    }

    /// Whether so many images of a side are few enough to be blurred.
    pub fn blurs(images: usize, side: u32) -> bool {
        ImageSet::bytes_of(images as u64, side) <= MAX_BLURRED_BYTES
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u32] {
        self.sharp.labels()
    }

    /// Evaluates a student.
    ///
    /// # Errors
    /// [`TrainError`] when the device does not answer or an image cannot be read.
    pub async fn ask(&self, network: &Network, device: &Device) -> Result<Answers, TrainError> {
        let ask = |set, statistics| evaluate(network, device, set, &Normalise::IMAGENET, BATCH, statistics);
        let sharp = ask(self.sharp, Statistics::Running).await?;
        let adapted = match network.keeps_statistics() {
            true => Some(ask(self.sharp, Statistics::Batch).await?),
            false => None,
        };
        let at_tile_size = match &self.at_tile_size {
            Some(blurred) => Some(ask(blurred, Statistics::Running).await?),
            None => None,
        };
        Ok(Answers { sharp, adapted, at_tile_size })
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::sync::Arc;

    use pollster::block_on;

    use super::*;
    use crate::augment::{Augmentation, Crop};
    use crate::model::{Architecture, Choices, ModelConfig};
    use crate::random::{Purpose, Stream};
    use crate::train::{Length, Preset, Settings, Student, Task, TrainConfig};

    const SIDE: u32 = 16;
    const CLASSES: usize = 4;
    const LR: f64 = 0.003;
    /// Standard deviation of the texture, in levels of 0 to 255.
    const GRAIN: f64 = 20.0;

    /// Images of stripes, whose direction is the class, under a texture as fine as single pixels.
    fn textured(count: usize, part: u32) -> ImageSet {
        let mut pixels = Vec::new();
        let labels: Vec<u32> = (0..count as u32).map(|image| image % CLASSES as u32).collect();
        for (image, &label) in labels.iter().enumerate() {
            let mut stream = Stream::new(7, Purpose::Test, part, image as u64);
            let phase = stream.below(8);
            for place in 0..SIDE * SIDE {
                let (row, column) = (place / SIDE, place % SIDE);
                let across = [row, column, row + column, SIDE + row - column][label as usize] + phase;
                let stripe = if across % 8 < 4 { 60.0 } else { 0.0 };
                let value = 100.0 + stripe + GRAIN * stream.normal();
                pixels.extend([value.clamp(0.0, 255.0) as u8; 3]);
            }
        }
        ImageSet::from_parts(SIDE, pixels, labels).expect("sizes fit")
    }

    fn model(architecture: Architecture) -> ModelConfig {
        let Settings { stem, precision, .. } = Preset::Small.settings();
        let network = architecture.with(Choices { width: 8, stem });
        ModelConfig { network, classes: CLASSES, image_size: SIDE as usize, precision }
    }

    /// Top-1 accuracy on sharp images of a student trained on images as blurred as a tile: with the running statistics, and
    /// with the statistics of these images.
    fn plain_and_adapted(architecture: Architecture) -> (f64, f64) {
        let settings = Preset::Small.settings();
        let model = model(architecture);
        let soft = blurred(&textured(200, 0), SIDE / 2, SIDE / 2).expect("memory does not fail");
        let task = Task {
            images: Arc::new(soft),
            grid: Grid::WHOLE,
            augmentation: Augmentation {
                crop: Crop::Global { min_scale: 0.5 },
                flip: false,
                ..Augmentation::default()
            },
            normalise: Normalise::IMAGENET,
        };
        let config = TrainConfig { lr: LR, ..settings.student.with_length(Length::Steps(200)) };
        let device = Device::flex();
        let mut student = Student::new(&model, config, task, 0, &device).expect("a valid student");
        block_on(student.advance(200)).expect("the CPU answers");
        let (network, sharp) = (student.network(), textured(400, 1));
        let ask = |statistics| {
            let asked = evaluate(&network, &device, &sharp, &Normalise::IMAGENET, 100, statistics);
            block_on(asked).expect("the CPU answers").top1_percent()
        };
        (ask(Statistics::Running), ask(Statistics::Batch))
    }

    #[test]
    fn the_default_students_result_does_not_turn_with_batchnorms_statistics() {
        let default = Preset::Small.settings().architecture;
        let (plain, adapted) = plain_and_adapted(default);
        assert!((plain - adapted).abs() < 2.0, "{default}: {plain} and {adapted}");
        // Chance is a quarter.
        assert!(plain > 35.0, "{default} has learned: {plain}");
    }

    #[test]
    fn a_student_with_batchnorm_is_lost_before_sharper_images_until_its_statistics_are_theirs() {
        let (plain, adapted) = plain_and_adapted(Architecture::ConvNet);
        assert!(adapted > plain + 10.0, "{plain} and {adapted}");
    }

    #[test]
    fn only_networks_that_keep_statistics_are_asked_with_others() {
        let set = textured(8, 0);
        let exam = Evaluator::new(&set, [Grid::WHOLE]).expect("memory does not fail");
        for (architecture, keeps) in [(Architecture::ConvNet, true), (Architecture::ConvNetD, false)] {
            let device = Device::flex();
            let network = model(architecture).init(0, &device).expect("a valid network");
            let answers = block_on(exam.ask(&network, &device)).expect("the CPU answers");
            assert_eq!(answers.adapted.is_some(), keeps, "{architecture}");
        }
    }
}
