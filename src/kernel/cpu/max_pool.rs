//! Max pool of a whole batch.

use super::isa::Kernels;
use super::pool::{Backward, Forward, Pool};
use super::shared::Shared;
use crate::parallel::for_each;

impl Pool {
    fn input(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn output(&self) -> usize {
        self.output_height() * self.output_width() * self.channels
    }

    fn check(&self, values: usize, output: usize) -> usize {
        assert!(self.padding < self.kernel && self.kernel <= self.height.min(self.width) + 2 * self.padding);
        let batch = values / self.input();
        assert_eq!((values, output), (batch * self.input(), batch * self.output()), "{self:?}");
        batch
    }
}

/// The largest value of every window.
pub(crate) fn max_pool(kernels: &Kernels, pool: &Pool, values: &[f32], output: &mut [f32]) {
    let batch = pool.check(values.len(), output.len());
    let output = Shared::new(output);
    for_each(batch, |image| {
        // SAFETY: the lengths are checked above; each piece writes its own image.
        unsafe {
            (kernels.pool)(&Forward {
                pool: *pool,
                values: values[image * pool.input()..].as_ptr(),
                output: output.at(image * pool.output()),
            });
        }
    });
}

/// The gradient of the values: that of each window, at the first of its largest values.
pub(crate) fn max_pool_backward(
    kernels: &Kernels,
    pool: &Pool,
    values: &[f32],
    output: &[f32],
    gradient: &[f32],
    result: &mut [f32],
) {
    let batch = pool.check(values.len(), output.len());
    assert_eq!((gradient.len(), result.len()), (output.len(), values.len()));
    let result = Shared::new(result);
    for_each(batch, |image| {
        let (input, places) = (image * pool.input(), image * pool.output());
        // SAFETY: the lengths are checked above; each piece has its own image.
        unsafe {
            result.slice(input..input + pool.input()).fill(0.0);
            (kernels.pool_backward)(&Backward {
                pool: *pool,
                values: values[input..].as_ptr(),
                output: output[places..].as_ptr(),
                gradient: gradient[places..].as_ptr(),
                result: result.at(input),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::isa::available;
    use super::super::testing::Random;
    use super::*;

    #[test]
    fn a_pool_takes_the_largest_and_gives_its_gradient_to_the_first_of_them() {
        let mut random = Random(31);
        for kernels in available() {
            for round in 0..if cfg!(miri) { 4 } else { 40 } {
                let kernel = random.of(&[2, 3, 3]);
                let pool = Pool {
                    height: random.of(&[3, 4, 7]),
                    width: random.of(&[3, 5, 8]),
                    channels: random.of(&[1, 5, 16, 21]),
                    kernel,
                    stride: random.of(&[1, 2]),
                    padding: random.of(&[0, kernel / 2]),
                };
                let batch = 1 + random.below(2);
                // Few values, so that many are equal.
                let values: Vec<f32> = (0..batch * pool.input())
                    .map(|_| random.below(if round % 2 == 0 { 4 } else { 999 }) as f32)
                    .collect();
                let mut output = vec![f32::NAN; batch * pool.output()];
                max_pool(kernels, &pool, &values, &mut output);
                let gradient: Vec<f32> = (0..output.len()).map(|i| (i % 7) as f32 - 3.0).collect();
                let mut result = vec![f32::NAN; values.len()];
                max_pool_backward(kernels, &pool, &values, &output, &gradient, &mut result);

                let mut want = vec![0.0; values.len()];
                for (o, &gradient) in gradient.iter().enumerate() {
                    let (c, place) = (o % pool.channels, o / pool.channels);
                    let (x, y) =
                        (place % pool.output_width(), place / pool.output_width() % pool.output_height());
                    let image = place / pool.output_width() / pool.output_height();
                    let mut most: Option<usize> = None;
                    for row in y * pool.stride..y * pool.stride + kernel {
                        for column in x * pool.stride..x * pool.stride + kernel {
                            let (row, column) =
                                (row.wrapping_sub(pool.padding), column.wrapping_sub(pool.padding));
                            if row < pool.height && column < pool.width {
                                let at =
                                    ((image * pool.height + row) * pool.width + column) * pool.channels + c;
                                if most.is_none_or(|most| values[at] > values[most]) {
                                    most = Some(at);
                                }
                            }
                        }
                    }
                    let most = most.expect("every window meets the image");
                    assert_eq!(output[o], values[most], "{} {pool:?}", kernels.name);
                    want[most] += gradient;
                }
                assert_eq!(result, want, "{} {pool:?}", kernels.name);
            }
        }
    }
}
