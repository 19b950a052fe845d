//! The GPU implementation: burn's operators, until the block has kernels of its own there.

use burn::backend::TensorMetadata;
use burn::backend::ops::{ActivationOps, FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::tensor::IntDType;
use burn_cubecl::CubeBackend;

use super::{Block, BlockBackward, BlockGiven, BlockGradients, BlockOutput, EPSILON, Layout, Shortcut};
use crate::kernel::convolution::gpu::{channels_first, channels_last};

/// Shortcut, ReLU and pool of normalised values `[B, C, H, W]`, as `[B, H, W, C]`.
fn finish(
    normal: FloatTensor<CubeBackend>,
    shortcut: Shortcut<CubeBackend>,
    layout: Layout,
) -> FloatTensor<CubeBackend> {
    let mut output = match shortcut.into_option() {
        Some(shortcut) => CubeBackend::float_add(normal, channels_first(shortcut)),
        None => normal,
    };
    if layout.relu {
        output = CubeBackend::relu(output);
    }
    if layout.pool {
        output = CubeBackend::max_pool2d(output, [2; 2], [2; 2], [0; 2], [1; 2], false);
    }
    channels_last(output)
}

impl Block for CubeBackend {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        let values = Self::conv2d(channels_first(images), weights, None, layout.window.options());
        let normal = Self::batch_norm_train(values.clone(), scale, shift, EPSILON);
        let output = finish(normal.output, shortcut, layout);
        BlockOutput { output, values, mean: normal.mean, variance: normal.variance }
    }

    fn block_eval(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> FloatTensor<Self> {
        let values = Self::conv2d(channels_first(images), weights, None, layout.window.options());
        finish(Self::batch_norm(values, scale, shift, mean, variance, EPSILON), shortcut, layout)
    }
}

impl BlockBackward for CubeBackend {
    fn block_backward(
        given: BlockGiven<Self>,
        gradient: FloatTensor<Self>,
        layout: Layout,
        with_images: bool,
    ) -> BlockGradients<Self> {
        let BlockGiven { images, weights, scale, shift, values, mean, variance, output } = given;
        let mut gradient = channels_first(gradient);
        let has_shortcut = output.is_some();
        // With a shortcut the output says what the ReLU let through; without, the values do, normalised again.
        let mut activated = match output {
            Some(output) => channels_first(output),
            None => {
                let (mean, variance) = (mean.clone(), variance.clone());
                Self::batch_norm(values.clone(), scale.clone(), shift, mean, variance, EPSILON)
            }
        };
        if layout.relu && !has_shortcut {
            activated = Self::relu(activated);
        }
        if layout.pool {
            let (size, none, one) = ([2; 2], [0; 2], [1; 2]);
            let found =
                Self::max_pool2d_with_indices(activated.clone(), size, size, none, one, false, IntDType::I32);
            gradient = Self::max_pool2d_with_indices_backward(
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
            gradient = Self::relu_backward(activated, gradient);
        }
        let shortcut = has_shortcut.then(|| channels_last(gradient.clone()));
        let normal = Self::batch_norm_train_backward(values, scale, mean, variance, EPSILON, gradient);
        let images = channels_first(images);
        let options = layout.window.options();
        let of_images = with_images.then(|| {
            let (images, weights) = (images.clone(), weights.clone());
            channels_last(Self::conv2d_x_backward(images, weights, normal.x_grad.clone(), options.clone()))
        });
        let channels = normal.gamma_grad.shape().num_elements();
        let vector = |tensor| Self::float_reshape(tensor, [channels].into());
        BlockGradients {
            images: of_images,
            weights: Self::conv2d_weight_backward(images, weights, normal.x_grad, options),
            scale: vector(normal.gamma_grad),
            shift: vector(normal.beta_grad),
            shortcut,
        }
    }
}
