//! A block of a network in one operation: convolution, BatchNorm or InstanceNorm, shortcut, ReLU, 2×2 pool.
//!
//! As one operation the activations cross memory as seldom as they can: the moments are taken while the convolution's
//! output is still in the cache, everything after it is one pass, and so is each half of the way
//! back. An InstanceNorm waits for no other image: on a CPU an image goes through all of it while it is in the cache.
//! Images are `[B, H, W, C]` from the first block to the last.

mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;
#[cfg(all(test, feature = "flex"))]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::Tensor;

use super::convolution::Window;
pub(crate) use super::pooling::Pooling;

/// PyTorch's epsilon of BatchNorm, InstanceNorm and GroupNorm.
pub(crate) const EPSILON: f64 = 1e-5;

/// Whose mean and variance a channel is normalised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Norm {
    /// That of all images of the batch, of one student.
    Batch,
    /// Each image's own (`torch.nn.GroupNorm(C, C)`).
    Instance,
}

/// Settings of a block: the window of its convolution, and the ReLU and pool after its norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) window: Window,
    pub(crate) relu: bool,
    /// After the ReLU. Not together with a shortcut.
    pub(crate) pool: Pooling,
}

/// Settings of a block as a backend gets them: its [`Form`] and its norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) window: Window,
    pub(crate) norm: Norm,
    pub(crate) relu: bool,
    pub(crate) pool: Pooling,
}

impl Form {
    fn with(self, norm: Norm) -> Layout {
        let Self { window, relu, pool } = self;
        Layout { window, norm, relu, pool }
    }
}

/// Tensor added inside a block: a shortcut, a bias, or nothing. (An `Option` does not cross burn's dispatch.)
#[derive(Clone, Debug, ExtensionType)]
pub(crate) enum Added<B: Backend> {
    Nothing,
    /// Before the ReLU, after a BatchNorm.
    Shortcut(FloatTensor<B>),
    /// The convolution's bias, before an InstanceNorm. It moves all values of a channel of an image and their mean alike, so
    /// that nothing is left of it behind the norm: it is in no computation, and its gradient is 0. (PyTorch adds it, and finds
    /// a gradient of roundings.) That gradient is there all the same: an optimiser treats the bias as any other parameter.
    Bias(FloatTensor<B>),
}

impl<B: Backend> Added<B> {
    fn into_shortcut(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Nothing | Self::Bias(_) => None,
            Self::Shortcut(tensor) => Some(tensor),
        }
    }
}

/// A block's output, and the values that its backward pass needs.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct BlockOutput<B: Backend> {
    pub(crate) output: FloatTensor<B>,
    /// The convolution's output, in a layout of the backend's own; empty where the way back makes it again.
    pub(crate) values: FloatTensor<B>,
    /// Mean of each channel of the values: `[O]` of a batch, `[B·O]` of each image.
    pub(crate) mean: FloatTensor<B>,
    /// Their biased variance.
    pub(crate) variance: FloatTensor<B>,
    /// Numbers derived from the moments that the backward pass needs, in a layout of the backend's own.
    pub(crate) moments: FloatTensor<B>,
}

/// Inputs of a block's backward pass: the operands, and the values that the forward pass kept.
#[derive(Clone, Debug)]
pub(crate) struct BlockGiven<B: Backend> {
    pub(crate) images: FloatTensor<B>,
    pub(crate) weights: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) shift: FloatTensor<B>,
    pub(crate) values: FloatTensor<B>,
    pub(crate) moments: FloatTensor<B>,
    /// The output, where there was a shortcut.
    pub(crate) output: Option<FloatTensor<B>>,
}

/// Gradients of a block.
#[derive(Clone, Debug)]
pub(crate) struct BlockGradients<B: Backend> {
    /// Absent when it was not asked for.
    pub(crate) images: Option<FloatTensor<B>>,
    pub(crate) weights: FloatTensor<B>,
    pub(crate) scale: FloatTensor<B>,
    pub(crate) shift: FloatTensor<B>,
    /// Where there was one.
    pub(crate) shortcut: Option<FloatTensor<B>>,
}

