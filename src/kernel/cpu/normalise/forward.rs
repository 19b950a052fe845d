//! From a convolution's output to a block's.

use super::super::lanes::{Lanes, by_lanes};
use super::jobs::{Forward, Plane};
use crate::kernel::pooling::Pooling;

/// # Safety
/// As [`moments`](super::moments).
#[inline(always)]
pub(in crate::kernel::cpu) unsafe fn forward<L: Lanes>(job: &Forward) {
    let plane = &job.plane;
    let row = plane.width * plane.channels;
    // SAFETY: rows of one image; a pooled row belongs to two rows that exist.
    unsafe {
        if plane.pools() {
            let out = (plane.width / 2) * plane.channels;
            for y in 0..plane.height / 2 {
                let job =
                    &Forward { values: job.values.add(2 * y * row), output: job.output.add(y * out), ..*job };
                if plane.pool == Pooling::Average {
                    by_lanes!(L, plane.channels, forward_averaged(job));
                } else {
                    by_lanes!(L, plane.channels, forward_pooled(job));
                }
            }
        } else {
            for y in 0..plane.height {
                let shortcut = if job.shortcut.is_null() { job.shortcut } else { job.shortcut.add(y * row) };
                let job = &Forward {
                    values: job.values.add(y * row),
                    output: job.output.add(y * row),
                    shortcut,
                    ..*job
                };
                by_lanes!(L, plane.channels, forward_plain(job));
            }
        }
    }
}

#[inline(always)]
unsafe fn forward_plain<L: Lanes>(job: &Forward, c: usize) {
    // SAFETY: one row of the image.
    unsafe {
        let (scale, shift) = (L::load(job.scale.add(c)), L::load(job.shift.add(c)));
        let channels = job.plane.channels;
        for x in 0..job.plane.width {
            let at = x * channels + c;
            let mut v = L::multiply_add(L::load(job.values.add(at)), scale, shift);
            if !job.shortcut.is_null() {
                v = L::add(v, L::load(job.shortcut.add(at)));
            }
            if job.plane.relu {
                v = L::max(v, L::splat(0.0));
            }
            L::store(job.output.add(at), v);
        }
    }
}

/// The four values of a pool's window, and what they are when they are normalised.
#[inline(always)]
pub(super) unsafe fn window<L: Lanes>(
    values: *const f32,
    plane: &Plane,
    at: usize,
    scale: L::Vector,
    shift: L::Vector,
) -> [[L::Vector; 4]; 2] {
    let (channels, row) = (plane.channels, plane.width * plane.channels);
    let places = [at, at + channels, at + row, at + row + channels];
    // SAFETY: the caller gives the first of two rows and the first of two columns.
    unsafe {
        let z: [L::Vector; 4] = core::array::from_fn(|k| L::load(values.add(places[k])));
        [z, core::array::from_fn(|k| L::multiply_add(z[k], scale, shift))]
    }
}

/// The largest of a window.
#[inline(always)]
pub(super) unsafe fn largest<L: Lanes>(v: &[L::Vector; 4]) -> L::Vector {
    // SAFETY: passed on.
    unsafe { L::max(L::max(v[0], v[1]), L::max(v[2], v[3])) }
}

#[inline(always)]
unsafe fn forward_pooled<L: Lanes>(job: &Forward, c: usize) {
    // SAFETY: two rows of the image.
    unsafe {
        let (scale, shift) = (L::load(job.scale.add(c)), L::load(job.shift.add(c)));
        let channels = job.plane.channels;
        for x in 0..job.plane.width / 2 {
            let [_, v] = window::<L>(job.values, &job.plane, 2 * x * channels + c, scale, shift);
            let mut most = largest::<L>(&v);
            if job.plane.relu {
                most = L::max(most, L::splat(0.0));
            }
            L::store(job.output.add(x * channels + c), most);
        }
    }
}

#[inline(always)]
unsafe fn forward_averaged<L: Lanes>(job: &Forward, c: usize) {
    // SAFETY: two rows of the image.
    unsafe {
        let (scale, shift) = (L::load(job.scale.add(c)), L::load(job.shift.add(c)));
        let channels = job.plane.channels;
        for x in 0..job.plane.width / 2 {
            let [_, mut v] = window::<L>(job.values, &job.plane, 2 * x * channels + c, scale, shift);
            if job.plane.relu {
                v = core::array::from_fn(|k| L::max(v[k], L::splat(0.0)));
            }
            let sum = L::add(L::add(v[0], v[1]), L::add(v[2], v[3]));
            L::store(job.output.add(x * channels + c), L::multiply(sum, L::splat(0.25)));
        }
    }
}
