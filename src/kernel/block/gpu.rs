//! The GPU implementation.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{Added, Block, BlockBackward, BlockGiven, BlockGradients, BlockOutput, EPSILON, Layout};
use crate::kernel::gpu::convolution::{convolve, image_gradient, weight_gradient};
use crate::kernel::gpu::normalise::{After, affine, gradients, moments, normalise};

fn after(layout: Layout) -> After {
    After { relu: layout.relu, pool: layout.pool }
}

impl Block for CubeBackend {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        added: Added<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        let values = convolve(images, weights, None, layout.window);
        let found = moments(&values, &scale, &shift, layout.norm, EPSILON);
        let output = normalise(&values, &found.affine, added.into_shortcut(), after(layout));
        BlockOutput { output, values, mean: found.mean, variance: found.variance, moments: found.affine }
    }

    fn block_eval(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        added: Added<Self>,
        layout: Layout,
    ) -> FloatTensor<Self> {
        let values = convolve(images, weights, None, layout.window);
        let affine = affine(mean, variance, scale, shift, EPSILON);
        normalise(&values, &affine, added.into_shortcut(), after(layout))
    }
}

impl BlockBackward for CubeBackend {
    fn block_backward(
        given: BlockGiven<Self>,
        gradient: FloatTensor<Self>,
        layout: Layout,
        with_images: bool,
    ) -> BlockGradients<Self> {
        let BlockGiven { images, weights, values, moments, output, .. } = given;
        let groups = (layout.norm, layout.window.students);
        let found = gradients(&values, gradient, &moments, groups, output, after(layout));
        let of_images = with_images
            .then(|| image_gradient(found.values.clone(), weights.clone(), &images.shape(), layout.window));
        BlockGradients {
            images: of_images,
            weights: weight_gradient(images, found.values, &weights.shape(), layout.window),
            scale: found.scale,
            shift: found.shift,
            shortcut: found.shortcut,
        }
    }
}
