//! InstanceNorm, and blocks with it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::conv::Conv;
use super::mode::Mode;
use crate::kernel::block::{Form, Normed, Operands, Pooling, block_train};
use crate::model::init::Initializer;
use crate::model::visit::StateVisitor;

/// Instance normalisation with a learned scale and shift (`torch.nn.GroupNorm(C, C)`).
#[derive(Module, Debug)]
pub(crate) struct InstanceNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

impl InstanceNorm {
    pub(crate) fn new(channels: usize, init: &Initializer) -> Self {
        Self { weight: init.constant(channels, 1.0), bias: init.constant(channels, 0.0) }
    }

    pub(crate) fn state<V: StateVisitor>(&mut self, name: &str, visitor: &mut V) {
        visitor.tensor(&format!("{name}.weight"), &mut self.weight);
        visitor.tensor(&format!("{name}.bias"), &mut self.bias);
    }
}

/// Convolution, InstanceNorm, ReLU and 2×2 average pool, of images `[B, H, W, C]`, as one operation, the same in training and
/// in evaluation. The convolution's bias is learned and saved as PyTorch's is, but changes nothing here.
pub(crate) fn instance_block(conv: &Conv, norm: &InstanceNorm, images: Tensor<4>, mode: Mode) -> Tensor<4> {
    let window = conv.window(mode);
    let form = Form { window, relu: true, pool: Pooling::Average };
    let operands =
        Operands { images, weights: conv.weight.val(), scale: norm.weight.val(), shift: norm.bias.val() };
    let normed = Normed::Instance { bias: conv.bias.as_ref().map(Param::val) };
    block_train(operands, normed, form).0
}
