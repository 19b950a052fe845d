//! The inner kernels of normalisation: moments, scale and shift with ReLU and max pool, and their gradients.
//!
//! All work on rows of pixels, channels last. Nothing but the convolution's output is kept for the backward pass:
//! where ReLU and max pool let a gradient through is computed again from it, by the same instructions,
//! which costs less than writing it down and reading it back.

use super::lanes::{Lanes, by_lanes};

/// What follows the convolution in a block, and the size of the images it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plane {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) relu: bool,
    /// 2×2 max pool; an odd last row or column is left out.
    pub(crate) pool: bool,
}

impl Plane {
    pub(crate) fn input(&self) -> usize {
        self.height * self.width * self.channels
    }

    pub(crate) fn output(&self) -> usize {
        if self.pool { (self.height / 2) * (self.width / 2) * self.channels } else { self.input() }
    }
}

/// Adds the moments of a block of pixels to running ones (Chan, Golub and LeVeque 1983).
pub(super) struct Moments {
    /// First pixel and channel.
    pub(super) values: *const f32,
    pub(super) pixels: usize,
    /// Floats from pixel to pixel.
    pub(super) stride: usize,
    pub(super) channels: usize,
    /// Pixels that `mean` and `squares` know already.
    pub(super) before: usize,
    /// `[channels]`.
    pub(super) mean: *mut f32,
    /// `[channels]`: sum of squared distances from the mean.
    pub(super) squares: *mut f32,
}

/// `output = pool(relu(values * scale + shift + shortcut))` for one image.
pub(super) struct Forward {
    pub(super) plane: Plane,
    pub(super) values: *const f32,
    /// `[channels]`, as is `shift`.
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    /// Null when there is none.
    pub(super) shortcut: *const f32,
    pub(super) output: *mut f32,
}

/// What both halves of the backward pass read, for one image.
#[derive(Clone, Copy)]
pub(super) struct Incoming {
    pub(super) plane: Plane,
    pub(super) values: *const f32,
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    /// The block's output, read where there was a shortcut; null elsewhere.
    pub(super) output: *const f32,
    /// Gradient of the block's output.
    pub(super) gradient: *const f32,
}

/// Adds `sum of g` and `sum of g * (value - mean)` over an image, `g` being the gradient behind ReLU and pool.
pub(super) struct Sums {
    pub(super) incoming: Incoming,
    pub(super) mean: *const f32,
    /// `[channels]` each.
    pub(super) gradient: *mut f32,
    pub(super) product: *mut f32,
}

/// `d values = a * g + b + c * value` for one image, and `g` itself for the shortcut.
pub(super) struct Backward {
    pub(super) incoming: Incoming,
    /// `[channels]` each.
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    pub(super) c: *const f32,
    pub(super) values: *mut f32,
    /// Null when there is no shortcut.
    pub(super) shortcut: *mut f32,
}

/// # Safety
/// The processor has the instruction set of `L`; the pointers are valid for the sizes the job states.
#[inline(always)]
pub(super) unsafe fn moments<L: Lanes>(job: &Moments) {
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

/// # Safety
/// As [`moments`].
#[inline(always)]
pub(super) unsafe fn forward<L: Lanes>(job: &Forward) {
    let plane = &job.plane;
    let row = plane.width * plane.channels;
    // SAFETY: rows of one image; a pooled row belongs to two rows that exist.
    unsafe {
        if plane.pool {
            let out = (plane.width / 2) * plane.channels;
            for y in 0..plane.height / 2 {
                let job =
                    &Forward { values: job.values.add(2 * y * row), output: job.output.add(y * out), ..*job };
                by_lanes!(L, plane.channels, forward_pooled(job));
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

/// The four values of a pool's window, normalised, and the largest.
#[inline(always)]
unsafe fn window<L: Lanes>(
    values: *const f32,
    plane: &Plane,
    at: usize,
    scale: L::Vector,
    shift: L::Vector,
) -> ([L::Vector; 4], [L::Vector; 4], L::Vector) {
    let (channels, row) = (plane.channels, plane.width * plane.channels);
    let places = [at, at + channels, at + row, at + row + channels];
    // SAFETY: the caller gives the first of two rows and the first of two columns.
    unsafe {
        let z: [L::Vector; 4] = core::array::from_fn(|k| L::load(values.add(places[k])));
        let v: [L::Vector; 4] = core::array::from_fn(|k| L::multiply_add(z[k], scale, shift));
        (z, v, L::max(L::max(v[0], v[1]), L::max(v[2], v[3])))
    }
}

#[inline(always)]
unsafe fn forward_pooled<L: Lanes>(job: &Forward, c: usize) {
    // SAFETY: two rows of the image.
    unsafe {
        let (scale, shift) = (L::load(job.scale.add(c)), L::load(job.shift.add(c)));
        let channels = job.plane.channels;
        for x in 0..job.plane.width / 2 {
            let (_, _, mut most) = window::<L>(job.values, &job.plane, 2 * x * channels + c, scale, shift);
            if job.plane.relu {
                most = L::max(most, L::splat(0.0));
            }
            L::store(job.output.add(x * channels + c), most);
        }
    }
}

/// # Safety
/// As [`moments`].
#[inline(always)]
pub(super) unsafe fn sums<L: Lanes>(job: &Sums) {
    let plane = &job.incoming.plane;
    // SAFETY: rows of one image.
    unsafe {
        for y in 0..if plane.pool { plane.height / 2 } else { plane.height } {
            let job = &Sums { incoming: job.incoming.row(y), ..*job };
            if plane.pool {
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
            if self.plane.pool {
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

    /// The values of a pool's window, and the gradient, which goes to the first of the largest.
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
            let (z, v, most) = window::<L>(self.values, &self.plane, 2 * x * channels + c, scale, shift);
            let mut left = L::load(self.gradient.add(x * channels + c));
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
/// As [`moments`].
#[inline(always)]
pub(super) unsafe fn backward<L: Lanes>(job: &Backward) {
    let plane = &job.incoming.plane;
    let row = plane.width * plane.channels;
    // SAFETY: rows of one image; the rows and columns that a pool leaves out are written too.
    unsafe {
        for y in 0..if plane.pool { plane.height.div_ceil(2) } else { plane.height } {
            let job = &Backward {
                incoming: job.incoming.row(y),
                values: job.values.add(if plane.pool { 2 * y * row } else { y * row }),
                shortcut: if job.shortcut.is_null() { job.shortcut } else { job.shortcut.add(y * row) },
                ..*job
            };
            if !plane.pool {
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
