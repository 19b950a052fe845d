//! The autodiff node: keeps images and weights.

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::{Convolve, ConvolveBackward, Window};

#[derive(Debug)]
struct Node;

impl<B: ConvolveBackward> Backward<B, 3> for Node {
    type State = (FloatTensor<B>, FloatTensor<B>, Window);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (images, weights, window) = ops.state;
        let [of_images, of_weights, of_bias] = ops.parents;
        let found = B::convolution_backward(images, weights, gradient, window, of_images.is_some());
        if let (Some(node), Some(gradient)) = (of_images, found.images) {
            gradients.register::<B>(node.id, gradient);
        }
        if let Some(node) = of_weights {
            gradients.register::<B>(node.id, found.weights);
        }
        if let Some(node) = of_bias {
            gradients.register::<B>(node.id, found.bias);
        }
    }
}

impl<B: Backend + ConvolveBackward, C: CheckpointStrategy> Convolve for Autodiff<B, C> {
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        let parents = [images.node(), weights.node(), bias.node()];
        let (images, weights) = (images.into_primitive(), weights.into_primitive());
        let bias = bias.into_primitive();
        match Node.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let values = B::convolution(images.clone(), weights.clone(), bias, window);
                prepared.finish((images, weights, window), values)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::convolution(images, weights, bias, window)),
        }
    }
}
