//! The CPU implementation.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;

use super::{Block, BlockBackward, BlockGiven, BlockGradients, BlockOutput, EPSILON, Layout, Shortcut};
use crate::kernel::convolution::cpu::{gradient_of_images, gradient_of_weights, work};
use crate::kernel::cpu::block::{Affine, Given, backward, normalise};
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

/// What follows the convolution, for a profile. Comparisons do not count as operations.
fn after(shape: &Convolution, layout: Layout, shortcut: bool, flops_a_value: usize, passes: usize) -> Work {
    let [_, height, width, channels] = shape.output_shape();
    let mut label = format!("{height}x{width}x{channels}");
    for (there, what) in [(shortcut, " + shortcut"), (layout.relu, ", ReLU"), (layout.pool, ", pool 2x2")] {
        if there {
            label.push_str(what);
        }
    }
    let values = shape.output_len();
    let output = if layout.pool { values / 4 } else { values };
    let shortcut = if shortcut { values } else { 0 };
    Work { shape: label, flops: (flops_a_value * values) as f64, floats: passes * values + output + shortcut }
}

/// What follows the convolution.
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
    let [batch, height, width, channels] = shape.output_shape();
    let halved = if layout.pool { 2 } else { 1 };
    tensor(output, [batch, height / halved, width / halved, channels])
}

impl Block for Flex {
    fn block_train(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> BlockOutput<Self> {
        let shape = Convolution::of(&images, &weights, layout.window);
        let mut values = Buffer::new(shape.output_len());
        let (mut mean, mut variance) = (vec![0.0; shape.output], vec![0.0; shape.output]);
        let moments = Some((&mut mean[..], &mut variance[..]));
        let convolution = span("convolution", || work(&shape));
        forward(kernels(), &shape, &floats(&images), &floats(&weights), None, &mut values, moments);
        drop(convolution);
        let affine = Affine::new(&mean, &variance, &floats(&scale), &floats(&shift), EPSILON);
        let output = finish(&shape, layout, &values, &affine, shortcut.into_option());
        let values = tensor(values, shape.output_shape());
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
        shortcut: Shortcut<Self>,
        layout: Layout,
    ) -> FloatTensor<Self> {
        let shape = Convolution::of(&images, &weights, layout.window);
        let mut values = Buffer::new(shape.output_len());
        let convolution = span("convolution", || work(&shape));
        forward(kernels(), &shape, &floats(&images), &floats(&weights), None, &mut values, None);
        drop(convolution);
        let (mean, variance) = (floats(&mean), floats(&variance));
        let affine = Affine::new(&mean, &variance, &floats(&scale), &floats(&shift), EPSILON);
        finish(&shape, layout, &values, &affine, shortcut.into_option())
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
        let normalise = span("normalise, gradient", || after(&shape, layout, output.is_some(), 9, 2));
        let mut of_values = Buffer::new(shape.output_len());
        let mut of_shortcut = output.is_some().then(|| Buffer::new(shape.output_len()));
        let output = output.as_ref().map(floats);
        let learned = backward(
            kernels(),
            &Given {
                plane: plane(&shape, layout),
                values: &floats(&values),
                mean,
                variance,
                weight: &floats(&scale),
                bias: &floats(&shift),
                epsilon: EPSILON,
                output: output.as_deref(),
                gradient: &floats(&gradient),
            },
            &mut of_values,
            of_shortcut.as_deref_mut(),
        );
        drop(normalise);
        BlockGradients {
            images: with_images.then(|| gradient_of_images(&shape, &weights, &of_values)),
            weights: gradient_of_weights(&shape, &images, &of_values),
            scale: vector(learned.weight),
            shift: vector(learned.bias),
            shortcut: of_shortcut.map(|gradient| tensor(gradient, shape.output_shape())),
        }
    }
}
