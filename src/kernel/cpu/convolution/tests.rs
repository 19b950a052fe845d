//! Against the plain sums in double precision, on every instruction set this machine has.

use super::super::isa::{Kernels, available};
use super::super::testing::{Random, error, in_pool};
use super::*;

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

/// All three passes of a convolution, one after the other.
fn passes(shape: &Convolution) -> Vec<f32> {
    let mut random = Random(11);
    let (images, weights) = (random.floats(shape.input_len()), random.floats(shape.weight_len()));
    let kernels = available()[0];
    let mut values = vec![0.0; shape.output_len()];
    let (mut mean, mut variance) = (vec![0.0; shape.output], vec![0.0; shape.output]);
    forward(kernels, shape, &images, &weights, None, &mut values, Some((&mut mean, &mut variance)));
    let (mut of_images, mut of_weights) = (vec![0.0; images.len()], vec![0.0; weights.len()]);
    input_gradient(kernels, shape, &values, &weights, &mut of_images);
    weight_gradient(kernels, shape, &images, &values, &mut of_weights);
    [values, mean, variance, of_images, of_weights].concat()
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let small = Convolution {
        batch: 3,
        height: 6,
        width: 5,
        input: 4,
        output: 40,
        kernel: 3,
        stride: 1,
        padding: 1,
        groups: 1,
    };
    let mut shapes = vec![small];
    if !cfg!(miri) {
        // Weights small beside the images, and large; one chunk only, cut by panels; a stride; groups.
        shapes.extend([
            Convolution { batch: 9, height: 32, width: 32, ..small },
            Convolution { batch: 8, height: 4, width: 4, input: 128, output: 192, ..small },
            Convolution { batch: 8, height: 16, width: 16, input: 64, output: 96, stride: 2, ..small },
            Convolution { batch: 4, height: 9, width: 9, input: 12, output: 36, groups: 3, ..small },
        ]);
    }
    for shape in shapes {
        let one = in_pool(1, || passes(&shape));
        for threads in if cfg!(miri) { 2..=2 } else { 2..=5 } {
            let several = in_pool(threads, || passes(&shape));
            assert!(
                one.iter().zip(&several).all(|(a, b)| a.to_bits() == b.to_bits()),
                "{threads}: {shape:?}"
            );
        }
    }
}

#[test]
fn a_large_mean_does_not_drown_the_variance() {
    for kernels in available() {
        let shape = Convolution {
            batch: 2,
            height: 20,
            width: 20,
            input: 1,
            output: 3,
            kernel: 1,
            stride: 1,
            padding: 0,
            groups: 1,
        };
        let mut images = Random(3).floats(shape.input_len());
        images.iter_mut().for_each(|value| *value += 1000.0);
        let mut values = vec![0.0; shape.output_len()];
        let (mut mean, mut variance) = (vec![0.0; 3], vec![0.0; 3]);
        forward(kernels, &shape, &images, &[1.0; 3], None, &mut values, Some((&mut mean, &mut variance)));
        let count = images.len() as f64;
        let true_mean = images.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let squares = images.iter().map(|&v| (f64::from(v) - true_mean).powi(2)).sum::<f64>();
        for c in 0..3 {
            assert!((f64::from(mean[c]) - true_mean).abs() < 1e-3, "{}", kernels.name);
            assert!((f64::from(variance[c]) * count / squares - 1.0).abs() < 1e-4, "{}", kernels.name);
        }
    }
}

#[test]
fn chunks_hold_every_row_of_every_image_once() {
    let mut random = Random(5);
    for _ in 0..if cfg!(miri) { 10 } else { 500 } {
        let (batch, rows) = (1 + random.below(70), 1 + random.below(130));
        let (pixels, floats) = (1 + random.below(130), 1 + random.below(70_000));
        let mut seen = vec![0; batch * rows];
        for chunk in correlate::chunks(batch, rows, pixels, floats) {
            assert!(
                chunk.rows > 0 && (chunk.images == 1 || (chunk.row, chunk.rows) == (0, rows)),
                "{chunk:?}"
            );
            for image in chunk.image..chunk.image + chunk.images {
                (chunk.row..chunk.row + chunk.rows).for_each(|row| seen[image * rows + row] += 1);
            }
        }
        assert!(seen.iter().all(|&times| times == 1), "{batch} {rows} {pixels} {floats}");
    }
}

#[test]
fn a_bias_has_the_sum_of_its_channel_as_gradient() {
    let values = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
    let mut sums = [0.0; 2];
    channel_sums(&values, 2, &mut sums);
    assert_eq!(sums, [6.0, 60.0]);
}
