//! A whole batch against double precision, and on any number of threads.

use super::super::isa::available;
use super::super::testing::{Random, error, in_pool};
use super::*;
use crate::kernel::cpu::convolution::{Convolution, forward, weight_gradient};
use crate::kernel::pooling::Pooling;

const EPSILON: f64 = 1e-5;

/// A block's operands and the gradient that comes back.
struct Case {
    plane: Plane,
    /// `true` where each image has moments of its own.
    by_image: bool,
    values: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    shortcut: Option<Vec<f32>>,
    gradient: Vec<f32>,
}

/// Expected results in double precision, each number with the magnitude that its error is measured by.
struct Expected {
    output: Vec<(f64, f64)>,
    of_values: Vec<(f64, f64)>,
    of_shortcut: Vec<(f64, f64)>,
    of_weight: Vec<(f64, f64)>,
    of_bias: Vec<(f64, f64)>,
}

fn case(random: &mut Random, plane: Plane, batch: usize, by_image: bool, shortcut: bool) -> Case {
    let (len, channels) = (batch * plane.input(), plane.channels);
    let values = random.floats(len);
    let (mut mean, mut variance) = (Vec::new(), Vec::new());
    for group in values.chunks_exact(if by_image { plane.input() } else { len }) {
        let count = (group.len() / channels) as f64;
        for c in 0..channels {
            let channel = || group.iter().skip(c).step_by(channels).map(|&v| f64::from(v));
            let m = channel().sum::<f64>() / count;
            mean.push(m as f32);
            variance.push((channel().map(|v| (v - m).powi(2)).sum::<f64>() / count) as f32);
        }
    }
    Case {
        plane,
        by_image,
        values,
        mean,
        variance,
        weight: random.floats(channels),
        bias: random.floats(channels),
        shortcut: shortcut.then(|| random.floats(len)),
        gradient: random.floats(batch * plane.output()),
    }
}

fn expected(case: &Case) -> Expected {
    let Plane { height, width, channels, relu, pool } = case.plane;
    let group = if case.by_image { case.plane.input() } else { case.values.len() };
    let count = (group / channels) as f64;
    // The place of a value's moments.
    let moments = |i: usize| i / group * channels + i % channels;
    let inverse = |i: usize| 1.0 / (f64::from(case.variance[moments(i)]) + EPSILON).sqrt();
    let normal = |i: usize| (f64::from(case.values[i]) - f64::from(case.mean[moments(i)])) * inverse(i);
    let before = |i: usize| {
        let c = i % channels;
        let shortcut = case.shortcut.as_ref().map_or(0.0, |shortcut| f64::from(shortcut[i]));
        normal(i) * f64::from(case.weight[c]) + f64::from(case.bias[c]) + shortcut
    };
    let mut output = Vec::new();
    let mut behind = vec![0.0f64; case.values.len()];
    let places = if pool == Pooling::None { height * width } else { (height / 2) * (width / 2) };
    for (o, &gradient) in case.gradient.iter().enumerate() {
        let (c, place, b) = (o % channels, o / channels % places, o / channels / places);
        let at = |y: usize, x: usize| ((b * height + y) * width + x) * channels + c;
        let mut window = if pool == Pooling::None {
            vec![at(place / width, place % width)]
        } else {
            let (y, x) = (place / (width / 2) * 2, place % (width / 2) * 2);
            vec![at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1)]
        };
        if pool == Pooling::Max {
            let larger = |m, i| if before(i) > before(m) { i } else { m };
            window = vec![window.iter().copied().fold(window[0], larger)];
        }
        let share = 1.0 / window.len() as f64;
        let (mut value, mut size) = (0.0, 1.0);
        for &i in &window {
            let own = before(i);
            value += share * if relu { own.max(0.0) } else { own };
            size += own.abs();
            behind[i] += if !relu || own > 0.0 { share * f64::from(gradient) } else { 0.0 };
        }
        output.push((value, size));
    }
    let sum = |places: core::ops::Range<usize>, c: usize, of: &dyn Fn(usize) -> f64| -> (f64, f64) {
        let terms = places.skip(c).step_by(channels).map(|i| behind[i] * of(i));
        terms.fold((0.0, 1.0), |(sum, size), term| (sum + term, size + term.abs()))
    };
    let all = 0..behind.len();
    let groups =
        all.clone().step_by(group).flat_map(|first| (0..channels).map(move |c| (first..first + group, c)));
    let sums: Vec<[f64; 2]> =
        groups.map(|(own, c)| [sum(own.clone(), c, &|_| 1.0).0, sum(own, c, &normal).0]).collect();
    let of_value = |i: usize| {
        let [of_bias, of_weight] = sums[moments(i)];
        let scale = f64::from(case.weight[i % channels]) * inverse(i);
        let centred = behind[i] - of_bias / count - normal(i) * of_weight / count;
        (scale * centred, scale.abs() * (1.0 + behind[i].abs()))
    };
    Expected {
        of_values: all.clone().map(of_value).collect(),
        of_shortcut: behind.iter().map(|&g| (g, 1.0)).collect(),
        output,
        of_weight: (0..channels).map(|c| sum(all.clone(), c, &normal)).collect(),
        of_bias: (0..channels).map(|c| sum(all.clone(), c, &|_| 1.0)).collect(),
    }
}

