//! The autodiff node: keeps the operands, the convolution's output and its moments.

use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::{Added, Block, BlockBackward, BlockGiven, BlockOutput, Layout};

/// A block to which nothing and something is added: four and five parents.
#[derive(Debug)]
struct Node;

/// Zeros, as many as there are numbers in a tensor.
fn zeros<B: Backend>(like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros(like.shape(), &like.device(), like.dtype().into())
}

macro_rules! node {
    ($parents:literal: $($added:ident)?) => {
        impl<B: BlockBackward> Backward<B, $parents> for Node {
            type State = (BlockGiven<B>, Layout);

            fn backward(
                self,
                ops: Ops<Self::State, $parents>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let gradient = gradients.consume::<B>(&ops.node);
                let (given, layout) = ops.state;
                let [images, weights, scale, shift $(, $added)?] = ops.parents;
                // A bias has as many channels as the scale.
                $(let ($added, bias) = ($added, given.scale.clone());)?
                let found = B::block_backward(given, gradient, layout, images.is_some());
                let found = [
                    (images, found.images),
                    (weights, Some(found.weights)),
                    (scale, Some(found.scale)),
                    (shift, Some(found.shift)),
                    $(($added, Some(found.shortcut.unwrap_or_else(|| zeros::<B>(&bias)))),)?
                ];
                for (node, gradient) in found {
                    if let (Some(node), Some(gradient)) = (node, gradient) {
                        gradients.register::<B>(node.id, gradient);
                    }
                }
            }
        }
    };
}

node!(4:);
node!(5: added);

impl<B: Backend + BlockBackward, C: CheckpointStrategy> Block for Autodiff<B, C> {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        added: Added<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        let nodes = [images.node(), weights.node(), scale.node(), shift.node()];
        let operands = [images, weights, scale, shift].map(|tensor| tensor.into_primitive());
        macro_rules! record {
            ($nodes:expr, $added:expr, $keeps_output:literal) => {{
                let [images, weights, scale, shift] = operands.clone();
                let found = B::block_train(images, weights, scale, shift, $added, layout);
                let BlockOutput { output, values, mean, variance, moments } = found;
                let output = match Node.prepare::<C>($nodes).compute_bound().stateful() {
                    OpsKind::Tracked(prepared) => {
                        let [images, weights, scale, shift] = operands;
                        let given = BlockGiven {
                            images,
                            weights,
                            scale,
                            shift,
                            values: values.clone(),
                            moments: moments.clone(),
                            output: $keeps_output.then(|| output.clone()),
                        };
                        prepared.finish((given, layout), output)
                    }
                    OpsKind::UnTracked(prepared) => prepared.finish(output),
                };
                let [values, mean, variance, moments] =
                    [values, mean, variance, moments].map(Self::from_inner);
                BlockOutput { output, values, mean, variance, moments }
            }};
        }
        match added {
            Added::Nothing => record!(nodes, Added::Nothing, false),
            Added::Shortcut(shortcut) => {
                let [images, weights, scale, shift] = nodes;
                let nodes = [images, weights, scale, shift, shortcut.node()];
                record!(nodes, Added::Shortcut(shortcut.into_primitive()), true)
            }
            Added::Bias(bias) => {
                let [images, weights, scale, shift] = nodes;
                let nodes = [images, weights, scale, shift, bias.node()];
                record!(nodes, Added::Bias(bias.into_primitive()), false)
            }
        }
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
        let operands = [images, weights, scale, shift, mean, variance];
        let [images, weights, scale, shift, mean, variance] = operands.map(|tensor| tensor.into_primitive());
        let added = match added {
            Added::Nothing => Added::Nothing,
            Added::Shortcut(shortcut) => Added::Shortcut(shortcut.into_primitive()),
            Added::Bias(bias) => Added::Bias(bias.into_primitive()),
        };
        Self::from_inner(B::block_eval(images, weights, scale, shift, mean, variance, added, layout))
    }
}
