//! The CPU's kernels against burn's own operators, and against finite differences.

use burn::tensor::{DType, Device, TensorData};
use pollster::block_on;

use super::*;
use crate::device::{Precision, read};
use crate::random::{Purpose, Stream};

/// A block on random numbers.
struct Case {
    images: [usize; 4],
    output: usize,
    kernel: usize,
    form: Form,
    norm: Norm,
    shortcut: bool,
    bias: bool,
}

fn case(images: [usize; 4], output: usize, kernel: usize, stride: usize, then: &str) -> Case {
    let window = Window { stride, padding: kernel / 2, students: 1, precision: Precision::Full };
    let norm = if then.contains("instance") { Norm::Instance } else { Norm::Batch };
    let pool = match (then.contains("pool"), then.contains("average")) {
        (true, _) => Pooling::Max,
        (_, true) => Pooling::Average,
        _ => Pooling::None,
    };
    let form = Form { window, relu: then.contains("relu"), pool };
    let [shortcut, bias] = ["shortcut", "bias"].map(|added| then.contains(added));
    Case { images, output, kernel, form, norm, shortcut, bias }
}

fn cases() -> Vec<Case> {
    vec![
        case([3, 8, 8, 3], 16, 3, 1, "relu pool"),
        case([2, 7, 9, 5], 12, 3, 1, "relu pool"),
        case([2, 6, 6, 8], 8, 3, 1, "pool"),
        case([4, 9, 7, 3], 10, 7, 2, "relu"),
        case([3, 5, 5, 16], 24, 3, 2, "relu"),
        case([3, 6, 5, 16], 20, 1, 2, ""),
        case([2, 4, 4, 8], 8, 3, 1, "relu shortcut"),
        case([2, 5, 3, 9], 7, 3, 1, "shortcut"),
        case([1, 2, 2, 33], 65, 3, 1, "relu"),
        case([3, 8, 8, 3], 16, 3, 1, "instance bias relu average"),
        case([2, 7, 9, 5], 12, 3, 1, "instance relu average"),
        case([2, 6, 6, 8], 8, 3, 1, "instance bias average"),
        case([3, 5, 5, 16], 24, 3, 2, "instance relu"),
        case([3, 6, 5, 16], 20, 1, 2, "instance bias"),
        case([2, 6, 7, 4], 9, 3, 1, "instance relu pool"),
        case([2, 9, 6, 4], 9, 3, 1, "relu average"),
    ]
}

impl Case {
    fn output_shape(&self) -> [usize; 4] {
        let [batch, height, width, _] = self.images;
        let Window { stride, padding, .. } = self.form.window;
        let side = |length: usize| (length + 2 * padding - self.kernel) / stride + 1;
        [batch, side(height), side(width), self.output]
    }

    fn shapes(&self) -> Vec<Vec<usize>> {
        let weights = vec![self.output, self.images[3], self.kernel, self.kernel];
        let mut shapes = vec![self.images.to_vec(), weights, vec![self.output], vec![self.output]];
        shapes.extend(self.shortcut.then(|| self.output_shape().to_vec()));
        shapes.extend(self.bias.then(|| vec![self.output]));
        shapes
    }

    fn operands(&self) -> Vec<Vec<f32>> {
        let draw = |(i, shape): (usize, Vec<usize>)| {
            let mut stream = Stream::new(3, Purpose::Test, i as u32, 0);
            (0..shape.iter().product()).map(|_| stream.normal() as f32).collect()
        };
        self.shapes().into_iter().enumerate().map(draw).collect()
    }

    fn tensor<const D: usize>(&self, operands: &[Vec<f32>], i: usize, device: &Device) -> Tensor<D> {
        let shape: [usize; D] = self.shapes()[i].clone().try_into().expect("the operand's rank");
        Tensor::from_data(TensorData::new(operands[i].clone(), shape), (device, DType::F32))
    }

    fn tensors(&self, operands: &[Vec<f32>], device: &Device) -> Operands {
        Operands {
            images: self.tensor::<4>(operands, 0, device).require_grad(),
            weights: self.tensor::<4>(operands, 1, device).require_grad(),
            scale: self.tensor::<1>(operands, 2, device).require_grad(),
            shift: self.tensor::<1>(operands, 3, device).require_grad(),
        }
    }

