//! The CPU implementation.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::{ConvolutionGradients, Convolve, ConvolveBackward, Window};
use crate::kernel::cpu::convolution::{Convolution, channel_sums, forward, input_gradient, weight_gradient};
use crate::kernel::cpu::{Buffer, kernels};
use crate::kernel::flex::{floats, tensor, vector};
use crate::kernel::probe::{Work, span};

impl Convolution {
    /// The convolution of these images with these weights.
    pub(in crate::kernel) fn of(
        images: &FloatTensor<Flex>,
        weights: &FloatTensor<Flex>,
        window: Window,
    ) -> Self {
        let (images, weights) = (images.shape(), weights.shape());
        assert_eq!(window.students, 1, "on a CPU every student has operands of its own");
        assert_eq!(weights[2], weights[3], "kernels are square");
        assert_eq!(images[3], weights[1], "as many channels as the weights take");
        Self {
            batch: images[0],
            height: images[1],
            width: images[2],
            input: images[3],
            output: weights[0],
            kernel: weights[2],
            stride: window.stride,
            padding: window.padding,
        }
    }

    pub(in crate::kernel) fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.height, self.width, self.input]
    }

    pub(in crate::kernel) fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.output_height(), self.output_width(), self.output]
    }

    pub(in crate::kernel) fn weight_shape(&self) -> [usize; 4] {
        [self.output, self.input, self.kernel, self.kernel]
    }
}

/// Work of one pass of a convolution, for a profile. All three passes have the same number of products.
pub(in crate::kernel) fn work(shape: &Convolution) -> Work {
    let Convolution { height, width, input, output, kernel, stride, .. } = shape;
    let mut label = format!("{height}x{width}x{input} -> {output}, {kernel}x{kernel}");
    if *stride > 1 {
        label.push_str(&format!(", stride {stride}"));
    }
    let floats = shape.input_len() + shape.output_len() + shape.weight_len();
    Work { shape: label, flops: shape.flops(), floats }
}

impl Convolve for Flex {
    fn convolution(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        let shape = Convolution::of(&images, &weights, window);
        let _span = span("convolution", || work(&shape));
        let mut values = Buffer::new(shape.output_len());
        let (images, weights, bias) = (floats(&images), floats(&weights), floats(&bias));
        forward(kernels(), &shape, &images, &weights, Some(&bias), &mut values, None);
        tensor(values, shape.output_shape())
    }
}

impl ConvolveBackward for Flex {
    fn convolution_backward(
        images: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: Window,
        with_images: bool,
    ) -> ConvolutionGradients<Self> {
        let shape = Convolution::of(&images, &weights, window);
        let gradient = floats(&gradient);
        let mut bias = vec![0.0; shape.output];
        channel_sums(&gradient, shape.output, &mut bias);
        ConvolutionGradients {
            images: with_images.then(|| gradient_of_images(&shape, &weights, &gradient)),
            weights: gradient_of_weights(&shape, &images, &gradient),
            bias: vector(bias),
        }
    }
}

pub(in crate::kernel) fn gradient_of_images(
    shape: &Convolution,
    weights: &FloatTensor<Flex>,
    gradient: &[f32],
) -> FloatTensor<Flex> {
    let _span = span("input gradient", || work(shape));
    let mut result = Buffer::new(shape.input_len());
    input_gradient(kernels(), shape, gradient, &floats(weights), &mut result);
    tensor(result, shape.input_shape())
}

pub(in crate::kernel) fn gradient_of_weights(
    shape: &Convolution,
    images: &FloatTensor<Flex>,
    gradient: &[f32],
) -> FloatTensor<Flex> {
    let _span = span("weight gradient", || work(shape));
    let mut result = Buffer::new(shape.weight_len());
    weight_gradient(kernels(), shape, &floats(images), gradient, &mut result);
    tensor(result, shape.weight_shape())
}
