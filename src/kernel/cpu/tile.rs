//! The two inner kernels of a convolution: a tile of outputs, and a tile of weight gradients, in registers.
//!
//! Images are `[H, W, C]` with their border of zeros copied in. The `S` taps of one kernel row then read `S * C`
//! neighbouring floats, a *run*, and a pixel's input is `R` runs at one distance: no bounds to check and
//! nothing to gather.

use super::lanes::Lanes;

/// Where a pixel's first run begins and where its result belongs, in floats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pixel {
    pub(super) input: u32,
    pub(super) output: u32,
}

/// `output[pixel][n] = bias[n] + sum over k of input[pixel][k] * weights[k][n]` for one panel of `n`.
pub(super) struct Multiply<'a> {
    pub(super) pixels: &'a [Pixel],
    /// Bordered input.
    pub(super) input: *const f32,
    /// Floats from one run to the next.
    pub(super) run_stride: usize,
    /// Runs a pixel, `R`.
    pub(super) runs: usize,
    /// Floats a run, `S * C`.
    pub(super) run: usize,
    /// `[runs, run, panel]`.
    pub(super) weights: *const f32,
    /// Floats from one run's weights to the next's.
    pub(super) weight_stride: usize,
    /// `[panel]`.
    pub(super) bias: *const f32,
    pub(super) output: *mut f32,
    /// Number of columns of the panel that exist in the output.
    pub(super) columns: usize,
}

/// `sums[row][n] += sum over pixels of input[pixel][row] * gradient[pixel][n]` for one tile of rows and
/// one panel of `n`.
pub(super) struct Outer<'a> {
    pub(super) pixels: &'a [Pixel],
    /// Bordered input, at the first row of the tile. Readable past the last row.
    pub(super) input: *const f32,
    /// A pixel's lies where its output would.
    pub(super) gradient: *const f32,
    /// `[rows, panel]`.
    pub(super) sums: *mut f32,
    /// Number of rows of the tile that exist.
    pub(super) rows: usize,
}

/// In tiles of `P` pixels, the rest in one of `Q` if that is enough.
///
/// # Safety
/// The processor has the instruction set of `L`; every pixel's runs and outputs, the weights and the bias are
/// valid for `V` registers of columns.
#[inline(always)]
pub(super) unsafe fn multiply<L: Lanes, const P: usize, const Q: usize, const V: usize>(job: &Multiply<'_>) {
    for pixels in job.pixels.chunks(P) {
        // SAFETY: passed on.
        unsafe {
            if Q < P && pixels.len() <= Q {
                multiply_tile::<L, Q, V>(job, pixels);
            } else {
                multiply_tile::<L, P, V>(job, pixels);
            }
        }
    }
}

/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn multiply_tile<L: Lanes, const P: usize, const V: usize>(job: &Multiply<'_>, pixels: &[Pixel]) {
    let panel = V * L::WIDTH;
    // A short tile repeats its last pixel: the same value is stored to the same place again.
    let pixel: [Pixel; P] = core::array::from_fn(|p| pixels[p.min(pixels.len() - 1)]);
    // SAFETY: offsets of pixels lie in the input; the sum below stays inside the pixel's runs; the weights
    // have as many rows as all runs have floats; columns are stored where they exist.
    unsafe {
        let input: [*const f32; P] = core::array::from_fn(|p| job.input.add(pixel[p].input as usize));
        let bias: [L::Vector; V] = core::array::from_fn(|v| L::load(job.bias.add(v * L::WIDTH)));
        let mut sums = [bias; P];
        for run in 0..job.runs {
            let start = run * job.run_stride;
            let mut weights = job.weights.add(run * job.weight_stride);
            for k in start..start + job.run {
                let w: [L::Vector; V] = core::array::from_fn(|v| L::load(weights.add(v * L::WIDTH)));
                for (input, sums) in input.iter().zip(&mut sums) {
                    let x = L::splat(*input.add(k));
                    for (sum, &w) in sums.iter_mut().zip(&w) {
                        *sum = L::multiply_add(x, w, *sum);
                    }
                }
                weights = weights.add(panel);
            }
        }
        if job.columns == panel {
            for (pixel, sums) in pixel.iter().zip(&sums) {
                let output = job.output.add(pixel.output as usize);
                for (v, &sum) in sums.iter().enumerate() {
                    L::store(output.add(v * L::WIDTH), sum);
                }
            }
        } else {
            let mut row = [0.0f32; 64];
            for (pixel, sums) in pixel.iter().zip(&sums) {
                for (v, &sum) in sums.iter().enumerate() {
                    L::store(row.as_mut_ptr().add(v * L::WIDTH), sum);
                }
                let output = job.output.add(pixel.output as usize);
                core::ptr::copy_nonoverlapping(row.as_ptr(), output, job.columns);
            }
        }
    }
}

/// In the smallest tile of `M`, `N` and `O` rows that is enough.
///
/// # Safety
/// The processor has the instruction set of `L`; every pixel's input is valid for as many floats as the tile has rows, its
/// gradient for `V` registers, and the sums for `rows` times `V` registers.
#[inline(always)]
pub(super) unsafe fn outer<L: Lanes, const M: usize, const N: usize, const O: usize, const V: usize>(
    job: &Outer<'_>,
) {
    // SAFETY: passed on.
    unsafe {
        if job.rows <= O {
            outer_tile::<L, O, V>(job);
        } else if N > O && job.rows <= N {
            outer_tile::<L, N, V>(job);
        } else {
            outer_tile::<L, M, V>(job);
        }
    }
}

/// # Safety
/// As [`outer`].
#[inline(always)]
unsafe fn outer_tile<L: Lanes, const M: usize, const V: usize>(job: &Outer<'_>) {
    // SAFETY: by the contract of this function.
    unsafe {
        let zero = L::splat(0.0);
        let mut sums = [[zero; V]; M];
        for pixel in job.pixels {
            let input = job.input.add(pixel.input as usize);
            let gradient = job.gradient.add(pixel.output as usize);
            let g: [L::Vector; V] = core::array::from_fn(|v| L::load(gradient.add(v * L::WIDTH)));
            for (m, sums) in sums.iter_mut().enumerate() {
                let x = L::splat(*input.add(m));
                for (sum, &g) in sums.iter_mut().zip(&g) {
                    *sum = L::multiply_add(x, g, *sum);
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            if m < job.rows {
                for (v, &sum) in sums.iter().enumerate() {
                    let to = job.sums.add((m * V + v) * L::WIDTH);
                    L::store(to, L::add(L::load(to), sum));
                }
            }
        }
    }
}
