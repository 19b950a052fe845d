//! Mean and variance of each channel, block by block of pixels.

use super::super::lanes::{Lanes, by_lanes};
use super::jobs::Moments;

/// # Safety
/// The processor has the instruction set of `L`; the pointers are valid for the sizes the job states.
#[inline(always)]
pub(in crate::kernel::cpu) unsafe fn moments<L: Lanes>(job: &Moments) {
    // SAFETY: passed on.
    unsafe { by_lanes!(L, job.channels, moments_of(job)) }
}

#[inline(always)]
unsafe fn moments_of<L: Lanes>(job: &Moments, c: usize) {
    // SAFETY: `c` and its register lie below `channels`.
    unsafe {
        let at = |p: usize| L::load(job.values.add(p * job.stride + c));
        let (new, old) = (job.pixels as f32, job.before as f32);
        let mut sum = L::splat(0.0);
        for p in 0..job.pixels {
            sum = L::add(sum, at(p));
        }
        let mean = L::multiply(sum, L::splat(1.0 / new));
        let mut squares = L::splat(0.0);
        for p in 0..job.pixels {
            let distance = L::subtract(at(p), mean);
            squares = L::multiply_add(distance, distance, squares);
        }
        let known = L::load(job.mean.add(c));
        let delta = L::subtract(mean, known);
        let share = L::splat(new / (old + new));
        L::store(job.mean.add(c), L::multiply_add(delta, share, known));
        let between = L::multiply(L::multiply(delta, delta), L::multiply(share, L::splat(old)));
        let squares = L::add(squares, between);
        L::store(job.squares.add(c), L::add(L::load(job.squares.add(c)), squares));
    }
}
