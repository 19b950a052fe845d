//! The way back: sums over an image, and the gradient of the convolution's output.

use super::super::lanes::{Lanes, by_lanes};
use super::forward::{largest, window};
use super::jobs::{Backward, Incoming, Sums};
use crate::kernel::pooling::Pooling;

/// # Safety
/// As [`moments`](super::moments).
#[inline(always)]
pub(in crate::kernel::cpu) unsafe fn sums<L: Lanes>(job: &Sums) {
    let plane = &job.incoming.plane;
    // SAFETY: rows of one image.
    unsafe {
        for y in 0..if plane.pools() { plane.height / 2 } else { plane.height } {
            let job = &Sums { incoming: job.incoming.row(y), ..*job };
            if plane.pools() {
                by_lanes!(L, plane.channels, sums_pooled(job));
            } else {
                by_lanes!(L, plane.channels, sums_plain(job));
            }
        }
    }
}

impl Incoming {
    /// The same at a row of the output.
    #[inline(always)]
    unsafe fn row(&self, y: usize) -> Self {
        let row = self.plane.width * self.plane.channels;
        // SAFETY: the caller gives a row that exists.
        unsafe {
            if self.plane.pools() {
                let out = (self.plane.width / 2) * self.plane.channels;
                Self { values: self.values.add(2 * y * row), gradient: self.gradient.add(y * out), ..*self }
            } else {
                Self {
                    values: self.values.add(y * row),
                    gradient: self.gradient.add(y * row),
                    output: if self.output.is_null() { self.output } else { self.output.add(y * row) },
                    ..*self
                }
            }
        }
    }

    /// The value at a place without pool, and the gradient behind the ReLU.
    #[inline(always)]
    unsafe fn plain<L: Lanes>(&self, at: usize, scale: L::Vector, shift: L::Vector) -> [L::Vector; 2] {
        // SAFETY: the caller gives a place that exists.
        unsafe {
            let z = L::load(self.values.add(at));
            let mut g = L::load(self.gradient.add(at));
            if self.plane.relu {
                let zero = L::splat(0.0);
                let v = if self.output.is_null() {
                    L::multiply_add(z, scale, shift)
                } else {
                    L::load(self.output.add(at))
                };
                g = L::choose(L::greater(v, zero), g, zero);
            }
            [z, g]
        }
    }

    /// The values of a pool's window, and the gradient: of a max pool it goes to the first of the largest, of an average pool to
    /// all alike.
    #[inline(always)]
    unsafe fn pooled<L: Lanes>(
        &self,
        x: usize,
        c: usize,
        scale: L::Vector,
        shift: L::Vector,
    ) -> ([L::Vector; 4], [L::Vector; 4]) {
        let channels = self.plane.channels;
        // SAFETY: the caller gives a window that exists.
        unsafe {
            let zero = L::splat(0.0);
            let [z, v] = window::<L>(self.values, &self.plane, 2 * x * channels + c, scale, shift);
            let mut left = L::load(self.gradient.add(x * channels + c));
            if self.plane.pool == Pooling::Average {
                let share = L::multiply(left, L::splat(0.25));
                let mut g = [share; 4];
                if self.plane.relu {
                    g = core::array::from_fn(|k| L::choose(L::greater(v[k], zero), share, zero));
                }
                return (z, g);
            }
            let most = largest::<L>(&v);
            if self.plane.relu {
                left = L::choose(L::greater(most, zero), left, zero);
            }
            let mut g = [zero; 4];
            for k in 0..4 {
                let here = L::equal(v[k], most);
                g[k] = L::choose(here, left, zero);
                left = L::choose(here, zero, left);
            }
            (z, g)
        }
    }
}

#[inline(always)]
unsafe fn add_sums<L: Lanes>(job: &Sums, c: usize, gradient: L::Vector, product: L::Vector) {
    // SAFETY: `c` and its register lie below `channels`.
    unsafe {
        let (g, p) = (job.gradient.add(c), job.product.add(c));
        L::store(g, L::add(L::load(g), gradient));
        L::store(p, L::add(L::load(p), product));
    }
}

#[inline(always)]
unsafe fn sums_plain<L: Lanes>(job: &Sums, c: usize) {
    let incoming = &job.incoming;
    // SAFETY: one row of the image.
    unsafe {
        let (scale, shift) = (L::load(incoming.scale.add(c)), L::load(incoming.shift.add(c)));
        let mean = L::load(job.mean.add(c));
        let (mut gradient, mut product) = (L::splat(0.0), L::splat(0.0));
        for x in 0..incoming.plane.width {
            let [z, g] = incoming.plain::<L>(x * incoming.plane.channels + c, scale, shift);
            gradient = L::add(gradient, g);
            product = L::multiply_add(g, L::subtract(z, mean), product);
        }
        add_sums::<L>(job, c, gradient, product);
    }
}

