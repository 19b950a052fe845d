//! The units' products against a convolution in double precision.

use burn::tensor::{DType, Device, Tensor, TensorData};
use pollster::block_on;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::device::testing::matrix_units;
use crate::device::{Precision, read};
use crate::kernel::convolution::reference::{OF_HALVES, Sizes, Sum, error};
use crate::kernel::convolution::{Window, convolution};
use crate::random::{Purpose, Stream};

fn sizes(images: [usize; 4], outputs: usize, kernel: usize, stride: usize, padding: usize) -> Sizes {
    Sizes {
        images,
        outputs,
        kernel,
        window: Window { stride, padding, students: 1, precision: Precision::Mixed },
    }
}

fn draw(shape: [usize; 4], key: u64) -> Vec<f32> {
    let mut stream = Stream::new(6, Purpose::Test, 0, key);
    (0..shape.iter().product()).map(|_| stream.normal() as f32).collect()
}

struct Operands {
    images: Vec<f32>,
    weights: Vec<f32>,
    gradient: Vec<f32>,
}

impl Operands {
    fn of(sizes: &Sizes) -> Self {
        Self {
            images: draw(sizes.images, 0),
            weights: draw(sizes.weights(), 1),
            gradient: draw(sizes.output(), 2),
        }
    }
}

/// Output without bias, gradient of the images and of the weights, as a device makes them.
fn found(device: &Device, sizes: &Sizes, operands: &Operands) -> [Vec<f32>; 3] {
    let autodiff = device.clone().autodiff();
    let tensor = |values: &[f32], shape: [usize; 4]| {
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), (&autodiff, DType::F32))
    };
    let bias: Vec<f32> = (0..sizes.outputs).map(|output| output as f32).collect();
    let with_bias = TensorData::new(bias.clone(), [sizes.outputs]);
    let images = tensor(&operands.images, sizes.images).require_grad();
    let weights = tensor(&operands.weights, sizes.weights()).require_grad();
    let with_bias = Tensor::<1>::from_data(with_bias, (&autodiff, DType::F32));
    let output = convolution(images.clone(), weights.clone(), with_bias, sizes.window);
    assert_eq!(output.dims(), sizes.output());
    let gradients = (output.clone() * tensor(&operands.gradient, sizes.output())).sum().backward();
    let values = |tensor: Tensor<4>| block_on(read(tensor)).expect("the device answers");
    let mut output = values(output);
    output.iter_mut().zip(bias.iter().cycle()).for_each(|(value, bias)| *value -= bias);
    [
        output,
        values(images.grad(&gradients).expect("tracked")),
        values(weights.grad(&gradients).expect("tracked")),
    ]
}

fn expected(sizes: &Sizes, operands: &Operands) -> [Vec<Sum>; 3] {
    let Operands { images, weights, gradient } = operands;
    [sizes.forward(images, weights), sizes.of_images(weights, gradient), sizes.of_weights(images, gradient)]
}

const NAMES: [&str; 3] = ["output", "of images", "of weights"];

/// The largest error of each product, in units of what halves explain.
fn errors(device: &Device, sizes: &Sizes, operands: &Operands) -> [f64; 3] {
    let (found, expected) = (found(device, sizes, operands), expected(sizes, operands));
    std::array::from_fn(|i| error(&found[i], &expected[i]) / OF_HALVES)
}

fn assert_close(device: &Device, sizes: &Sizes) {
    for (name, error) in NAMES.iter().zip(errors(device, sizes, &Operands::of(sizes))) {
        assert!(error < 1.0, "{name}: {error} times what halves explain in {sizes:?}");
        // What is this exact was not made of halves.
        assert!(error > 1e-3, "{name}: {error} in {sizes:?}");
    }
}

