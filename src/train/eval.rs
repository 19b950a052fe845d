//! Accuracy of a trained network on a labelled set.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::augment::{Layout, Normalise, normalise_into};
use crate::data::{DataError, Source};
use crate::device::{read, upload};
use crate::model::Network;
use crate::random::{Purpose, permutation};

/// Source of mean and variance for a network's BatchNorms while it is evaluated. It makes no difference to other networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// The running statistics from training, as in normal use.
    Running,
    /// The statistics of each evaluated batch, drawn from all classes. This shows what the network would answer if its running
    /// statistics were those of these images.
    Batch,
}

/// Correct answers of a network on a labelled set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of images evaluated.
    pub images: usize,
    /// Number of images whose class has the largest logit.
    pub top1: usize,
    /// Number of images whose class is among the five largest logits; equal to `images` below six classes.
    pub top5: usize,
    /// For each class: number of images evaluated, and number of them right (top-1).
    pub per_class: Vec<(usize, usize)>,
    /// The class with the largest logit, for every image in the order of the set.
    pub answers: Vec<u32>,
}

/// Two classes, and the number of times each was taken for either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The two classes, the lower number first.
    pub classes: [u32; 2],
    /// `counts[i][j]`: number of images of `classes[i]` that were taken for `classes[j]`.
    pub counts: [[usize; 2]; 2],
}

impl Evaluation {
    /// Top-1 accuracy in percent.
    pub fn top1_percent(&self) -> f64 {
        100.0 * self.top1 as f64 / self.images.max(1) as f64
    }

    /// Macro top-1 accuracy in percent: the mean of the classes' accuracies, over the classes that have images.
    pub fn macro_top1_percent(&self) -> f64 {
        let seen = || self.per_class.iter().filter(|(seen, _)| *seen > 0);
        let sum: f64 = seen().map(|&(seen, right)| right as f64 / seen as f64).sum();
        100.0 * sum / seen().count().max(1) as f64
    }

    /// Top-5 accuracy in percent.
    pub fn top5_percent(&self) -> f64 {
        100.0 * self.top5 as f64 / self.images.max(1) as f64
    }

    /// The pair of classes that is mixed up most often, in either direction; of equal pairs the first. `None` when
    /// no classes were mixed up. `labels` are those of the images evaluated.
    pub fn most_confused(&self, labels: &[u32]) -> Option<Confusion> {
        let mut counts: BTreeMap<[u32; 2], usize> = BTreeMap::new();
        for (&label, &answer) in labels.iter().zip(&self.answers).filter(|(label, answer)| label != answer) {
            *counts.entry([label.min(answer), label.max(answer)]).or_default() += 1;
        }
        // The first of the largest: later ones must be larger.
        let (classes, _) =
            counts.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let count = |own: u32, taken: u32| {
            let both = labels.iter().zip(&self.answers);
            both.filter(|&(&label, &answer)| label == own && answer == taken).count()
        };
        Some(Confusion { classes, counts: classes.map(|own| classes.map(|taken| count(own, taken))) })
    }

    /// Adds the rows of `logits` (`[rows, classes]`), one for each of `images` of a set with these labels. Of equal logits
    /// the lowest class wins, as in an argmax.
    fn add(&mut self, logits: &[f32], images: &[u32], labels: &[u32], classes: usize) {
        self.per_class.resize(classes, (0, 0));
        self.answers.resize(labels.len(), 0);
        for (row, &image) in logits.chunks_exact(classes).zip(images) {
            let label = labels[image as usize];
            let own = row[label as usize];
            let top = (0..classes).reduce(|top, class| if row[class] > row[top] { class } else { top });
            self.answers[image as usize] = top.unwrap_or_default() as u32;
            let rank = row
                .iter()
                .enumerate()
                .filter(|&(class, &z)| z > own || (z == own && class < label as usize))
                .count();
            self.images += 1;
            self.top1 += usize::from(rank == 0);
            self.top5 += usize::from(rank < 5);
            let (seen, right) = &mut self.per_class[label as usize];
            *seen += 1;
            *right += usize::from(rank == 0);
        }
    }
}