#[inline(always)]
unsafe fn sums_pooled<L: Lanes>(job: &Sums, c: usize) {
    let incoming = &job.incoming;
    // SAFETY: two rows of the image.
    unsafe {
        let (scale, shift) = (L::load(incoming.scale.add(c)), L::load(incoming.shift.add(c)));
        let mean = L::load(job.mean.add(c));
        let (mut gradient, mut product) = (L::splat(0.0), L::splat(0.0));
        for x in 0..incoming.plane.width / 2 {
            let (z, g) = incoming.pooled::<L>(x, c, scale, shift);
            for k in 0..4 {
                gradient = L::add(gradient, g[k]);
                product = L::multiply_add(g[k], L::subtract(z[k], mean), product);
            }
        }
        add_sums::<L>(job, c, gradient, product);
    }
}

/// # Safety
/// As [`moments`](super::moments).
#[inline(always)]
pub(in crate::kernel::cpu) unsafe fn backward<L: Lanes>(job: &Backward) {
    let plane = &job.incoming.plane;
    let row = plane.width * plane.channels;
    // SAFETY: rows of one image; the rows and columns that a pool leaves out are written too.
    unsafe {
        for y in 0..if plane.pools() { plane.height.div_ceil(2) } else { plane.height } {
            let job = &Backward {
                incoming: job.incoming.row(y),
                values: job.values.add(if plane.pools() { 2 * y * row } else { y * row }),
                shortcut: if job.shortcut.is_null() { job.shortcut } else { job.shortcut.add(y * row) },
                ..*job
            };
            if !plane.pools() {
                by_lanes!(L, plane.channels, backward_plain(job));
            } else if 2 * y + 1 < plane.height {
                by_lanes!(L, plane.channels, backward_pooled(job));
            } else {
                by_lanes!(L, plane.channels, backward_last_row(job));
            }
        }
    }
}

/// The coefficients of [`Backward`] for a register of channels.
#[inline(always)]
unsafe fn coefficients<L: Lanes>(job: &Backward, c: usize) -> [L::Vector; 3] {
    // SAFETY: `c` and its register lie below `channels`.
    unsafe { [L::load(job.a.add(c)), L::load(job.b.add(c)), L::load(job.c.add(c))] }
}

#[inline(always)]
unsafe fn backward_plain<L: Lanes>(job: &Backward, c: usize) {
    let incoming = &job.incoming;
    // SAFETY: one row of the image.
    unsafe {
        let (scale, shift) = (L::load(incoming.scale.add(c)), L::load(incoming.shift.add(c)));
        let [a, b, slope] = coefficients::<L>(job, c);
        for x in 0..incoming.plane.width {
            let at = x * incoming.plane.channels + c;
            let [z, g] = incoming.plain::<L>(at, scale, shift);
            if !job.shortcut.is_null() {
                L::store(job.shortcut.add(at), g);
            }
            L::store(job.values.add(at), L::multiply_add(a, g, L::multiply_add(slope, z, b)));
        }
    }
}

#[inline(always)]
unsafe fn backward_pooled<L: Lanes>(job: &Backward, c: usize) {
    let incoming = &job.incoming;
    let (channels, row) = (incoming.plane.channels, incoming.plane.width * incoming.plane.channels);
    // SAFETY: two rows of the image.
    unsafe {
        let (scale, shift) = (L::load(incoming.scale.add(c)), L::load(incoming.shift.add(c)));
        let [a, b, slope] = coefficients::<L>(job, c);
        for x in 0..incoming.plane.width / 2 {
            let (z, g) = incoming.pooled::<L>(x, c, scale, shift);
            let at = 2 * x * channels + c;
            for (k, place) in [at, at + channels, at + row, at + row + channels].into_iter().enumerate() {
                let d = L::multiply_add(a, g[k], L::multiply_add(slope, z[k], b));
                L::store(job.values.add(place), d);
            }
        }
        if incoming.plane.width % 2 == 1 {
            let last = (incoming.plane.width - 1) * channels + c;
            for at in [last, last + row] {
                let z = L::load(incoming.values.add(at));
                L::store(job.values.add(at), L::multiply_add(slope, z, b));
            }
        }
    }
}

/// The row that a pool leaves out: it has moved the moments only.
#[inline(always)]
unsafe fn backward_last_row<L: Lanes>(job: &Backward, c: usize) {
    // SAFETY: one row of the image.
    unsafe {
        let [_, b, slope] = coefficients::<L>(job, c);
        for x in 0..job.incoming.plane.width {
            let at = x * job.incoming.plane.channels + c;
            let z = L::load(job.incoming.values.add(at));
            L::store(job.values.add(at), L::multiply_add(slope, z, b));
        }
    }
}
