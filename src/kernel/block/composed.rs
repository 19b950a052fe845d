//! The block of a backend's own operators: what a GPU runs until it has kernels of its own, and what those of the CPU
//! are tested against.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::IntDType;

use super::{BlockGiven, BlockGradients, BlockOutput, EPSILON, Layout};
use crate::kernel::convolution::composed::{channels_first, channels_last};

#[allow(clippy::too_many_arguments, reason = "the operands of the operation")]
pub(super) fn train<B: Backend>(
    images: FloatTensor<B>,
    weights: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    shortcut: Option<FloatTensor<B>>,
    layout: Layout,
) -> BlockOutput<B> {
    let values = B::conv2d(channels_first::<B>(images), weights, None, layout.window.options());
    let normal = B::batch_norm_train(values.clone(), scale, shift, EPSILON);
    let output = finish::<B>(normal.output, shortcut, layout);
    BlockOutput { output, values, mean: normal.mean, variance: normal.variance }
}

#[allow(clippy::too_many_arguments, reason = "the operands of the operation")]
pub(super) fn eval<B: Backend>(
    images: FloatTensor<B>,
    weights: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    shortcut: Option<FloatTensor<B>>,
    layout: Layout,
) -> FloatTensor<B> {
    let values = B::conv2d(channels_first::<B>(images), weights, None, layout.window.options());
    finish::<B>(B::batch_norm(values, scale, shift, mean, variance, EPSILON), shortcut, layout)
}

/// Shortcut, ReLU and pool of normalised values `[B, C, H, W]`, as `[B, H, W, C]`.
fn finish<B: Backend>(
    normal: FloatTensor<B>,
    shortcut: Option<FloatTensor<B>>,
    layout: Layout,
) -> FloatTensor<B> {
    let mut output = match shortcut {
        Some(shortcut) => B::float_add(normal, channels_first::<B>(shortcut)),
        None => normal,
    };
    if layout.relu {
        output = B::relu(output);
    }
    if layout.pool {
        output = B::max_pool2d(output, [2; 2], [2; 2], [0; 2], [1; 2], false);
    }
    channels_last::<B>(output)
}

pub(super) fn backward<B: Backend>(
    given: BlockGiven<B>,
    gradient: FloatTensor<B>,
    layout: Layout,
    with_images: bool,
) -> BlockGradients<B> {
    let BlockGiven { images, weights, scale, shift, values, mean, variance, output } = given;
    let mut gradient = channels_first::<B>(gradient);
    let has_shortcut = output.is_some();
    // With a shortcut the output says what the ReLU let through; without, the values do, normalised again.
    let mut activated = match output {
        Some(output) => channels_first::<B>(output),
        None => {
            let (mean, variance) = (mean.clone(), variance.clone());
            B::batch_norm(values.clone(), scale.clone(), shift, mean, variance, EPSILON)
        }
    };
    if layout.relu && !has_shortcut {
        activated = B::relu(activated);
    }
    if layout.pool {
        let (size, none, one) = ([2; 2], [0; 2], [1; 2]);
        let found =
            B::max_pool2d_with_indices(activated.clone(), size, size, none, one, false, IntDType::I32);
        gradient = B::max_pool2d_with_indices_backward(
            activated.clone(),
            size,
            size,
            none,
            one,
            false,
            gradient,
            found.indices,
        )
        .x_grad;
    }
    if layout.relu {
        gradient = B::relu_backward(activated, gradient);
    }
    let shortcut = has_shortcut.then(|| channels_last::<B>(gradient.clone()));
    let normal = B::batch_norm_train_backward(values, scale, mean, variance, EPSILON, gradient);
    let images = channels_first::<B>(images);
    let options = layout.window.options();
    let of_images = with_images.then(|| {
        let (images, weights) = (images.clone(), weights.clone());
        channels_last::<B>(B::conv2d_x_backward(images, weights, normal.x_grad.clone(), options.clone()))
    });
    let channels = normal.gamma_grad.shape().num_elements();
    let vector = |tensor| B::float_reshape(tensor, [channels].into());
    BlockGradients {
        images: of_images,
        weights: B::conv2d_weight_backward(images, weights, normal.x_grad, options),
        scale: vector(normal.gamma_grad),
        shift: vector(normal.beta_grad),
        shortcut,
    }
}
