//! The CPU implementation, on Flex's tensors.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;

use super::{CrossEntropy, Target, WORDS};
use crate::kernel::probe::{Work, span};

impl CrossEntropy for Flex {
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, targets) = (logits.to_contiguous(), targets_of(targets));
        let classes = logits.shape()[1];
        let _span = span("cross-entropy", || work(&logits, 1));
        let losses: Vec<f32> = rows(&logits, classes)
            .zip(targets)
            .map(|(row, target)| {
                let (max, sum) = max_and_sum(row);
                let total = f64::from(max) + sum.ln();
                let loss = |label: u32| total - f64::from(row[label as usize]);
                let [own, other] = [target.own_share, target.other_share].map(f64::from);
                (own * loss(target.own) + other * loss(target.other)) as f32
            })
            .collect();
        let batch = losses.len();
        FloatTensor::<Self>::from_data(TensorData::new(losses, [batch]))
    }

    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, gradient) = (logits.to_contiguous(), gradient.to_contiguous());
        let targets = targets_of(targets);
        let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
        let _span = span("cross-entropy, gradient", || work(&logits, 2));
        let mut out = vec![0.0f32; batch * classes];
        for (((row, target), &g), out) in rows(&logits, classes)
            .zip(targets)
            .zip(gradient.storage::<f32>())
            .zip(out.chunks_exact_mut(classes))
        {
            let (max, sum) = max_and_sum(row);
            let scale = (f64::from(g) * f64::from(target.own_share + target.other_share) / sum) as f32;
            for (out, &z) in out.iter_mut().zip(row) {
                *out = (z - max).exp() * scale;
            }
            out[target.own as usize] -= g * target.own_share;
            out[target.other as usize] -= g * target.other_share;
        }
        FloatTensor::<Self>::from_data(TensorData::new(out, [batch, classes]))
    }
}

/// Work of the cross-entropy, for a profile. An exponential counts as one operation.
fn work(logits: &FloatTensor<Flex>, passes: usize) -> Work {
    let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
    let values = batch * classes;
    Work { shape: format!("{batch}x{classes}"), flops: (4 * values) as f64, floats: passes * values + batch }
}

fn rows(logits: &FloatTensor<Flex>, classes: usize) -> impl Iterator<Item = &[f32]> {
    logits.storage::<f32>().chunks_exact(classes)
}

fn targets_of(targets: IntTensor<Flex>) -> Vec<Target> {
    let targets = targets.to_contiguous();
    targets.storage::<i32>().as_chunks::<WORDS>().0.iter().map(|&words| Target::of_words(words)).collect()
}

/// The largest logit and the sum of `exp(z - max)`, the latter in double precision.
fn max_and_sum(row: &[f32]) -> (f32, f64) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (max, row.iter().map(|&z| f64::from((z - max).exp())).sum())
}
