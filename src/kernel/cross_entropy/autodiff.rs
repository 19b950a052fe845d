//! The autodiff node: keeps logits, labels and shares, runs the backward operation of the inner backend.

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

use super::{CrossEntropy, Shares};

#[derive(Debug)]
struct Node;

impl<B: CrossEntropy> Backward<B, 1> for Node {
    type State = (FloatTensor<B>, [IntTensor<B>; 2], Shares);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let (logits, [labels, others], shares) = ops.state;
            B::cross_entropy_backward(logits, labels, others, gradient, shares)
        });
    }
}

impl<B: Backend + CrossEntropy, C: CheckpointStrategy> CrossEntropy for Autodiff<B, C> {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self> {
        let parent = logits.node();
        let logits = logits.into_primitive();
        match Node.prepare::<C>([parent]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let loss = B::cross_entropy(logits.clone(), labels.clone(), others.clone(), shares);
                prepared.finish((logits, [labels, others], shares), loss)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::cross_entropy(logits, labels, others, shares)),
        }
    }

    fn cross_entropy_backward(
        _logits: FloatTensor<Self>,
        _labels: IntTensor<Self>,
        _others: IntTensor<Self>,
        _gradient: FloatTensor<Self>,
        _shares: Shares,
    ) -> FloatTensor<Self> {
        // burn's autodiff is first-order: the node above calls the inner backend's method directly.
        unreachable!("the gradient of cross-entropy is not differentiated again")
    }
}
