//! The inner kernels of the optimisers: one pass over parameter, gradient and state.

use super::lanes::{Lanes, by_lanes};
use crate::kernel::constants::{AdamW, Sgd};

/// `length` floats of a parameter and what belongs to it.
pub(super) struct AdamWJob {
    pub(super) constants: AdamW,
    pub(super) length: usize,
    pub(super) parameter: *const f32,
    pub(super) gradient: *const f32,
    pub(super) first: *mut f32,
    pub(super) second: *mut f32,
    pub(super) output: *mut f32,
}

/// `length` floats of a parameter and what belongs to it.
pub(super) struct SgdJob {
    pub(super) constants: Sgd,
    pub(super) length: usize,
    pub(super) parameter: *const f32,
    pub(super) gradient: *const f32,
    pub(super) velocity: *mut f32,
    pub(super) output: *mut f32,
}

/// # Safety
/// The processor has the instruction set of `L`; the pointers are valid for `length` floats.
#[inline(always)]
pub(super) unsafe fn adamw<L: Lanes>(job: &AdamWJob) {
    // SAFETY: passed on.
    unsafe { by_lanes!(L, job.length, adamw_at(job)) }
}

#[inline(always)]
unsafe fn adamw_at<L: Lanes>(job: &AdamWJob, i: usize) {
    let c = &job.constants;
    // SAFETY: `i` and its register lie below `length`.
    unsafe {
        let g = L::load(job.gradient.add(i));
        let first = L::load(job.first.add(i));
        let first = L::multiply_add(L::splat(1.0 - c.beta1), L::subtract(g, first), first);
        let second = L::multiply(L::splat(c.beta2), L::load(job.second.add(i)));
        let second = L::multiply_add(L::multiply(L::splat(1.0 - c.beta2), g), g, second);
        let root = L::multiply(L::square_root(second), L::splat(c.correction));
        let step = L::divide(L::multiply(L::splat(c.rate), first), L::add(root, L::splat(c.epsilon)));
        let kept = L::multiply(L::splat(c.keep), L::load(job.parameter.add(i)));
        L::store(job.first.add(i), first);
        L::store(job.second.add(i), second);
        L::store(job.output.add(i), L::subtract(kept, step));
    }
}

/// # Safety
/// As [`adamw`].
#[inline(always)]
pub(super) unsafe fn sgd<L: Lanes>(job: &SgdJob) {
    // SAFETY: passed on.
    unsafe { by_lanes!(L, job.length, sgd_at(job)) }
}

#[inline(always)]
unsafe fn sgd_at<L: Lanes>(job: &SgdJob, i: usize) {
    let c = &job.constants;
    // SAFETY: `i` and its register lie below `length`.
    unsafe {
        let parameter = L::load(job.parameter.add(i));
        let g = L::multiply_add(L::splat(c.decay), parameter, L::load(job.gradient.add(i)));
        let velocity = L::multiply_add(L::splat(c.momentum), L::load(job.velocity.add(i)), g);
        L::store(job.velocity.add(i), velocity);
        let step = L::multiply(L::splat(c.rate), velocity);
        L::store(job.output.add(i), L::subtract(parameter, step));
    }
}