#[test]
fn a_block_and_its_gradients_agree_with_double_precision() {
    let mut random = Random(23);
    for kernels in available() {
        for round in 0..if cfg!(miri) { 10 } else { 100 } {
            let (pool, shortcut, by_image) = [
                (Pooling::Max, false, false),
                (Pooling::None, true, false),
                (Pooling::None, false, false),
                (Pooling::Average, false, true),
                ([Pooling::None, Pooling::Max, Pooling::Average][round % 3], false, round % 2 == 0),
            ][round % 5];
            let sizes: &[usize] = if cfg!(miri) { &[2, 3] } else { &[2, 3, 4, 7, 8] };
            let plane = Plane {
                height: random.of(sizes),
                width: random.of(sizes),
                channels: random.of(&[1, 3, 8, 19, 32]),
                relu: round % 4 < 2,
                pool,
            };
            let batch = 1 + random.below(3);
            let case = case(&mut random, plane, batch, by_image, shortcut);
            let want = expected(&case);
            let learned = Learned { weight: &case.weight, bias: &case.bias, epsilon: EPSILON };
            let mut output = vec![f32::NAN; case.gradient.len()];
            let moments =
                case.mean.chunks_exact(plane.channels).zip(case.variance.chunks_exact(plane.channels));
            let groups = case.mean.len() / plane.channels;
            let values = case.values.chunks_exact(case.values.len() / groups);
            let outputs = output.chunks_exact_mut(case.gradient.len() / groups);
            for ((values, output), (mean, variance)) in values.zip(outputs).zip(moments) {
                let affine = Affine::new(mean, variance, learned);
                normalise(kernels, &plane, values, &affine, case.shortcut.as_deref(), output);
            }
            let mut of_values = vec![f32::NAN; case.values.len()];
            let mut of_shortcut = vec![f32::NAN; case.values.len()];
            let given = Given {
                plane,
                values: &case.values,
                mean: &case.mean,
                variance: &case.variance,
                learned,
                output: shortcut.then_some(&output[..]),
                gradient: &case.gradient,
            };
            let of_learned = if by_image {
                by_image::backward(kernels, &given, &mut of_values)
            } else {
                backward(kernels, &given, &mut of_values, shortcut.then_some(&mut of_shortcut[..]))
            };
            let close = |what: &str, got: &[f32], want: &[(f64, f64)]| {
                let worst = error(got, want);
                assert!(worst < 1e-5, "{} {what} {worst:e} {plane:?}", kernels.name);
            };
            close("output", &output, &want.output);
            close("gradient of values", &of_values, &want.of_values);
            close("gradient of weight", &of_learned.weight, &want.of_weight);
            close("gradient of bias", &of_learned.bias, &want.of_bias);
            if shortcut {
                close("gradient of shortcut", &of_shortcut, &want.of_shortcut);
            }
        }
    }
}