/// Evaluates a network on a set, in batches of up to `batch` whole images without augmentation.
///
/// # Errors
/// [`TrainError::Device`] when the device does not answer, [`TrainError::Data`] when an image cannot be read.
pub async fn evaluate(
    network: &Network,
    on: &Device,
    set: &dyn Source,
    normalise: &Normalise,
    batch: usize,
    statistics: Statistics,
) -> Result<Evaluation, TrainError> {
    let mut evaluation = Evaluation::default();
    let mut network = network.clone();
    let count = set.len();
    let batches = count.div_ceil(batch.max(1)).max(1);
    let (order, length) = match statistics {
        Statistics::Running => ((0..count as u32).collect(), batch.max(1)),
        // Sets are ordered by class, and a batch should hold all of them. None is much smaller than the others.
        Statistics::Batch => (permutation(0, Purpose::Adapt, 0, count), count.div_ceil(batches).max(1)),
    };
    // While a GPU computes, the images of the next batch are made ready: logits are read one batch later.
    let mut asked: Option<(Tensor<2>, &[u32])> = None;
    for images in order.chunks(length).map(Some).chain([None]) {
        let next = match images {
            Some(images) => {
                let input = whole_images(on, set, images, normalise)?;
                let logits = match statistics {
                    Statistics::Running => network.forward_eval(input),
                    Statistics::Batch => network.forward_adapted(input),
                };
                Some((logits, images))
            }
            None => None,
        };
        if let Some((logits, images)) = std::mem::replace(&mut asked, next) {
            let classes = logits.dims()[1];
            let values = read(logits).await?;
            evaluation.add(&values, images, set.labels(), classes);
        }
    }
    Ok(evaluation)
}

/// Logits of whole images in evaluation mode.
///
/// # Errors
/// [`DataError`] when an image cannot be read.
pub(crate) fn eval_logits(
    network: &mut Network,
    device: &Device,
    set: &dyn Source,
    images: &[u32],
    normalise: &Normalise,
) -> Result<Tensor<2>, DataError> {
    Ok(network.forward_eval(whole_images(device, set, images, normalise)?))
}

/// Some images of a set, normalised, `[B, H, W, 3]`.
fn whole_images(
    device: &Device,
    set: &dyn Source,
    images: &[u32],
    normalise: &Normalise,
) -> Result<Tensor<4>, DataError> {
    let side = set.side() as usize;
    let mut pixels = vec![0.0f32; images.len() * 3 * side * side];
    normalise_into(set, images, normalise, Layout::Nhwc, &mut pixels)?;
    Ok(upload::floats(TensorData::new(pixels, [images.len(), side, side, 3]), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_counts_ranks_and_ties_as_an_argmax_does() {
        let mut evaluation = Evaluation::default();
        let logits = [
            0.0, 3.0, 1.0, 2.0, -1.0, -2.0, // label 1: first
            0.0, 3.0, 3.0, 2.0, -1.0, -2.0, // label 2: tied, the lower class wins
            5.0, 4.0, 3.0, 2.0, 1.0, 0.0, // label 5: sixth
        ];
        // The labels of the set, whose images are asked about in another order.
        evaluation.add(&logits, &[2, 0, 1], &[2, 5, 1], 6);
        assert_eq!((evaluation.images, evaluation.top1, evaluation.top5), (3, 1, 2));
        assert_eq!(evaluation.per_class, [(0, 0), (1, 1), (1, 0), (0, 0), (0, 0), (1, 0)]);
        assert!((evaluation.top1_percent() - 100.0 / 3.0).abs() < 1e-12);
        assert_eq!(evaluation.answers, [1, 0, 1]);
        // Classes 1, 2 and 5 have images: all right, none, none.
        assert!((evaluation.macro_top1_percent() - 100.0 / 3.0).abs() < 1e-12);
        assert_eq!(Evaluation::default().macro_top1_percent(), 0.0);
    }

    #[test]
    fn macro_accuracy_counts_classes_and_not_images() {
        let per_class = vec![(90, 90), (10, 0), (0, 0)];
        let evaluation = Evaluation { images: 100, top1: 90, per_class, ..Evaluation::default() };
        assert_eq!((evaluation.top1_percent(), evaluation.macro_top1_percent()), (90.0, 50.0));
    }

    #[test]
    fn the_pair_that_is_mixed_up_most_is_counted_in_both_directions() {
        let answers = vec![0, 2, 2, 0, 1, 1, 1, 2];
        let labels = [0, 0, 0, 2, 2, 1, 1, 2];
        let evaluation = Evaluation { answers, ..Evaluation::default() };
        let worst = evaluation.most_confused(&labels);
        assert_eq!(worst, Some(Confusion { classes: [0, 2], counts: [[1, 2], [1, 1]] }));
        assert_eq!(Evaluation::default().most_confused(&[]), None);
    }
}
