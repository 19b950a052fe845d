//! The trait of every network in `nets`.

use burn::tensor::Tensor;

use super::init::Initializer;
use super::layers::Mode;
use super::visit::StateVisitor;

/// Sizes that every network needs, whatever its options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) classes: usize,
    /// Width and height of the images in pixels.
    pub(crate) side: usize,
}

/// A network. Its name and its place among the others are given in the registry.
pub(crate) trait Net: Sized {
    /// The network's options: its fields in the registry, as a tuple where there are several.
    type Choice: Copy;

    /// Smallest side of the images that the network takes, in pixels.
    const LEAST_SIDE: usize;
    /// `true` where the network keeps running statistics of its training images (BatchNorm) and normalises other images by
    /// them.
    const KEEPS_STATISTICS: bool;

    /// The network with fresh weights.
    fn new(choice: Self::Choice, sizes: Sizes, init: &mut Initializer) -> Self;

    /// Number of floats in the largest activation of an image of this side, in pixels.
    fn widest(choice: Self::Choice, side: usize) -> usize;

    /// Number of blocks for images of this side, in pixels.
    fn depth(side: usize) -> usize;

    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`.
    fn forward(&mut self, images: Tensor<4>, mode: Mode) -> Tensor<2>;

    /// Passes the network's tensors to `visitor`, in PyTorch's order and under PyTorch's names.
    fn state<V: StateVisitor>(&mut self, visitor: &mut V);
}