#[test]
fn products_by_matrix_units_are_those_of_a_convolution_but_for_the_rounding_to_halves() {
    let Some((device, _)) = matrix_units() else { return };
    for sizes in [
        sizes([3, 8, 8, 3], 16, 3, 1, 1),
        sizes([2, 7, 9, 5], 12, 3, 1, 1),
        sizes([4, 9, 7, 3], 10, 7, 2, 3),
        sizes([3, 5, 5, 16], 24, 3, 2, 1),
        sizes([3, 6, 5, 16], 20, 1, 2, 0),
        sizes([1, 2, 2, 33], 65, 3, 1, 1),
        sizes([2, 9, 9, 64], 64, 3, 1, 1),
        sizes([2, 7, 7, 64], 128, 1, 2, 0),
        sizes([1, 3, 3, 128], 264, 3, 1, 1),
        // More pixels than a part of a gradient of the weights has, and more than a tile.
        sizes([20, 33, 35, 3], 18, 3, 1, 1),
        sizes([9, 16, 16, 32], 32, 3, 1, 1),
    ] {
        assert_close(&device, &sizes);
    }
}

#[test]
fn any_convolution_has_the_same_products_by_matrix_units() {
    let Some((device, _)) = matrix_units() else { return };
    let images = (1usize..5, 1usize..12, 1usize..12, 1usize..40).prop_map(|(b, h, w, c)| [b, h, w, c]);
    let any = (images, 1usize..70, 1usize..5, 1usize..4, 0usize..3).prop_filter(
        "a window fits",
        |([_, height, width, _], _, kernel, _, padding)| {
            (*height).min(*width) + 2 * padding >= *kernel && padding < kernel
        },
    );
    // Every case compiles kernels of its own.
    let mut runner = TestRunner::new(ProptestConfig::with_cases(8));
    runner
        .run(&any, |(images, outputs, kernel, stride, padding)| {
            let sizes = sizes(images, outputs, kernel, stride, padding);
            for (name, error) in NAMES.iter().zip(errors(&device, &sizes, &Operands::of(&sizes))) {
                prop_assert!(error < 1.0, "{name}: {error} times what halves explain in {sizes:?}");
            }
            Ok(())
        })
        .expect("every convolution agrees");
}

#[test]
fn small_and_large_gradients_come_through_the_scale() {
    let Some((device, _)) = matrix_units() else { return };
    let sizes = sizes([2, 8, 8, 16], 24, 3, 1, 1);
    for (size, most) in [(1e-7f32, 1.0), (1e-4, 1.0), (1.0, 1.0), (3.0, 1.0), (1e-9, 8.0)] {
        let mut operands = Operands::of(&sizes);
        operands.gradient.iter_mut().for_each(|value| *value *= size);
        let [_, images, weights] = errors(&device, &sizes, &operands);
        assert!(images < most && weights < most, "{size}: {images}, {weights} times what halves explain");
    }
}

#[test]
fn what_is_too_large_for_a_half_is_clipped_and_what_is_no_number_stays_none() {
    let Some((device, _)) = matrix_units() else { return };
    let sizes = sizes([1, 4, 4, 8], 8, 1, 1, 0);
    let mut operands = Operands::of(&sizes);
    operands.gradient.iter_mut().for_each(|value| *value *= 1e20);
    operands.images[0] = 1e30;
    let clipped = found(&device, &sizes, &operands);
    assert!(clipped.iter().flatten().all(|value| value.is_finite()));
    // Each gradient is ±65504 / 4096.
    let mut sum = 0.0;
    for (gradient, weight) in operands.gradient[..8].iter().zip(operands.weights.iter().step_by(8)) {
        sum += f64::from(gradient.signum()) * 65504.0 / 4096.0 * f64::from(*weight);
    }
    assert!((f64::from(clipped[1][0]) - sum).abs() < 0.05, "{} {sum}", clipped[1][0]);
    operands.images[0] = f32::NAN;
    operands.gradient[9] = f32::NAN;
    let [output, images, weights] = found(&device, &sizes, &operands);
    assert!(
        output[..8].iter().all(|value| value.is_nan()) && output[8..].iter().all(|value| !value.is_nan())
    );
    assert!(images[8..16].iter().all(|value| value.is_nan()) && weights.iter().any(|value| value.is_nan()));
}
