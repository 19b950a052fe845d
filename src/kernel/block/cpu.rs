//! The CPU implementation.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;

use super::{
    Added, Block, BlockBackward, BlockGiven, BlockGradients, BlockOutput, EPSILON, Layout, Norm, Pooling,
};
use crate::kernel::convolution::cpu::{gradient_of_images, gradient_of_weights, work};
use crate::kernel::cpu::block::by_image::{self, Convolved, backward_to_weights, values_again};
use crate::kernel::cpu::block::{Affine, Given, Learned, backward, normalise};
use crate::kernel::cpu::convolution::{Convolution, forward};
use crate::kernel::cpu::{Buffer, Plane, kernels};
use crate::kernel::flex::{floats, tensor, vector};
use crate::kernel::probe::{Work, span};

fn plane(shape: &Convolution, layout: Layout) -> Plane {
    Plane {
        height: shape.output_height(),
        width: shape.output_width(),
        channels: shape.output,
        relu: layout.relu,
        pool: layout.pool,
    }
}

/// Shape of a block's output.
fn output_shape(shape: &Convolution, layout: Layout) -> [usize; 4] {
    let [batch, height, width, channels] = shape.output_shape();
    let halved = if layout.pool == Pooling::None { 1 } else { 2 };
    [batch, height / halved, width / halved, channels]
}

/// Work of the steps after the convolution, for a profile. Comparisons do not count as operations.
fn after(shape: &Convolution, layout: Layout, shortcut: bool, flops_a_value: usize, passes: usize) -> Work {
    let [_, height, width, channels] = shape.output_shape();
    let values = shape.output_len();
    let output = output_shape(shape, layout).iter().product::<usize>();
    Work {
        shape: format!("{height}x{width}x{channels}{}", label(layout, shortcut)),
        flops: (flops_a_value * values) as f64,
        floats: passes * values + output + if shortcut { values } else { 0 },
    }
}

fn label(layout: Layout, shortcut: bool) -> String {
    let pool = match layout.pool {
        Pooling::None => "",
        Pooling::Max => ", pool 2x2",
        Pooling::Average => ", average 2x2",
    };
    let [shortcut, relu] = [(shortcut, " + shortcut"), (layout.relu, ", ReLU")]
        .map(|(there, what)| if there { what } else { "" });
    format!("{shortcut}{relu}{pool}")
}

/// A convolution and what follows it, for a profile; the values between them cross memory only where they are kept.
fn all(shape: &Convolution, layout: Layout, kept: bool) -> Work {
    let (convolution, after) = (work(shape), after(shape, layout, false, 6, 0));
    Work {
        shape: convolution.shape + &label(layout, false),
        flops: convolution.flops + after.flops,
        floats: convolution.floats - if kept { 0 } else { shape.output_len() } + after.floats,
    }
}

/// The way back to the weights, of values that are made again.
fn all_gradients(shape: &Convolution, layout: Layout) -> Work {
    let (convolution, after) = (work(shape), after(shape, layout, false, 9, 0));
    Work {
        shape: convolution.shape + &label(layout, false),
        flops: 2.0 * convolution.flops + after.flops,
        floats: shape.input_len() + shape.weight_len() + after.floats,
    }
}

/// Runs the steps after the convolution: norm, shortcut, ReLU and pool.
fn finish(
    shape: &Convolution,
    layout: Layout,
    values: &[f32],
    affine: &Affine,
    shortcut: Option<FloatTensor<Flex>>,
) -> FloatTensor<Flex> {
    let plane = plane(shape, layout);
    let _span = span("normalise", || after(shape, layout, shortcut.is_some(), 2, 1));
    let mut output = Buffer::new(shape.batch * plane.output());
    let shortcut = shortcut.as_ref().map(floats);
    normalise(kernels(), &plane, values, affine, shortcut.as_deref(), &mut output);
    tensor(output, output_shape(shape, layout))
}

