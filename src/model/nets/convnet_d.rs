//! The field's ConvNet-D (Gidaris and Komodakis 2018; Zhao et al., "Dataset condensation", 2021).

use burn::module::Module;
use burn::tensor::Tensor;

use crate::kernel::reshape::reshape;
use crate::model::init::Initializer;
use crate::model::layers::{Conv, InstanceNorm, Linear, Mode, instance_block};
use crate::model::net::{Net, Sizes};
use crate::model::visit::StateVisitor;

/// D = log2 px − 2, to the nearest, blocks of conv 3×3 with bias, InstanceNorm, ReLU, average pool 2×2; flatten; linear.
#[derive(Module, Debug)]
pub struct ConvNetD {
    convs: Vec<Conv>,
    norms: Vec<InstanceNorm>,
    classifier: Linear,
}

impl Net for ConvNetD {
    /// Channels of every block.
    type Choice = usize;

    const LEAST_SIDE: usize = 8;
    const KEEPS_STATISTICS: bool = false;

    fn new(width: usize, sizes: Sizes, init: &mut Initializer) -> Self {
        let depth = Self::depth(sizes.side);
        let mut convs = Vec::new();
        for block in 0..depth {
            convs.push(Conv::new(if block == 0 { 3 } else { width }, width, 3, true, init));
        }
        let norms = convs.iter().map(|_| InstanceNorm::new(width, init)).collect();
        let side = sizes.side >> depth;
        Self { convs, norms, classifier: Linear::new(width * side * side, sizes.classes, init) }
    }

    fn widest(width: usize, side: usize) -> usize {
        side * side * width
    }

    /// log2 side − 2, rounded to the nearest whole number, as is usual in the literature: 3 for 28 and 32 pixels, 4 for 64,
    /// 5 for 128, 6 for 224. This leaves 2 to 5 pixels a side.
    fn depth(side: usize) -> usize {
        let floor = side.ilog2() as usize;
        // log2 side is nearer to the next whole number when side² ≥ 2^(2⌊log2 side⌋ + 1).
        let above = side.saturating_mul(side) >> (2 * floor + 1) > 0;
        let halvings = if above { floor + 1 } else { floor };
        halvings.saturating_sub(2).max(1)
    }

    fn forward(&mut self, mut x: Tensor<4>, mode: Mode) -> Tensor<2> {
        for (conv, norm) in self.convs.iter().zip(&self.norms) {
            x = instance_block(conv, norm, x, mode);
        }
        let [batch, height, width, channels] = x.dims();
        // The classifier's weights are in PyTorch's order of features.
        let features = reshape(x.permute([0, 3, 1, 2]), [batch, channels * height * width]);
        self.classifier.forward(features, mode)
    }

    fn state<V: StateVisitor>(&mut self, visitor: &mut V) {
        for (block, (conv, norm)) in self.convs.iter_mut().zip(&mut self.norms).enumerate() {
            conv.state(&format!("features.{}", 4 * block), visitor);
            norm.state(&format!("features.{}", 4 * block + 1), visitor);
        }
        self.classifier.state("classifier", visitor);
    }
}
