//! The training dynamics of a batch where its logits are: EL2N and the other numbers of the training log.
//!
//! This way a few floats per sample are read back instead of a logit for each class.

#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use crate::device::upload;

/// Numbers of a sample: those of [`Dynamics`](crate::dynamics::Dynamics) in the order of its fields, then 1 where they have a
/// value.
pub(crate) const COLUMNS: usize = 7;

/// Operations that a backend implements to run [`dynamics`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
)]
pub(crate) trait TrainingDynamics: Backend {
    /// `[B, COLUMNS]` from logits `[B, C]` and labels `[B]`.
    fn dynamics(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self>;
}

/// The dynamics of each row of logits `[B, C]`, which are off the autodiff graph, as rows of [`COLUMNS`].
///
/// # Panics
/// When there is not one label a row, or a label is no class.
pub(crate) fn dynamics(logits: Tensor<2>, labels: &[u32]) -> Tensor<2> {
    let [batch, classes] = logits.dims();
    assert_eq!(labels.len(), batch, "one label for each row of logits");
    assert!(labels.iter().all(|&label| (label as usize) < classes), "a label is one of the classes");
    let labels = labels.iter().map(|&label| label as i32).collect();
    let labels = upload::words(labels, &logits.device());
    let rows = <Dispatch as TrainingDynamics>::dynamics(logits.into_dispatch(), labels.into_dispatch());
    Tensor::from_dispatch(rows)
}
