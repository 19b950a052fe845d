//! BatchNorm, and blocks with it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::conv::Conv;
use super::mode::Mode;
use crate::kernel::block::{Form, Normed, Operands, Pooling, block_eval, block_train};
use crate::kernel::update::running;
use crate::model::init::Initializer;
use crate::model::visit::StateVisitor;

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

/// Operations after the normalisation of a block.
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