/// Operations that a backend implements to run [`block_train`] and [`block_eval`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait Block: Backend {
    /// The block with the moments of the batch, or of its images.
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        #[extension_type] added: Added<Self>,
        layout: Layout,
    ) -> BlockOutput<Self>;

    /// The block with a BatchNorm and given moments. Not differentiated.
    #[allow(clippy::too_many_arguments, reason = "the operands of the operation")]
    fn block_eval(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        #[extension_type] added: Added<Self>,
        layout: Layout,
    ) -> FloatTensor<Self>;
}

/// Backward pass that a backend without autodiff implements.
pub(crate) trait BlockBackward: Block {
    /// The gradients, from that of the output; that of the images only if `with_images`.
    fn block_backward(
        given: BlockGiven<Self>,
        gradient: FloatTensor<Self>,
        layout: Layout,
        with_images: bool,
    ) -> BlockGradients<Self>;
}

/// The tensors of every block: images `[B, H, W, C]`, weights `[O, C, K, K]`, scale and shift `[O]`.
#[derive(Clone, Debug)]
pub(crate) struct Operands {
    pub(crate) images: Tensor<4>,
    pub(crate) weights: Tensor<4>,
    pub(crate) scale: Tensor<1>,
    pub(crate) shift: Tensor<1>,
}

/// A block's norm in training, and what goes with it.
#[derive(Clone, Debug)]
pub(crate) enum Normed {
    /// By the batch, then a shortcut `[B, H', W', O]` if there is one.
    Batch { shortcut: Option<Tensor<4>> },
    /// By each image; the convolution's bias `[O]`, if it has one, has [no effect](Added::Bias).
    Instance { bias: Option<Tensor<1>> },
}

impl Normed {
    fn into_parts(self) -> (Norm, Added<Dispatch>) {
        match self {
            Self::Batch { shortcut } => (Norm::Batch, added_shortcut(shortcut)),
            Self::Instance { bias } => {
                let bias = bias.map(|bias| Added::Bias(bias.into_dispatch()));
                (Norm::Instance, bias.unwrap_or(Added::Nothing))
            }
        }
    }
}

fn added_shortcut(shortcut: Option<Tensor<4>>) -> Added<Dispatch> {
    shortcut.map_or(Added::Nothing, |shortcut| Added::Shortcut(shortcut.into_dispatch()))
}

/// `pool(relu(norm(convolution(images)) + shortcut))` with the moments of the batch or of its images; and those moments, mean
/// and biased variance, `[O]` or `[B·O]`, off the graph. Differentiable once.
///
/// # Panics
/// When shapes do not fit.
pub(crate) fn block_train(
    operands: Operands,
    normed: Normed,
    form: Form,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let (norm, added) = normed.into_parts();
    let found = <Dispatch as Block>::block_train(
        operands.images.into_dispatch(),
        operands.weights.into_dispatch(),
        operands.scale.into_dispatch(),
        operands.shift.into_dispatch(),
        added,
        form.with(norm),
    );
    let output = Tensor::from_dispatch(found.output);
    (output, Tensor::from_dispatch(found.mean), Tensor::from_dispatch(found.variance))
}

/// The same with a BatchNorm and given moments, `[O]` each. Not differentiable.
///
/// # Panics
/// When shapes do not fit.
pub(crate) fn block_eval(
    operands: Operands,
    shortcut: Option<Tensor<4>>,
    [mean, variance]: [Tensor<1>; 2],
    form: Form,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Block>::block_eval(
        operands.images.into_dispatch(),
        operands.weights.into_dispatch(),
        operands.scale.into_dispatch(),
        operands.shift.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        added_shortcut(shortcut),
        form.with(Norm::Batch),
    ))
}
