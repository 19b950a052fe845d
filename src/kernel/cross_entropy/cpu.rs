//! The CPU implementation, on Flex's tensors.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, TensorData};

use super::CrossEntropy;
use crate::kernel::probe::{Work, span};

impl CrossEntropy for Flex {
    fn cross_entropy(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, labels) = (logits.to_contiguous(), labels_of(labels));
        let classes = logits.shape()[1];
        let _span = span("cross-entropy", || work(&logits, 1));
        let losses: Vec<f32> = rows(&logits, classes)
            .zip(&labels)
            .map(|(row, &label)| {
                let (max, sum) = max_and_sum(row);
                (f64::from(max) + sum.ln() - f64::from(row[label])) as f32
            })
            .collect();
        let batch = losses.len();
        FloatTensor::<Self>::from_data(TensorData::new(losses, [batch]))
    }

    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, gradient, labels) =
            (logits.to_contiguous(), gradient.to_contiguous(), labels_of(labels));
        let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
        let _span = span("cross-entropy, gradient", || work(&logits, 2));
        let mut out = vec![0.0f32; batch * classes];
        for (((row, &label), &g), out) in rows(&logits, classes)
            .zip(&labels)
            .zip(gradient.storage::<f32>())
            .zip(out.chunks_exact_mut(classes))
        {
            let (max, sum) = max_and_sum(row);
            let scale = (f64::from(g) / sum) as f32;
            for (out, &z) in out.iter_mut().zip(row) {
                *out = (z - max).exp() * scale;
            }
            out[label] -= g;
        }
        FloatTensor::<Self>::from_data(TensorData::new(out, [batch, classes]))
    }
}

/// What it does, for a profile; an exponential counts as one operation.
fn work(logits: &FloatTensor<Flex>, passes: usize) -> Work {
    let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
    let values = batch * classes;
    Work { shape: format!("{batch}x{classes}"), flops: (4 * values) as f64, floats: passes * values + batch }
}

fn rows(logits: &FloatTensor<Flex>, classes: usize) -> impl Iterator<Item = &[f32]> {
    logits.storage::<f32>().chunks_exact(classes)
}

fn labels_of(labels: IntTensor<Flex>) -> Vec<usize> {
    let labels = labels.to_contiguous();
    match labels.dtype() {
        DType::I32 => labels.storage::<i32>().iter().map(|&label| label as usize).collect(),
        DType::I64 => labels.storage::<i64>().iter().map(|&label| label as usize).collect(),
        other => unreachable!("labels are made as 32 or 64-bit integers, not {other:?}"),
    }
}

/// The largest logit and the sum of `exp(z - max)`, the latter in double precision.
fn max_and_sum(row: &[f32]) -> (f32, f64) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (max, row.iter().map(|&z| f64::from((z - max).exp())).sum())
}
