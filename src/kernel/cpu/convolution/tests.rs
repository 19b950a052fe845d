//! Against the plain sums in double precision, on every instruction set this machine has.

use super::super::isa::{Kernels, available};
use super::super::testing::{Random, error, in_pool};
use super::winograd::Winograd;
use super::*;

/// Calls `visit(value, image, weight)` with the places of every product of a convolution.
fn products(shape: &Convolution, mut visit: impl FnMut(usize, usize, usize)) {
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
                            for c in 0..shape.input {
                                let image =
                                    ((b * shape.height + row) * shape.width + column) * shape.input + c;
                                let weight = ((n * shape.input + c) * shape.kernel + r) * shape.kernel + s;
                                visit(value, image, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The largest error of the plain sums in these tests, as a share of a sum's magnitudes, is below 1e-6. In squares an
/// output shares its errors with its neighbours. Among thousands of random shapes that was at most 4.9e-6 of its own
/// magnitudes for values and images, at an image's corner, where a sum has 4 of 9 taps, and 1.1e-5 for a kernel's gradient
/// over one square.
const DIRECT: f64 = 1e-6;
const IN_SQUARES: f64 = 6e-6;
const KERNEL_IN_SQUARES: f64 = 2e-5;

/// Checks all passes; the worst error of each.
fn check(kernels: &Kernels, shape: Convolution, random: &mut Random) -> [f64; 3] {
    let bound = |shape: &Convolution, most: f64| if in_squares(shape) { most } else { DIRECT };
    let mut found = [0.0; 3];
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
    assert!(worst < bound(&shape, IN_SQUARES), "{} forward {worst:e} {shape:?}", kernels.name);
    check_moments(&shape, &got, &mean, &variance);
    check_by_image(kernels, &shape, &images, &weights);

    let mut got = vec![f32::NAN; shape.input_len()];
    input_gradient(kernels, &shape, &gradient, &weights, &mut got);
    found[0] = worst;
    let worst = error(&got, &of_images);
    assert!(
        worst < bound(&turned(&shape), IN_SQUARES),
        "{} input gradient {worst:e} {shape:?}",
        kernels.name
    );

    let mut got = vec![f32::NAN; shape.weight_len()];
    weight_gradient(kernels, &shape, &images, &gradient, &mut got);
    found[1] = worst;
    let worst = error(&got, &of_weights);
    assert!(worst < bound(&shape, KERNEL_IN_SQUARES), "{} weight gradient {worst:e} {shape:?}", kernels.name);
    found[2] = worst;
    found
}

/// The moments are those of the values as they were rounded.
fn check_moments(shape: &Convolution, values: &[f32], mean: &[f32], variance: &[f32]) {
    for c in 0..shape.output {
        let channel: Vec<f64> = values.iter().skip(c).step_by(shape.output).map(|&v| f64::from(v)).collect();
        let count = channel.len() as f64;
        let true_mean = channel.iter().sum::<f64>() / count;
        let true_variance = channel.iter().map(|v| (v - true_mean).powi(2)).sum::<f64>() / count;
        let size = channel.iter().map(|v| v * v).sum::<f64>() / count;
        assert!((f64::from(mean[c]) - true_mean).abs() < 1e-6 * size.sqrt().max(1.0), "mean {shape:?}");
        assert!((f64::from(variance[c]) - true_variance).abs() < 2e-6 * size.max(1.0), "variance {shape:?}");
    }
}

/// Image by image the values are the same, and each image is told once, when its values and moments are there.
fn check_by_image(kernels: &Kernels, shape: &Convolution, images: &[f32], weights: &[f32]) {
    let mut want = vec![f32::NAN; shape.output_len()];
    forward(kernels, shape, images, weights, None, &mut want, None);
    let mut got = vec![f32::NAN; shape.output_len()];
    let moments = shape.batch * shape.output;
    let (mut mean, mut variance) = (vec![f32::NAN; moments], vec![f32::NAN; moments]);
    let told = std::sync::Mutex::new(vec![0; shape.batch]);
    let len = want.len() / shape.batch;
    let places = (&mut mean[..], &mut variance[..]);
    forward_by_image(kernels, shape, images, weights, &mut got, places, |image, values, (mean, variance)| {
        assert_eq!(values, &want[image * len..][..len], "{} image {image} of {shape:?}", kernels.name);
        check_moments(shape, values, mean, variance);
        told.lock().expect("no panic")[image] += 1;
    });
    assert_eq!((got, told.into_inner().expect("no panic")), (want, vec![1; shape.batch]), "{shape:?}");
    assert!(mean.iter().chain(&variance).all(|moment| moment.is_finite()), "{shape:?}");
}

fn in_squares(shape: &Convolution) -> bool {
    Winograd::of(&shape.correlation()).is_some()
}

/// The convolution that computes the gradient of the images where the stride is 1: of the gradients, with the kernel turned.
fn turned(shape: &Convolution) -> Convolution {
    Convolution {
        height: shape.output_height(),
        width: shape.output_width(),
        input: shape.output,
        output: shape.input,
        padding: (shape.kernel - 1).saturating_sub(shape.padding),
        ..*shape
    }
}

#[test]
fn every_pass_agrees_with_sums_in_double_precision_on_random_shapes() {
    let mut random = Random(7);
    for kernels in available() {
        let shapes = if cfg!(miri) { 3 } else { 60 };
        for _ in 0..shapes {
            let kernel = random.of(&[1, 3, 3, 5, 7]);
            let (most, wide): (&[usize], &[usize]) =
                if cfg!(miri) { (&[3, 4], &[1, 5]) } else { (&[4, 5, 7, 8, 13, 16], &[1, 3, 8, 20, 33]) };
            let shape = Convolution {
                batch: random.of(&[1, 2, 5]),
                height: random.of(most),
                width: random.of(most),
                input: random.of(wide),
                output: random.of(wide),
                kernel,
                stride: random.of(&[1, 1, 2, 3]),
                padding: random
                    .of(&[0, kernel / 2, kernel / 2])
                    .max((kernel + 1).saturating_sub(4) / 2 + kernel / 7),
            };
            if shape.kernel <= shape.height.min(shape.width) + 2 * shape.padding {
                check(kernels, shape, &mut random);
            }
        }
    }
}

#[test]
fn a_classifier_is_a_convolution_of_images_of_one_pixel() {
    let mut random = Random(17);
    for kernels in available() {
        for (batch, input, output) in [(24, 8, 3), (64, 32, 10), (33, 50, 70), (1, 5, 2)] {
            let (height, width, kernel, padding) = (1, 1, 1, 0);
            let shape = Convolution { batch, height, width, input, output, kernel, stride: 1, padding };
            check(kernels, shape, &mut random);
        }
    }
}

/// A 3×3 convolution of stride 1 whose outputs are as large as its images.
fn same(batch: usize, height: usize, width: usize, input: usize, output: usize) -> Convolution {
    Convolution { batch, height, width, input, output, kernel: 3, stride: 1, padding: 1 }
}

#[test]
fn every_pass_in_squares_agrees_with_sums_in_double_precision() {
    let mut random = Random(13);
    for kernels in available() {
        let mut worst = [0.0f64; 3];
        for round in 0..if cfg!(miri) { 1 } else { 40 } {
            let sides: &[usize] =
                if cfg!(miri) { &[3, 6] } else { &[3, 4, 6, 7, 8, 11, 12, 15, 16, 18, 23, 32, 37] };
            let channels: &[usize] = if cfg!(miri) { &[17] } else { &[16, 17, 20, 32, 33, 40, 64, 71] };
            let shape = Convolution {
                // Among them batches of many chunks, which are cut otherwise than those of a few.
                batch: if cfg!(miri) {
                    2
                } else {
                    random.of(&[1, 2, 3, if round % 8 == 0 { 40 } else { 1 }])
                },
                padding: random.of(&[1, 1, 1, 0, 2]),
                ..same(1, random.of(sides), random.of(sides), random.of(channels), random.of(channels))
            };
            if shape.kernel <= shape.height.min(shape.width) + 2 * shape.padding && in_squares(&shape) {
                let found = check(kernels, shape, &mut random);
                worst.iter_mut().zip(found).for_each(|(worst, found)| *worst = worst.max(found));
            }
        }
        let [forward, input, weight] = worst;
        println!("{}: forward {forward:.1e}, input gradient {input:.1e}, weight {weight:.1e}", kernels.name);
    }
}

#[test]
fn squares_are_used_where_they_save_multiplications() {
    for (side, channels, expected) in
        [(32, 32, true), (8, 128, true), (4, 256, true), (3, 16, true), (5, 32, false), (2, 512, false)]
    {
        assert_eq!(in_squares(&same(1, side, side, channels, channels)), expected, "{side} {channels}");
    }
    assert!(!in_squares(&same(1, 32, 32, 3, 32)), "three channels");
    assert!(!in_squares(&Convolution { stride: 2, ..same(1, 32, 32, 32, 32) }), "stride 2");
    assert!(!in_squares(&Convolution { kernel: 5, padding: 2, ..same(1, 32, 32, 32, 32) }), "5x5");
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
    let small =
        Convolution { batch: 3, height: 6, width: 5, input: 4, output: 40, kernel: 3, stride: 1, padding: 1 };
    let mut shapes = vec![small];
    if !cfg!(miri) {
        // Weights small beside the images, and large; one chunk only, cut by panels; a stride.
        shapes.extend([
            Convolution { batch: 9, height: 32, width: 32, ..small },
            Convolution { batch: 8, height: 4, width: 4, input: 128, output: 192, ..small },
            Convolution { batch: 8, height: 16, width: 16, input: 64, output: 96, stride: 2, ..small },
            Convolution { batch: 4, height: 9, width: 9, input: 12, output: 36, ..small },
            // The same in squares: many chunks, sums by images; few, by panels.
            same(40, 15, 18, 32, 33),
            same(8, 4, 4, 128, 192),
            same(2, 8, 7, 64, 32),
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
        for chunk in geometry::chunks(batch, rows, (pixels, 96), (floats, 32 * 1024)) {
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
