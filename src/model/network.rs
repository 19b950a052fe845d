//! The passes through a network.

use burn::tensor::Tensor;

use super::layers::Mode;
use super::registry::Network;

impl Network {
    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`, with the statistics of the batch;
    /// updates the running ones.
    pub fn forward_train(&mut self, images: Tensor<4>) -> Tensor<2> {
        self.forward_train_stacked(images, 1)
    }

    /// The same of S students at once, whose networks are [stacked](Self::stacked) in this one: logits `[S·B, classes]` of
    /// images `[S·B, H, W, 3]`, one student's after the other's.
    pub(crate) fn forward_train_stacked(&mut self, images: Tensor<4>, students: usize) -> Tensor<2> {
        self.forward(images, Mode::Train { students })
    }

    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`, with the running statistics.
    pub fn forward_eval(&mut self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images, Mode::Eval)
    }

    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`, with the statistics of the batch; the running ones stay
    /// as they are.
    pub fn forward_adapted(&mut self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images, Mode::Adapted)
    }
}
