//! The ConvNet of our reference measurements.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::model::init::Initializer;
use crate::model::layers::{BatchNorm, Conv, Linear, Mode, Then, block, global_average};
use crate::model::net::{Net, Sizes};
use crate::model::visit::StateVisitor;

/// ⌊log2 px⌋ − 2 blocks of conv 3×3 without bias, BatchNorm, ReLU, max pool 2×2; global average; linear.
///
/// As a `torch.nn.Sequential` of conv, norm, relu and pool modules, followed by
/// `AdaptiveAvgPool2d(1)`, `Flatten()` and `Linear`, it has the same state-dict names.
#[derive(Module, Debug)]
pub struct ConvNet {
    convs: Vec<Conv>,
    norms: Vec<BatchNorm>,
    classifier: Linear,
}

impl Net for ConvNet {
    /// Channels of every block.
    type Choice = usize;

    const LEAST_SIDE: usize = 8;
    const KEEPS_STATISTICS: bool = true;

    fn new(width: usize, sizes: Sizes, init: &mut Initializer) -> Self {
        let mut convs = Vec::new();
        for block in 0..Self::depth(sizes.side) {
            convs.push(Conv::new(if block == 0 { 3 } else { width }, width, 3, false, init));
        }
        let norms = convs.iter().map(|_| BatchNorm::new(width, init)).collect();
        Self { convs, norms, classifier: Linear::new(width, sizes.classes, init) }
    }

    fn widest(width: usize, side: usize) -> usize {
        side * side * width
    }

    /// ⌊log2 side⌋ − 2, which leaves 4 to 7 pixels a side.
    fn depth(side: usize) -> usize {
        (side.ilog2() as usize).saturating_sub(2).max(1)
    }

    fn forward(&mut self, mut x: Tensor<4>, mode: Mode) -> Tensor<2> {
        for (conv, norm) in self.convs.iter().zip(&mut self.norms) {
            x = block(conv, norm, x, Then { relu: true, pool: true, shortcut: None }, mode);
        }
        self.classifier.forward(global_average(x), mode)
    }

    fn state<V: StateVisitor>(&mut self, visitor: &mut V) {
        let blocks = self.convs.len();
        for (block, (conv, norm)) in self.convs.iter_mut().zip(&mut self.norms).enumerate() {
            conv.state(&format!("{}", 4 * block), visitor);
            norm.state(&format!("{}", 4 * block + 1), visitor);
        }
        self.classifier.state(&format!("{}", 4 * blocks + 2), visitor);
    }
}