    fn normed(&self, operands: &[Vec<f32>], device: &Device) -> Normed {
        let shortcut = self.shortcut.then(|| self.tensor::<4>(operands, 4, device).require_grad());
        let bias = self.bias.then(|| self.tensor::<1>(operands, 4, device).require_grad());
        match self.norm {
            Norm::Batch => Normed::Batch { shortcut },
            Norm::Instance => Normed::Instance { bias },
        }
    }

    /// Weights of the outputs in a scalar loss.
    fn upstream(&self, shape: [usize; 4], device: &Device) -> Tensor<4> {
        let mut stream = Stream::new(5, Purpose::Test, 0, 0);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    block_on(read(tensor)).expect("the device answers")
}

/// Output, moments, and the gradient of every operand.
fn ours(case: &Case, operands: &[Vec<f32>], device: &Device) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let (tensors, normed) = (case.tensors(operands, &device), case.normed(operands, &device));
    let (output, mean, variance) = block_train(tensors.clone(), normed.clone(), case.form);
    let loss = (output.clone() * case.upstream(output.dims(), &device)).sum();
    let gradients = loss.backward();
    let of = |tensor: Option<Tensor<4>>| values(tensor.expect("tracked"));
    let mut found = vec![
        values(output),
        values(mean),
        values(variance),
        of(tensors.images.grad(&gradients)),
        of(tensors.weights.grad(&gradients)),
        values(tensors.scale.grad(&gradients).expect("tracked")),
        values(tensors.shift.grad(&gradients).expect("tracked")),
    ];
    found.extend(match normed {
        Normed::Batch { shortcut } => shortcut.map(|shortcut| of(shortcut.grad(&gradients))),
        Normed::Instance { bias } => bias.map(|bias| values(bias.grad(&gradients).expect("tracked"))),
    });
    found
}

/// InstanceNorm of images `[B, C, H, W]` by burn's operators; and mean and variance of each channel of each, `[B·C]`.
fn burns_instance_norm(
    images: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let [batch, channels, height, width] = images.dims();
    let planes = images.reshape([batch, channels, height * width]);
    let mean = planes.clone().mean_dim(2);
    let centred = planes - mean.clone();
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let normal = centred / (variance.clone() + EPSILON).sqrt();
    let [scale, shift] = [scale, shift].map(|vector| vector.reshape([1, channels, 1]));
    let output = (normal * scale + shift).reshape([batch, channels, height, width]);
    (output, mean.reshape([batch * channels]), variance.reshape([batch * channels]))
}

/// The same by burn's operators and burn's autodiff.
fn burns(case: &Case, operands: &[Vec<f32>]) -> Vec<Vec<f32>> {
    use burn::tensor::module::{avg_pool2d, batch_norm_train, conv2d, max_pool2d};
    use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
    let device = Device::flex().autodiff();
    let (tensors, normed) = (case.tensors(operands, &device), case.normed(operands, &device));
    let images = tensors.images.clone().permute([0, 3, 1, 2]);
    let Window { stride, padding, .. } = case.form.window;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
    let convolved = conv2d(images, tensors.weights.clone(), None, options);
    let (scale, shift) = (tensors.scale.clone(), tensors.shift.clone());
    let (mut output, mean, variance) = match &normed {
        Normed::Batch { .. } => {
            let normal = batch_norm_train(convolved, scale, shift, EPSILON);
            (normal.output, normal.mean, normal.variance)
        }
        Normed::Instance { bias } => {
            let (output, mean, variance) =
                burns_instance_norm(convolved.clone(), scale.clone(), shift.clone());
            match bias {
                // As PyTorch has it: added, and taken away by the norm.
                Some(bias) => {
                    let bias = bias.clone().reshape([1, case.output, 1, 1]);
                    (burns_instance_norm(convolved + bias, scale, shift).0, mean, variance)
                }
                None => (output, mean, variance),
            }
        }
    };
    if let Normed::Batch { shortcut: Some(shortcut) } = &normed {
        output = output + shortcut.clone().permute([0, 3, 1, 2]);
    }
    if case.form.relu {
        output = burn::tensor::activation::relu(output);
    }
    output = match case.form.pool {
        Pooling::None => output,
        Pooling::Max => max_pool2d(output, MaxPoolOptions::new([2, 2])),
        Pooling::Average => avg_pool2d(output, AvgPoolOptions::new([2, 2])),
    };
    let output = output.permute([0, 2, 3, 1]);
    let loss = (output.clone() * case.upstream(output.dims(), &device)).sum();
    let gradients = loss.backward();
    let of = |tensor: Option<Tensor<4>>| values(tensor.expect("tracked"));
    let mut found = vec![
        values(output),
        values(mean),
        values(variance),
        of(tensors.images.grad(&gradients)),
        of(tensors.weights.grad(&gradients)),
        values(tensors.scale.grad(&gradients).expect("tracked")),
        values(tensors.shift.grad(&gradients).expect("tracked")),
    ];
    found.extend(match normed {
        Normed::Batch { shortcut } => shortcut.map(|shortcut| of(shortcut.grad(&gradients))),
        // That of a bias is a sum of what rounding leaves.
        Normed::Instance { bias } => bias.map(|_| vec![0.0; case.output]),
    });
    found
}

