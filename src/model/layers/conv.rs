//! Convolutions with PyTorch's weights.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::mode::Mode;
use crate::device::Precision;
use crate::kernel::convolution::Window;
use crate::model::init::Initializer;
use crate::model::visit::StateVisitor;

/// A square convolution.
#[derive(Module, Debug)]
pub(crate) struct Conv {
    pub(super) weight: Param<Tensor<4>>,
    pub(super) bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
    #[module(skip)]
    precision: Precision,
}

impl Conv {
    /// A convolution with `torch.nn.Conv2d`'s initial weights.
    pub(crate) fn new(
        input: usize,
        output: usize,
        kernel: usize,
        bias: bool,
        init: &mut Initializer,
    ) -> Self {
        let fan_in = input * kernel * kernel;
        let weight = init.uniform([output, input, kernel, kernel], fan_in);
        let bias = bias.then(|| init.uniform([output], fan_in));
        Self { weight, bias, stride: 1, padding: kernel / 2, precision: init.precision() }
    }

    /// A convolution without bias and with torchvision's ResNet weights.
    pub(crate) fn resnet(
        input: usize,
        output: usize,
        kernel: usize,
        stride: usize,
        init: &mut Initializer,
    ) -> Self {
        let weight = init.kaiming_normal([output, input, kernel, kernel], output * kernel * kernel);
        Self { weight, bias: None, stride, padding: kernel / 2, precision: init.precision() }
    }

    /// Number of rows or columns of the output for images with `length` rows or columns.
    pub(super) fn output(&self, length: usize) -> usize {
        (length + 2 * self.padding - self.weight.dims()[2]) / self.stride + 1
    }

    pub(super) fn window(&self, mode: Mode) -> Window {
        Window {
            stride: self.stride,
            padding: self.padding,
            students: mode.students(),
            precision: self.precision,
        }
    }

    pub(crate) fn state<V: StateVisitor>(&mut self, name: &str, visitor: &mut V) {
        visitor.tensor(&format!("{name}.weight"), &mut self.weight);
        if let Some(bias) = &mut self.bias {
            visitor.tensor(&format!("{name}.bias"), bias);
        }
    }
}
