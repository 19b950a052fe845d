//! Against the plain sums in double precision, on every instruction set this machine has.

use super::super::isa::{Kernels, available};
use super::*;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let x = self.0 ^ (self.0 >> 33);
        (x.wrapping_mul(0xff51_afd7_ed55_8ccd)) >> 24
    }
    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.next() % 20_001) as f32 / 10_000.0 - 1.0).collect()
    }
    fn of(&mut self, choices: &[usize]) -> usize {
        choices[self.next() as usize % choices.len()]
    }
}

/// Calls `visit(value, image, weight)` with the places of every product of a convolution.
fn products(shape: &Convolution, mut visit: impl FnMut(usize, usize, usize)) {
    let (input, output) = (shape.input / shape.groups, shape.output / shape.groups);
    for b in 0..shape.batch {
        for y in 0..shape.output_height() {
            for x in 0..shape.output_width() {
                for n in 0..shape.output {
                    let value =
                        ((b * shape.output_height() + y) * shape.output_width() + x) * shape.output + n;
                    for r in 0..shape.kernel {
                        for s in 0..shape.kernel {
                            let (row, column) = (y * shape.stride + r, x * shape.stride + s);
                            let inside = |place: usize, length: usize| {
                                place >= shape.padding && place - shape.padding < length
                            };
                            if !inside(row, shape.height) || !inside(column, shape.width) {
                                continue;
                            }
                            let (row, column) = (row - shape.padding, column - shape.padding);
                            for c in 0..input {
                                let channel = n / output * input + c;
                                let image =
                                    ((b * shape.height + row) * shape.width + column) * shape.input + channel;
                                let weight = ((n * input + c) * shape.kernel + r) * shape.kernel + s;
                                visit(value, image, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The largest error, as a share of the largest sum of magnitudes.
fn error(got: &[f32], want: &[(f64, f64)]) -> f64 {
    assert_eq!(got.len(), want.len());
    got.iter()
        .zip(want)
        .map(|(&got, &(want, size))| (f64::from(got) - want).abs() / size.max(1e-3))
        .fold(0.0, f64::max)
}

fn check(kernels: &Kernels, shape: Convolution, random: &mut Random) {
    let (images, weights) = (random.floats(shape.input_len()), random.floats(shape.weight_len()));
    let (gradient, bias) = (random.floats(shape.output_len()), random.floats(shape.output));
    let mut values: Vec<(f64, f64)> =
        (0..shape.output_len()).map(|i| f64::from(bias[i % shape.output])).map(|b| (b, b.abs())).collect();
    let mut of_images = vec![(0.0, 0.0); shape.input_len()];
    let mut of_weights = vec![(0.0, 0.0); shape.weight_len()];
    let add = |to: &mut (f64, f64), a: f32, b: f32| {
        let product = f64::from(a) * f64::from(b);
        to.0 += product;
        to.1 += product.abs();
    };
    products(&shape, |v, i, w| {
        add(&mut values[v], images[i], weights[w]);
        add(&mut of_images[i], gradient[v], weights[w]);
        add(&mut of_weights[w], gradient[v], images[i]);
    });

    let mut got = vec![f32::NAN; shape.output_len()];
    let (mut mean, mut variance) = (vec![f32::NAN; shape.output], vec![f32::NAN; shape.output]);
    forward(kernels, &shape, &images, &weights, Some(&bias), &mut got, Some((&mut mean, &mut variance)));
    let worst = error(&got, &values);
    assert!(worst < 1e-6, "{} forward {worst:e} {shape:?}", kernels.name);
    for c in 0..shape.output {
        let channel: Vec<f64> = values.iter().skip(c).step_by(shape.output).map(|v| v.0).collect();
        let count = channel.len() as f64;
        let true_mean = channel.iter().sum::<f64>() / count;
        let true_variance = channel.iter().map(|v| (v - true_mean).powi(2)).sum::<f64>() / count;
        let size = channel.iter().map(|v| v * v).sum::<f64>() / count;
        assert!((f64::from(mean[c]) - true_mean).abs() < 1e-6 * size.sqrt().max(1.0), "mean {shape:?}");
        assert!((f64::from(variance[c]) - true_variance).abs() < 2e-6 * size.max(1.0), "variance {shape:?}");
    }

    let mut got = vec![f32::NAN; shape.input_len()];
    input_gradient(kernels, &shape, &gradient, &weights, &mut got);
    let worst = error(&got, &of_images);
    assert!(worst < 1e-6, "{} input gradient {worst:e} {shape:?}", kernels.name);

    let mut got = vec![f32::NAN; shape.weight_len()];
    weight_gradient(kernels, &shape, &images, &gradient, &mut got);
    let worst = error(&got, &of_weights);
    assert!(worst < 1e-6, "{} weight gradient {worst:e} {shape:?}", kernels.name);
}

#[test]
fn every_pass_agrees_with_sums_in_double_precision_on_random_shapes() {
    let mut random = Random(7);
    for kernels in available() {
        let shapes = if cfg!(miri) { 3 } else { 60 };
        for _ in 0..shapes {
            let groups = random.of(&[1, 1, 1, 2, 3]);
            let kernel = random.of(&[1, 3, 3, 5, 7]);
            let (most, wide): (&[usize], &[usize]) =
                if cfg!(miri) { (&[3, 4], &[1, 5]) } else { (&[4, 5, 7, 8, 13, 16], &[1, 3, 8, 20, 33]) };
            let shape = Convolution {
                batch: random.of(&[1, 2, 5]),
                height: random.of(most),
                width: random.of(most),
                input: groups * random.of(wide),
                output: groups * random.of(wide),
                kernel,
                stride: random.of(&[1, 1, 2, 3]),
                padding: random
                    .of(&[0, kernel / 2, kernel / 2])
                    .max((kernel + 1).saturating_sub(4) / 2 + kernel / 7),
                groups,
            };
            if shape.kernel <= shape.height.min(shape.width) + 2 * shape.padding {
                check(kernels, shape, &mut random);
            }
        }
    }
}