const NAMES: [&str; 8] =
    ["output", "mean", "variance", "of images", "of weights", "of scale", "of shift", "of what is added"];

/// Asserts that two ways of running a block agree, up to `tolerance` of the largest number.
fn assert_close(case: &Case, found: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (name, (found, expected)) in NAMES.iter().zip(found.iter().zip(expected)) {
        assert_eq!(found.len(), expected.len());
        let size = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        // Of NaN and a number, `max` would take the number.
        let error = differences.fold(0.0f32, |most, e| if e <= most { most } else { e });
        assert!(
            error <= tolerance * size.max(1e-3),
            "{name}: {error:e} of {size} in {:?} {:?}",
            case.images,
            (case.norm, case.form)
        );
    }
}

#[test]
fn a_block_and_its_gradients_agree_with_burns_operators() {
    for case in cases() {
        let operands = case.operands();
        let ours = ours(&case, &operands, &Device::flex());
        assert_close(&case, &ours, &burns(&case, &operands), 2e-5);
    }
}

/// More shapes: each way of cutting a product into tiles, and more pixels than one part has.
#[cfg(feature = "wgpu")]
fn gpu_cases() -> Vec<Case> {
    let mut cases = cases();
    cases.extend([
        case([5, 12, 12, 4], 8, 3, 1, "relu pool"),
        case([3, 16, 16, 32], 32, 3, 1, "relu pool"),
        case([2, 9, 9, 64], 64, 3, 1, "relu"),
        case([2, 8, 8, 24], 40, 3, 2, "relu"),
        case([2, 7, 7, 64], 128, 1, 2, ""),
        case([1, 3, 3, 128], 264, 3, 1, "relu shortcut"),
        case([20, 33, 35, 3], 18, 3, 1, "relu pool"),
        // Small images, whose taps mostly lie outside: places of fewer, of more and of just as many images as a tile has rows.
        case([9, 1, 1, 16], 24, 3, 1, "relu"),
        case([5, 2, 2, 64], 64, 3, 1, "relu shortcut"),
        case([70, 2, 2, 20], 72, 3, 1, "relu"),
        case([64, 4, 4, 16], 40, 3, 1, "relu pool"),
        case([131, 4, 3, 9], 7, 5, 1, "relu"),
        case([67, 3, 4, 33], 64, 3, 2, "relu"),
        case([66, 2, 3, 4], 8, 7, 3, ""),
        // Images of several parts, of one, and more of them than one workgroup joins.
        case([3, 40, 40, 3], 32, 3, 1, "instance bias relu average"),
        case([5, 33, 35, 3], 18, 3, 1, "instance bias relu average"),
        case([70, 8, 8, 16], 32, 3, 1, "instance bias relu average"),
        case([9, 16, 16, 16], 24, 3, 1, "instance relu"),
        case([4, 12, 12, 4], 8, 3, 1, "relu average"),
    ]);
    cases
}

#[test]
#[cfg(feature = "wgpu")]
fn a_block_on_a_gpu_agrees_with_the_cpu() {
    let Some(device) = crate::device::testing::wgpu() else { return };
    for case in gpu_cases() {
        let operands = case.operands();
        let found = ours(&case, &operands, &device);
        assert_close(&case, &found, &ours(&case, &operands, &Device::flex()), 2e-5);
    }
}