/// Bits of what blocks with an InstanceNorm make on so many threads: moments, output, and the gradients of what is learned
/// and of the weights; of values that are kept, and of such as are made again, where they may be.
fn run_by_image(kernels: &Kernels, shape: &Convolution, threads: usize) -> Vec<Vec<Vec<f32>>> {
    let mut random = Random(29);
    let [images, weights] = [shape.input_len(), shape.weight_len()].map(|len| random.floats(len));
    let [weight, bias] = [(); 2].map(|()| random.floats(shape.output));
    let plane = Plane {
        height: shape.output_height(),
        width: shape.output_width(),
        channels: shape.output,
        relu: true,
        pool: Pooling::Average,
    };
    let gradient = random.floats(shape.batch * plane.output());
    let learned = Learned { weight: &weight, bias: &bias, epsilon: EPSILON };
    let convolved = by_image::Convolved { shape, images: &images, weights: &weights };
    let run = |kept: bool| {
        let mut values = vec![f32::NAN; if kept { shape.output_len() } else { 0 }];
        let [mut mean, mut variance] = [(); 2].map(|()| vec![f32::NAN; shape.batch * shape.output]);
        let mut output = vec![f32::NAN; gradient.len()];
        let mut of_weights = vec![f32::NAN; weights.len()];
        let moments = (&mut mean[..], &mut variance[..]);
        by_image::forward(kernels, convolved, &plane, learned, &mut values, moments, &mut output);
        let (values, mean, variance) = (&values[..], &mean[..], &variance[..]);
        let given = Given { plane, values, mean, variance, learned, output: None, gradient: &gradient };
        let of_learned = if kept {
            let mut of_values = vec![f32::NAN; values.len()];
            let of_learned = by_image::backward(kernels, &given, &mut of_values);
            weight_gradient(kernels, shape, &images, &of_values, &mut of_weights);
            of_learned
        } else {
            by_image::backward_to_weights(kernels, convolved, &given, &mut of_weights)
        };
        vec![mean.to_vec(), variance.to_vec(), output, of_learned.weight, of_learned.bias, of_weights]
    };
    in_pool(threads, || {
        let mut all = vec![run(true)];
        if shape.is_made_again() {
            all.push(run(false));
            assert!(
                *by_image::values_again(kernels, convolved) == {
                    let mut values = vec![f32::NAN; shape.output_len()];
                    forward(kernels, shape, &images, &weights, None, &mut values, None);
                    values
                }
            );
        }
        all
    })
}

#[test]
fn images_that_go_through_a_block_one_by_one_are_the_same_kept_or_made_again_on_any_number_of_threads() {
    let sizes: &[[usize; 4]] = if cfg!(miri) {
        &[[3, 5, 3, 9]]
    } else {
        // Bands of an image; several images a chunk; few chunks, cut by channels; all that in squares.
        &[[3, 64, 3, 32], [20, 8, 3, 9], [3, 8, 3, 40], [9, 64, 16, 32], [5, 16, 32, 40], [64, 16, 16, 24]]
    };
    for kernels in available() {
        for &[batch, side, input, output] in sizes {
            let (height, width) = (side, side + 1);
            let shape = Convolution { batch, height, width, input, output, kernel: 3, stride: 1, padding: 1 };
            let one = run_by_image(kernels, &shape, 1);
            let bits = |all: &Vec<Vec<Vec<f32>>>| -> Vec<u32> {
                all.iter().flatten().flatten().map(|number| number.to_bits()).collect()
            };
            assert_eq!(bits(&one), bits(&run_by_image(kernels, &shape, 3)), "{} {shape:?}", kernels.name);
            let kept = &one[0];
            assert!(kept.iter().flatten().all(|number| number.is_finite()), "{} {shape:?}", kernels.name);
            for again in &one[1..] {
                for (which, (again, kept)) in again.iter().zip(kept).enumerate() {
                    let want: Vec<(f64, f64)> = kept
                        .iter()
                        .map(|&number| (f64::from(number), 1.0 + f64::from(number.abs())))
                        .collect();
                    let worst = error(again, &want);
                    assert!(worst < 1e-5, "{} {which}: {worst:e} {shape:?}", kernels.name);
                }
            }
        }
    }
}
