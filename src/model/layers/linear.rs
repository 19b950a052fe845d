//! The classifier, and the mean before it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::mode::Mode;
use crate::device::Precision;
use crate::kernel::average_pool::average_pool;
use crate::kernel::convolution::{Window, convolution};
use crate::kernel::reshape::reshape;
use crate::model::init::Initializer;
use crate::model::visit::StateVisitor;

/// The classifier: a linear layer with `torch.nn.Linear`'s initial weights and layout, `[output, input]`.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Linear {
    pub(crate) fn new(input: usize, output: usize, init: &mut Initializer) -> Self {
        Self { weight: init.uniform([output, input], input), bias: init.uniform([output], input) }
    }

    pub(crate) fn forward(&self, x: Tensor<2>, mode: Mode) -> Tensor<2> {
        // Computed as a convolution of images of one pixel, so that our own kernels serve and no other matrix product is linked.
        let ([batch, input], [outputs, _]) = (x.dims(), self.weight.dims());
        let (students, weight) = (mode.students(), reshape(self.weight.val(), [outputs, input, 1, 1]));
        // Always in full precision: its products are few, and losses and scores depend directly on its result.
        let window = Window { stride: 1, padding: 0, students, precision: Precision::Full };
        let logits = convolution(reshape(x, [batch, 1, 1, input]), weight, self.bias.val(), window);
        reshape(logits, [batch, outputs / students])
    }

    pub(crate) fn state<V: StateVisitor>(&mut self, name: &str, visitor: &mut V) {
        visitor.tensor(&format!("{name}.weight"), &mut self.weight);
        visitor.tensor(&format!("{name}.bias"), &mut self.bias);
    }
}

/// Mean over the pixels of each channel: `[B, H, W, C]` to `[B, C]`.
pub(crate) fn global_average(x: Tensor<4>) -> Tensor<2> {
    let [batch, height, width, channels] = x.dims();
    reshape(average_pool(x, [height, width]), [batch, channels])
}