impl Block for Flex {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        added: Added<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        let shape = Convolution::of(&images, &weights, layout.window);
        let (images, weights) = (floats(&images), floats(&weights));
        let (scale, shift) = (floats(&scale), floats(&shift));
        let made_again = layout.norm == Norm::Instance && shape.is_made_again();
        let mut values = Buffer::new(if made_again { 0 } else { shape.output_len() });
        let learned = Learned { weight: &scale, bias: &shift, epsilon: EPSILON };
        let groups = if layout.norm == Norm::Batch { 1 } else { shape.batch };
        let [mut mean, mut variance] = [(); 2].map(|()| vec![0.0; groups * shape.output]);
        let moments = (&mut mean[..], &mut variance[..]);
        let output = match layout.norm {
            Norm::Batch => {
                let convolution = span("convolution", || work(&shape));
                forward(kernels(), &shape, &images, &weights, None, &mut values, Some(moments));
                drop(convolution);
                let affine = Affine::new(&mean, &variance, learned);
                finish(&shape, layout, &values, &affine, added.into_shortcut())
            }
            Norm::Instance => {
                let _span = span("convolution, instance norm", || all(&shape, layout, !made_again));
                let plane = plane(&shape, layout);
                let convolved = Convolved { shape: &shape, images: &images, weights: &weights };
                let mut output = Buffer::new(shape.batch * plane.output());
                by_image::forward(kernels(), convolved, &plane, learned, &mut values, moments, &mut output);
                tensor(output, output_shape(&shape, layout))
            }
        };
        let values = if made_again { tensor(values, [0; 4]) } else { tensor(values, shape.output_shape()) };
        let moments = vector([&mean[..], &variance[..]].concat());
        BlockOutput { output, values, mean: vector(mean), variance: vector(variance), moments }
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
        let shape = Convolution::of(&images, &weights, layout.window);
        let mut values = Buffer::new(shape.output_len());
        let convolution = span("convolution", || work(&shape));
        forward(kernels(), &shape, &floats(&images), &floats(&weights), None, &mut values, None);
        drop(convolution);
        let (mean, variance) = (floats(&mean), floats(&variance));
        let (scale, shift) = (floats(&scale), floats(&shift));
        let learned = Learned { weight: &scale, bias: &shift, epsilon: EPSILON };
        let affine = Affine::new(&mean, &variance, learned);
        finish(&shape, layout, &values, &affine, added.into_shortcut())
    }
}

impl BlockBackward for Flex {
    fn block_backward(
        given: BlockGiven<Self>,
        gradient: FloatTensor<Self>,
        layout: Layout,
        with_images: bool,
    ) -> BlockGradients<Self> {
        let BlockGiven { images, weights, scale, shift, values, moments, output } = given;
        let moments = floats(&moments);
        let (mean, variance) = moments.split_at(moments.len() / 2);
        let shape = Convolution::of(&images, &weights, layout.window);
        let mut of_shortcut = output.is_some().then(|| Buffer::new(shape.output_len()));
        let output = output.as_ref().map(floats);
        let (values, scale, shift, gradient) =
            (floats(&values), floats(&scale), floats(&shift), floats(&gradient));
        let mut given = Given {
            plane: plane(&shape, layout),
            values: &values,
            mean,
            variance,
            learned: Learned { weight: &scale, bias: &shift, epsilon: EPSILON },
            output: output.as_deref(),
            gradient: &gradient,
        };
        let again;
        if layout.norm == Norm::Instance && shape.is_made_again() {
            let (images, weights) = (floats(&images), floats(&weights));
            let convolved = Convolved { shape: &shape, images: &images, weights: &weights };
            if !with_images {
                let _span = span("instance norm, weight gradient", || all_gradients(&shape, layout));
                let mut of_weights = Buffer::new(shape.weight_len());
                let of = backward_to_weights(kernels(), convolved, &given, &mut of_weights);
                return BlockGradients {
                    images: None,
                    weights: tensor(of_weights, shape.weight_shape()),
                    scale: vector(of.weight),
                    shift: vector(of.bias),
                    shortcut: None,
                };
            }
            again = values_again(kernels(), convolved);
            given.values = &again;
        }
        let work = || after(&shape, layout, given.output.is_some(), 9, 2);
        let mut of_values = Buffer::new(shape.output_len());
        let of = match layout.norm {
            Norm::Batch => {
                let _span = span("normalise, gradient", work);
                backward(kernels(), &given, &mut of_values, of_shortcut.as_deref_mut())
            }
            Norm::Instance => {
                let _span = span("instance norm, gradient", work);
                by_image::backward(kernels(), &given, &mut of_values)
            }
        };
        BlockGradients {
            images: with_images.then(|| gradient_of_images(&shape, &weights, &of_values)),
            weights: gradient_of_weights(&shape, &images, &of_values),
            scale: vector(of.weight),
            shift: vector(of.bias),
            shortcut: of_shortcut.map(|gradient| tensor(gradient, shape.output_shape())),
        }
    }
}
