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
