//! The layers the networks are made of, with PyTorch's semantics.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::init::Initializer;
use super::state::StateVisitor;
use crate::device::Precision;
use crate::kernel::average_pool::average_pool;
use crate::kernel::block::{Form, Normed, Operands, Pooling, block_eval, block_train};
use crate::kernel::convolution::{Window, convolution};
use crate::kernel::reshape::reshape;
use crate::kernel::update::running;

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Normalises by the statistics of the batch, each student of a stacked network by those of its own images.
    Train { students: usize },
    /// Normalises by the running statistics.
    Eval,
    /// Normalises by the statistics of the batch, and leaves the running ones as they are.
    Adapted,
}

impl Mode {
    fn students(self) -> usize {
        match self {
            Self::Train { students } => students,
            Self::Eval | Self::Adapted => 1,
        }
    }
}

/// A square convolution.
#[derive(Module, Debug)]
pub(crate) struct Conv {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
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

    /// Rows or columns of the output, from those of the images.
    fn output(&self, length: usize) -> usize {
        (length + 2 * self.padding - self.weight.dims()[2]) / self.stride + 1
    }

    fn window(&self, mode: Mode) -> Window {
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

/// PyTorch's momentum of BatchNorm.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation, with PyTorch's running statistics: new = 0.9 old + 0.1
/// batch, the variance unbiased. (burn's own layer keeps the biased one.)
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

impl BatchNorm {
    pub(crate) fn new(channels: usize, init: &Initializer) -> Self {
        Self {
            weight: init.constant(channels, 1.0),
            bias: init.constant(channels, 0.0),
            running_mean: init.buffer(channels, 0.0),
            running_var: init.buffer(channels, 1.0),
        }
    }

    pub(crate) fn state<V: StateVisitor>(&mut self, name: &str, visitor: &mut V) {
        visitor.tensor(&format!("{name}.weight"), &mut self.weight);
        visitor.tensor(&format!("{name}.bias"), &mut self.bias);
        visitor.tensor(&format!("{name}.running_mean"), &mut self.running_mean);
        visitor.tensor(&format!("{name}.running_var"), &mut self.running_var);
        visitor.batch_counter(&format!("{name}.num_batches_tracked"));
    }
}

/// What follows the normalisation of a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Then {
    /// Added before the ReLU.
    pub(crate) shortcut: Option<Tensor<4>>,
    pub(crate) relu: bool,
    /// 2×2 max pool.
    pub(crate) pool: bool,
}

/// Convolution without bias, BatchNorm and what follows, of images `[B, H, W, C]`, as one operation.
pub(crate) fn block(
    conv: &Conv,
    norm: &mut BatchNorm,
    images: Tensor<4>,
    then: Then,
    mode: Mode,
) -> Tensor<4> {
    let pool = if then.pool { Pooling::Max } else { Pooling::None };
    let form = Form { window: conv.window(mode), relu: then.relu, pool };
    let operands =
        Operands { images, weights: conv.weight.val(), scale: norm.weight.val(), shift: norm.bias.val() };
    if mode == Mode::Eval {
        let moments = [norm.running_mean.val(), norm.running_var.val()];
        return block_eval(operands, then.shortcut, moments, form);
    }
    let [batch, height, width, _] = operands.images.dims();
    let n = (batch / mode.students() * conv.output(height) * conv.output(width)) as f64;
    let normed = Normed::Batch { shortcut: then.shortcut };
    let (output, mean, variance) = block_train(operands, normed, form);
    if mode == Mode::Adapted {
        return output;
    }
    // PyTorch keeps the unbiased variance.
    let unbiased = n / (n - 1.0).max(1.0);
    let own = [&norm.running_mean, &norm.running_var].map(|own| own.val().inner());
    let take = (MOMENTUM as f32, (MOMENTUM * unbiased) as f32);
    let new = running(own, [mean.inner(), variance.inner()], (1.0 - MOMENTUM) as f32, take);
    for (own, new) in [&mut norm.running_mean, &mut norm.running_var].into_iter().zip(new) {
        let new = if own.val().is_autodiff() { Tensor::from_inner(new) } else { new };
        *own = Param::initialized(own.id, new).set_require_grad(false);
    }
    output
}

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
        // A convolution of images of one pixel: our kernels, and no other product is linked for this one.
        let ([batch, input], [outputs, _]) = (x.dims(), self.weight.dims());
        let (students, weight) = (mode.students(), reshape(self.weight.val(), [outputs, input, 1, 1]));
        // In full precision always: its products are few, and losses and scores are read from what it says.
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
