//! A plain convolution in double precision, and the error allowed to products of halves.

use super::Window;

/// A sum of products of two operands, in double precision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sum {
    pub(crate) value: f64,
    /// The sum of the squares of those products.
    pub(crate) squares: f64,
}

impl Sum {
    fn add(&mut self, a: f32, b: f32) {
        let product = f64::from(a) * f64::from(b);
        self.value += product;
        self.squares += product * product;
    }
}

/// Largest allowed error of a sum of products of halves, in units of the root of [`Sum::squares`].
///
/// Rounding to halves moves each of two operands by at most 2⁻¹¹ of it, in either direction; so the error of a sum of products
/// has a standard deviation of less than √2 · 2⁻¹¹ · √(Σ a²b²), for any number of products. This limit is more than five times
/// that bound, and nine times the standard deviation of uniform rounding. Operands rounded to bfloat16 exceed it.
pub(crate) const OF_HALVES: f64 = 1.0 / 256.0;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// `[B, H, W, C]`.
    pub(crate) images: [usize; 4],
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) window: Window,
}

impl Sizes {
    /// `[B, H', W', O]`.
    pub(crate) fn output(&self) -> [usize; 4] {
        let [batch, height, width, _] = self.images;
        let Window { stride, padding, .. } = self.window;
        let side = |length: usize| (length + 2 * padding - self.kernel) / stride + 1;
        [batch, side(height), side(width), self.outputs]
    }

    /// `[O, C, K, K]`.
    pub(crate) fn weights(&self) -> [usize; 4] {
        [self.outputs, self.images[3], self.kernel, self.kernel]
    }

    /// Tells the places of output, images and weights of every product.
    fn visit(&self, mut product: impl FnMut(usize, usize, usize)) {
        let ([_, height, width, channels], [batch, rows, columns, outputs]) = (self.images, self.output());
        let Window { stride, padding, .. } = self.window;
        for pixel in 0..batch * rows * columns {
            let (image, y, x) = (pixel / columns / rows, pixel / columns % rows, pixel % columns);
            for tap in 0..self.kernel * self.kernel {
                let row = (y * stride + tap / self.kernel).wrapping_sub(padding);
                let column = (x * stride + tap % self.kernel).wrapping_sub(padding);
                if row >= height || column >= width {
                    continue;
                }
                let from = ((image * height + row) * width + column) * channels;
                for output in 0..outputs {
                    for channel in 0..channels {
                        let weight = (output * channels + channel) * self.kernel * self.kernel + tap;
                        product(pixel * outputs + output, from + channel, weight);
                    }
                }
            }
        }
    }

    /// The output without a bias.
    pub(crate) fn forward(&self, images: &[f32], weights: &[f32]) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.output().iter().product()];
        self.visit(|output, image, weight| sums[output].add(images[image], weights[weight]));
        sums
    }

    /// The gradient of the images.
    pub(crate) fn of_images(&self, weights: &[f32], gradient: &[f32]) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.images.iter().product()];
        self.visit(|output, image, weight| sums[image].add(gradient[output], weights[weight]));
        sums
    }

    /// The gradient of the weights.
    pub(crate) fn of_weights(&self, images: &[f32], gradient: &[f32]) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.weights().iter().product()];
        self.visit(|output, image, weight| sums[weight].add(gradient[output], images[image]));
        sums
    }
}

/// Largest error of `found`, in units of the root of [`Sum::squares`]; infinite where the lengths differ or a number is NaN.
pub(crate) fn error(found: &[f32], expected: &[Sum]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    found.iter().zip(expected).fold(0.0, |most, (&found, sum)| {
        let error = (f64::from(found) - sum.value).abs() / sum.squares.sqrt().max(f64::MIN_POSITIVE);
        // Of NaN and a number, `max` would take the number.
        if error <= most {
            most
        } else if error.is_nan() {
            f64::INFINITY
        } else {
            error
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Precision;
    use crate::random::{Purpose, Stream};

    /// `value` rounded to `bits` bits after the leading one.
    fn rounded(value: f32, bits: i32) -> f32 {
        if value == 0.0 {
            return value;
        }
        let step = f64::from(value).abs().log2().floor().exp2() * f64::from(-bits).exp2();
        ((f64::from(value) / step).round_ties_even() * step) as f32
    }

    fn sizes() -> Sizes {
        let window = Window { stride: 1, padding: 1, students: 1, precision: Precision::Full };
        Sizes { images: [2, 7, 6, 32], outputs: 12, kernel: 3, window }
    }

    fn operands(sizes: &Sizes) -> (Vec<f32>, Vec<f32>) {
        let mut stream = Stream::new(4, Purpose::Test, 0, 0);
        let mut draw = |shape: [usize; 4]| {
            (0..shape.iter().product()).map(|_| stream.normal() as f32).collect::<Vec<_>>()
        };
        (draw(sizes.images), draw(sizes.weights()))
    }

    fn floats(sums: &[Sum]) -> Vec<f32> {
        sums.iter().map(|sum| sum.value as f32).collect()
    }

    #[test]
    fn rounding_to_halves_passes_and_to_bfloat16_does_not() {
        let sizes = sizes();
        let (images, weights) = operands(&sizes);
        let expected = sizes.forward(&images, &weights);
        let with = |bits| {
            let of = |values: &[f32]| values.iter().map(|&value| rounded(value, bits)).collect::<Vec<_>>();
            error(&floats(&sizes.forward(&of(&images), &of(&weights))), &expected)
        };
        assert!(with(10) < OF_HALVES / 2.0, "{}", with(10));
        assert!(with(7) > OF_HALVES, "{}", with(7));
    }

    #[test]
    fn a_product_left_out_a_number_that_is_none_and_one_too_few_are_noticed() {
        let sizes = sizes();
        let (mut images, weights) = operands(&sizes);
        let expected = sizes.forward(&images, &weights);
        let exact = floats(&expected);
        assert!(error(&exact, &expected) < 1e-6);
        assert_eq!(error(&exact[1..], &expected), f64::INFINITY);
        assert_eq!(error(&[&exact[1..], &[f32::NAN]].concat(), &expected), f64::INFINITY);
        images[40] = 0.0;
        assert!(error(&floats(&sizes.forward(&images, &weights)), &expected) > OF_HALVES);
    }

    #[test]
    #[cfg(feature = "flex")]
    fn the_cpus_convolution_is_the_one_written_down() {
        use crate::kernel::convolution::convolution;
        use burn::tensor::{DType, Device, Tensor, TensorData};
        let window = Window { stride: 2, padding: 1, students: 1, precision: Precision::Full };
        let sizes = Sizes { window, ..sizes() };
        let (images, weights) = operands(&sizes);
        let device = Device::flex();
        let tensor = |values: &[f32], shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), (&device, DType::F32))
        };
        let bias = Tensor::<1>::from_data(TensorData::new(vec![0.0f32; 12], [12]), (&device, DType::F32));
        let output =
            convolution(tensor(&images, sizes.images), tensor(&weights, sizes.weights()), bias, window);
        assert_eq!(output.dims(), sizes.output());
        let found = pollster::block_on(crate::device::read(output)).expect("the CPU answers");
        assert!(error(&found, &sizes.forward(&images, &weights)) < 1e-5);
    }
}
