//! The autodiff node: keeps logits and targets, runs the backward operation of the inner backend.

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::CrossEntropy;

#[derive(Debug)]
struct Node;

impl<B: CrossEntropy> Backward<B, 1> for Node {
    type State = (FloatTensor<B>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let (logits, targets) = ops.state;
            B::cross_entropy_backward(logits, targets, gradient)
        });
    }
}

impl<B: Backend + CrossEntropy, C: CheckpointStrategy> CrossEntropy for Autodiff<B, C> {
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let parent = logits.node();
        let logits = logits.into_primitive();
        match Node.prepare::<C>([parent]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let loss = B::cross_entropy(logits.clone(), targets.clone());
                prepared.finish((logits, targets), loss)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::cross_entropy(logits, targets)),
        }
    }

    fn cross_entropy_backward(
        _logits: FloatTensor<Self>,
        _targets: IntTensor<Self>,
        _gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        // burn's autodiff is first-order: the node above calls the inner backend's method directly.
        unreachable!("the gradient of cross-entropy is not differentiated again")
    }
}
