//! The inner kernels of a max pool of any size, stride and padding.

use super::lanes::{Lanes, by_lanes};

/// A max pool's windows and the size of the images it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Pool {
    pub(crate) fn output_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    pub(crate) fn output_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// The rows or columns of a window that exist, of `length`.
    #[inline(always)]
    fn window(&self, place: usize, length: usize) -> core::ops::Range<usize> {
        let start = place * self.stride;
        start.saturating_sub(self.padding)..length.min(start + self.kernel - self.padding)
    }
}

/// One image.
pub(super) struct Forward {
    pub(super) pool: Pool,
    pub(super) values: *const f32,
    pub(super) output: *mut f32,
}

/// One image; the gradient goes to the first of the largest, as in PyTorch.
pub(super) struct Backward {
    pub(super) pool: Pool,
    pub(super) values: *const f32,
    pub(super) output: *const f32,
    pub(super) gradient: *const f32,
    /// Zeros, to be added to.
    pub(super) result: *mut f32,
}

/// # Safety
/// The processor has the instruction set of `L`; the pointers are valid for one image.
#[inline(always)]
pub(super) unsafe fn forward<L: Lanes>(job: &Forward) {
    let pool = &job.pool;
    for y in 0..pool.output_height() {
        for x in 0..pool.output_width() {
            // SAFETY: passed on.
            unsafe { by_lanes!(L, pool.channels, forward_at(job, y, x)) }
        }
    }
}

#[inline(always)]
unsafe fn forward_at<L: Lanes>(job: &Forward, y: usize, x: usize, c: usize) {
    let pool = &job.pool;
    // SAFETY: the window is cut to the image.
    unsafe {
        let mut most = L::splat(f32::NEG_INFINITY);
        for row in pool.window(y, pool.height) {
            for column in pool.window(x, pool.width) {
                let value = L::load(job.values.add((row * pool.width + column) * pool.channels + c));
                most = L::max(value, most);
            }
        }
        L::store(job.output.add((y * pool.output_width() + x) * pool.channels + c), most);
    }
}

/// # Safety
/// As [`forward`].
#[inline(always)]
pub(super) unsafe fn backward<L: Lanes>(job: &Backward) {
    let pool = &job.pool;
    for y in 0..pool.output_height() {
        for x in 0..pool.output_width() {
            // SAFETY: passed on.
            unsafe { by_lanes!(L, pool.channels, backward_at(job, y, x)) }
        }
    }
}

#[inline(always)]
unsafe fn backward_at<L: Lanes>(job: &Backward, y: usize, x: usize, c: usize) {
    let pool = &job.pool;
    // SAFETY: the window is cut to the image.
    unsafe {
        let zero = L::splat(0.0);
        let place = (y * pool.output_width() + x) * pool.channels + c;
        let most = L::load(job.output.add(place));
        let mut left = L::load(job.gradient.add(place));
        for row in pool.window(y, pool.height) {
            for column in pool.window(x, pool.width) {
                let at = (row * pool.width + column) * pool.channels + c;
                let here = L::equal(L::load(job.values.add(at)), most);
                let to = job.result.add(at);
                L::store(to, L::add(L::load(to), L::choose(here, left, zero)));
                left = L::choose(here, zero, left);
            }
        }
    }
}
