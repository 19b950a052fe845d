//! What every network of `nets` says of itself.

use burn::tensor::Tensor;

use super::init::Initializer;
use super::layers::Mode;
use super::visit::StateVisitor;

/// What a network is made for, whatever else it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) classes: usize,
    /// Width and height of the images in pixels.
    pub(crate) side: usize,
}

/// A network. The registry makes the rest of it: its name, its place among the others.
pub(crate) trait Net: Sized {
    /// What there is to choose of it: the fields that the registry has, as a tuple where they are several.
    type Choice: Copy;

    /// The smallest side of images that it takes, in pixels.
    const LEAST_SIDE: usize;
    /// Whether it keeps running statistics of its training images (BatchNorm), by which it normalises others.
    const KEEPS_STATISTICS: bool;

    /// The network with fresh weights.
    fn new(choice: Self::Choice, sizes: Sizes, init: &mut Initializer) -> Self;

    /// Floats of the largest activation of an image of this side.
    fn widest(choice: Self::Choice, side: usize) -> usize;

    /// Blocks that it has for images of this side.
    fn depth(side: usize) -> usize;

    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`.
    fn forward(&mut self, images: Tensor<4>, mode: Mode) -> Tensor<2>;

    /// Shows its tensors, in PyTorch's order and under its names.
    fn state<V: StateVisitor>(&mut self, visitor: &mut V);
}