/// The loss of a block in double precision, written down once more and plainly.
fn loss_by_hand(case: &Case, operands: &[Vec<f32>], nudge: (usize, usize, f64)) -> f64 {
    let at = |operand: usize, place: usize| {
        let nudged = if (operand, place) == (nudge.0, nudge.1) { nudge.2 } else { 0.0 };
        f64::from(operands[operand][place]) + nudged
    };
    let ([batch, height, width, input], [_, rows, columns, output]) = (case.images, case.output_shape());
    let Window { stride, padding, .. } = case.form.window;
    let mut values = vec![0.0; batch * rows * columns * output];
    for (place, value) in values.iter_mut().enumerate() {
        let (n, pixel) = (place % output, place / output);
        let (x, y, b) = (pixel % columns, pixel / columns % rows, pixel / columns / rows);
        for r in 0..case.kernel {
            for s in 0..case.kernel {
                let (row, column) =
                    ((y * stride + r).wrapping_sub(padding), (x * stride + s).wrapping_sub(padding));
                if row < height && column < width {
                    for c in 0..input {
                        let weight = ((n * input + c) * case.kernel + r) * case.kernel + s;
                        *value += at(0, ((b * height + row) * width + column) * input + c) * at(1, weight);
                    }
                }
            }
        }
    }
    for (place, value) in values.iter_mut().enumerate() {
        *value += if case.bias { at(4, place % output) } else { 0.0 };
    }
    let group = match case.norm {
        Norm::Batch => batch * rows * columns,
        Norm::Instance => rows * columns,
    };
    for values in values.chunks_exact_mut(group * output) {
        for n in 0..output {
            let channel = || values.iter().skip(n).step_by(output);
            let mean = channel().sum::<f64>() / group as f64;
            let variance = channel().map(|v| (v - mean).powi(2)).sum::<f64>() / group as f64;
            for value in values.iter_mut().skip(n).step_by(output) {
                *value = (*value - mean) / (variance + EPSILON).sqrt() * at(2, n) + at(3, n);
            }
        }
    }
    for (place, value) in values.iter_mut().enumerate() {
        if case.shortcut {
            *value += at(4, place);
        }
        if case.form.relu {
            *value = value.max(0.0);
        }
    }
    if case.form.pool != Pooling::None {
        let shape = [batch, rows / 2, columns / 2, output];
        let pooled = |place: usize| {
            let (n, pixel) = (place % output, place / output);
            let (x, y, b) = (pixel % shape[2], pixel / shape[2] % shape[1], pixel / shape[2] / shape[1]);
            let value =
                |dy: usize, dx: usize| values[((b * rows + 2 * y + dy) * columns + 2 * x + dx) * output + n];
            let window = [value(0, 0), value(0, 1), value(1, 0), value(1, 1)];
            match case.form.pool {
                Pooling::Average => window.iter().sum::<f64>() / 4.0,
                _ => window.into_iter().fold(f64::NEG_INFINITY, f64::max),
            }
        };
        values = (0..shape.iter().product()).map(pooled).collect();
    }
    let mut stream = Stream::new(5, Purpose::Test, 0, 0);
    values.iter().map(|value| value * f64::from(stream.normal() as f32)).sum()
}

#[test]
fn a_blocks_gradients_are_its_finite_differences() {
    const STEP: f64 = 1e-5;
    for case in cases() {
        let operands = case.operands();
        let gradients = &ours(&case, &operands, &Device::flex())[3..];
        for (operand, gradient) in gradients.iter().enumerate() {
            let size = gradient.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            let places = gradient.len().min(7);
            for place in (0..places).map(|i| i * (gradient.len() - 1) / places.max(1)) {
                let up = loss_by_hand(&case, &operands, (operand, place, STEP));
                let down = loss_by_hand(&case, &operands, (operand, place, -STEP));
                let slope = (up - down) / (2.0 * STEP);
                let error = (f64::from(gradient[place]) - slope).abs();
                assert!(
                    error < 1e-4 * f64::from(size.max(1e-2)),
                    "{} at {place}: {} should be {slope} in {:?}",
                    NAMES[3 + operand],
                    gradient[place],
                    (case.norm, case.form)
                );
            }
        }
    }
}

#[test]
fn given_the_moments_of_the_batch_evaluation_is_the_training_pass() {
    for case in cases().into_iter().filter(|case| case.norm == Norm::Batch) {
        let device = Device::flex().autodiff();
        let operands = case.operands();
        let train = ours(&case, &operands, &Device::flex());
        let moment = |values: &Vec<f32>| {
            Tensor::<1>::from_data(TensorData::new(values.clone(), [case.output]), (&device, DType::F32))
        };
        let tensors = case.tensors(&operands, &device);
        let shortcut = case.shortcut.then(|| case.tensor::<4>(&operands, 4, &device));
        let output = block_eval(tensors, shortcut, [moment(&train[1]), moment(&train[2])], case.form);
        assert_eq!(values(output), train[0]);
    }
}
