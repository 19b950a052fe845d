//! The CPU implementation, on Flex's tensors.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, TensorData};

use super::{CrossEntropy, Shares};
use crate::kernel::probe::{Work, span};

impl CrossEntropy for Flex {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self> {
        let (logits, labels, others) = (logits.to_contiguous(), labels_of(labels), labels_of(others));
        let [own, other] = [shares.own, shares.other].map(f64::from);
        let classes = logits.shape()[1];
        let _span = span("cross-entropy", || work(&logits, 1));
        let losses: Vec<f32> = rows(&logits, classes)
            .zip(labels.iter().zip(&others))
            .map(|(row, (&label, &mixed_in))| {
                let (max, sum) = max_and_sum(row);
                let total = f64::from(max) + sum.ln();
                (own * (total - f64::from(row[label])) + other * (total - f64::from(row[mixed_in]))) as f32
            })
            .collect();
        let batch = losses.len();
        FloatTensor::<Self>::from_data(TensorData::new(losses, [batch]))
    }

    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        gradient: FloatTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self> {
        let (logits, gradient) = (logits.to_contiguous(), gradient.to_contiguous());
        let (labels, others) = (labels_of(labels), labels_of(others));
        let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
        let _span = span("cross-entropy, gradient", || work(&logits, 2));
        let mut out = vec![0.0f32; batch * classes];
        for (((row, (&label, &mixed_in)), &g), out) in rows(&logits, classes)
            .zip(labels.iter().zip(&others))
            .zip(gradient.storage::<f32>())
            .zip(out.chunks_exact_mut(classes))
        {
            let (max, sum) = max_and_sum(row);
            let scale = (f64::from(g) * f64::from(shares.own + shares.other) / sum) as f32;
            for (out, &z) in out.iter_mut().zip(row) {
                *out = (z - max).exp() * scale;
            }
            out[label] -= g * shares.own;
            out[mixed_in] -= g * shares.other;
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
