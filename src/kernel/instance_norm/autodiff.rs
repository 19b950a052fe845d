//! The autodiff node: keeps the operands.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::{InstanceNorm, InstanceNormBackward};

#[derive(Debug)]
struct Node;

impl<B: InstanceNormBackward> Backward<B, 3> for Node {
    type State = [FloatTensor<B>; 3];

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let [images, scale, shift] = ops.state;
        let found = B::instance_norm_backward(images, scale, shift, gradient);
        for (node, gradient) in ops.parents.into_iter().zip([found.images, found.scale, found.shift]) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Backend + InstanceNormBackward, C: CheckpointStrategy> InstanceNorm for Autodiff<B, C> {
    fn instance_norm(
        images: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let parents = [images.node(), scale.node(), shift.node()];
        let [images, scale, shift] = [images, scale, shift].map(|tensor| tensor.into_primitive());
        let output = B::instance_norm(images.clone(), scale.clone(), shift.clone());
        match Node.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([images, scale, shift], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
