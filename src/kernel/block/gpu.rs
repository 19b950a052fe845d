//! The GPU implementation: burn's operators.

use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;

use super::{Block, BlockBackward, BlockGiven, BlockGradients, BlockOutput, Layout, Shortcut, composed};

impl Block for CubeBackend {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        composed::train::<Self>(images, weights, scale, shift, shortcut.into_option(), layout)
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
        composed::eval::<Self>(images, weights, scale, shift, mean, variance, shortcut.into_option(), layout)
    }
}

impl BlockBackward for CubeBackend {
    fn block_backward(
        given: BlockGiven<Self>,
        gradient: FloatTensor<Self>,
        layout: Layout,
        with_images: bool,
    ) -> BlockGradients<Self> {
        composed::backward::<Self>(given, gradient, layout, with_images)
    }
}
