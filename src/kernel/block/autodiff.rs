//! The autodiff node: keeps the operands, the convolution's output and its moments.

use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::{Block, BlockBackward, BlockGiven, BlockOutput, Layout, Shortcut};

/// A block without and with a shortcut: four and five parents.
#[derive(Debug)]
struct Node;

macro_rules! node {
    ($parents:literal: $($shortcut:ident)?) => {
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
                let [images, weights, scale, shift $(, $shortcut)?] = ops.parents;
                let found = B::block_backward(given, gradient, layout, images.is_some());
                let found = [
                    (images, found.images),
                    (weights, Some(found.weights)),
                    (scale, Some(found.scale)),
                    (shift, Some(found.shift)),
                    $(($shortcut, found.shortcut),)?
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
node!(5: shortcut);

impl<B: Backend + BlockBackward, C: CheckpointStrategy> Block for Autodiff<B, C> {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        let nodes = [images.node(), weights.node(), scale.node(), shift.node()];
        let operands = [images, weights, scale, shift].map(|tensor| tensor.into_primitive());
        macro_rules! record {
            ($nodes:expr, $shortcut:expr, $keeps_output:literal) => {{
                let [images, weights, scale, shift] = operands.clone();
                let found = B::block_train(images, weights, scale, shift, $shortcut, layout);
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
        match shortcut {
            Shortcut::None => record!(nodes, Shortcut::None, false),
            Shortcut::Of(shortcut) => {
                let [images, weights, scale, shift] = nodes;
                let nodes = [images, weights, scale, shift, shortcut.node()];
                record!(nodes, Shortcut::Of(shortcut.into_primitive()), true)
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
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> FloatTensor<Self> {
        let operands = [images, weights, scale, shift, mean, variance];
        let [images, weights, scale, shift, mean, variance] = operands.map(|tensor| tensor.into_primitive());
        let shortcut = match shortcut {
            Shortcut::None => Shortcut::None,
            Shortcut::Of(shortcut) => Shortcut::Of(shortcut.into_primitive()),
        };
        Self::from_inner(B::block_eval(images, weights, scale, shift, mean, variance, shortcut, layout))
    }
}
