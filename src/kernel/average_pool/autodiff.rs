//! The autodiff node: keeps the shape alone.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::{AveragePool, AveragePoolBackward, Windows};

#[derive(Debug)]
struct Node;

impl<B: AveragePoolBackward> Backward<B, 1> for Node {
    type State = Windows;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            B::average_pool_backward(gradient, ops.state)
        });
    }
}

impl<B: Backend + AveragePoolBackward, C: CheckpointStrategy> AveragePool for Autodiff<B, C> {
    fn average_pool(images: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self> {
        let parent = images.node();
        let images = images.into_primitive();
        let windows = Windows::new(&images.shape(), window);
        let means = B::average_pool(images, window);
        match Node.prepare::<C>([parent]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(windows, means),
            OpsKind::UnTracked(prepared) => prepared.finish(means),
        }
    }
}
