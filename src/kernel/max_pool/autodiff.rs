//! The autodiff node: keeps images and output.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::{MaxPool, MaxPoolBackward, PoolWindow};

#[derive(Debug)]
struct Node;

impl<B: MaxPoolBackward> Backward<B, 1> for Node {
    type State = (FloatTensor<B>, FloatTensor<B>, PoolWindow);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let (images, output, window) = ops.state;
            B::max_pool_backward(images, output, gradient, window)
        });
    }
}

impl<B: Backend + MaxPoolBackward, C: CheckpointStrategy> MaxPool for Autodiff<B, C> {
    fn max_pool(images: FloatTensor<Self>, window: PoolWindow) -> FloatTensor<Self> {
        let parent = images.node();
        let images = images.into_primitive();
        let output = B::max_pool(images.clone(), window);
        match Node.prepare::<C>([parent]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((images, output.clone(), window), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
