//! The kernels of one instruction set as a table of functions, and the choice of the widest one at run time.

use std::sync::OnceLock;

use super::transform::Squares;
use super::{lanes, normalise, optimizer, pool, tile, transform};

/// The inner kernels, compiled for one instruction set.
///
/// # Safety
/// All functions: the processor has the instruction set (which [`kernels`] makes sure of), and the job's pointers are
/// valid as its type states.
#[derive(Debug)]
pub(crate) struct Kernels {
    /// For people.
    pub(super) name: &'static str,
    /// Columns of a panel of weights.
    pub(super) panel: usize,
    /// Rows of a tile of weight gradients.
    pub(super) rows: usize,
    /// Rows of the smallest one, which divide a panel.
    pub(super) even_rows: usize,
    pub(super) multiply: unsafe fn(&tile::Multiply<'_>),
    pub(super) outer: unsafe fn(&tile::Outer<'_>),
    pub(super) pixels: unsafe fn(&Squares),
    pub(super) outputs: unsafe fn(&Squares),
    pub(super) gradients: unsafe fn(&Squares),
    pub(super) taps: unsafe fn(&Squares),
    pub(super) tap_gradients: unsafe fn(&Squares),
    pub(super) moments: unsafe fn(&normalise::Moments),
    pub(super) normalise: unsafe fn(&normalise::Forward),
    pub(super) normalise_sums: unsafe fn(&normalise::Sums),
    pub(super) normalise_backward: unsafe fn(&normalise::Backward),
    pub(super) pool: unsafe fn(&pool::Forward),
    pub(super) pool_backward: unsafe fn(&pool::Backward),
    pub(super) adamw: unsafe fn(&optimizer::AdamWJob),
    pub(super) sgd: unsafe fn(&optimizer::SgdJob),
}

/// Compiles every kernel for an instruction set: its lanes, tiles of so many pixels (and rows) by so many
/// registers; rows of a smaller tile; pixels (and rows) of the smallest one, which divide a panel. Three taps of three
/// channels are 9 rows, and seven are 21.
macro_rules! kernels {
    ($module:ident, $name:literal, $lanes:ty, $pixels:literal, $middle:literal, $even:literal, $vectors:literal $(, $features:literal)?) => {
        mod $module {
            use super::*;
            use lanes::Lanes;

            kernels! {@functions ($($features)?);
                multiply(tile::Multiply<'_>) = tile::multiply::<$lanes, $pixels, $even, $vectors>;
                outer(tile::Outer<'_>) = tile::outer::<$lanes, $pixels, $middle, $even, $vectors>;
                pixels(Squares) = transform::transform::<$lanes, transform::Pixels, 6, 6>;
                outputs(Squares) = transform::transform::<$lanes, transform::Outputs, 6, 4>;
                gradients(Squares) = transform::transform::<$lanes, transform::Gradients, 4, 6>;
                taps(Squares) = transform::transform::<$lanes, transform::Taps, 3, 6>;
                tap_gradients(Squares) = transform::transform::<$lanes, transform::TapGradients, 6, 3>;
                moments(normalise::Moments) = normalise::moments::<$lanes>;
                normalise_forward(normalise::Forward) = normalise::forward::<$lanes>;
                normalise_sums(normalise::Sums) = normalise::sums::<$lanes>;
                normalise_backward(normalise::Backward) = normalise::backward::<$lanes>;
                pool_forward(pool::Forward) = pool::forward::<$lanes>;
                pool_backward(pool::Backward) = pool::backward::<$lanes>;
                adamw(optimizer::AdamWJob) = optimizer::adamw::<$lanes>;
                sgd(optimizer::SgdJob) = optimizer::sgd::<$lanes>;
            }

            pub(super) static KERNELS: Kernels = Kernels {
                name: $name,
                panel: $vectors * <$lanes>::WIDTH,
                rows: $pixels,
                even_rows: $even,
                multiply,
                outer,
                pixels,
                outputs,
                gradients,
                taps,
                tap_gradients,
                moments,
                normalise: normalise_forward,
                normalise_sums,
                normalise_backward,
                pool: pool_forward,
                pool_backward,
                adamw,
                sgd,
            };
        }
    };
    (@functions $features:tt; $($function:ident($job:ty) = $kernel:expr;)*) => {
        $(kernels! {@function $features $function($job) = $kernel})*
    };
    (@function ($($features:literal)?) $function:ident($job:ty) = $kernel:expr) => {
        $(#[target_feature(enable = $features)])?
        unsafe fn $function(job: &$job) {
            // SAFETY: this function's own contract.
            unsafe { $kernel(job) }
        }
    };
}

kernels!(portable, "portable", lanes::Scalar, 4, 4, 4, 8);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, "AVX2", lanes::Avx2, 6, 4, 4, 2, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(avx512, "AVX-512", lanes::Avx512, 12, 9, 8, 2, "avx512f,avx2,fma");
#[cfg(target_arch = "aarch64")]
kernels!(neon, "NEON", lanes::Neon, 6, 4, 4, 4, "neon");
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
kernels!(simd128, "SIMD128", lanes::Simd128, 4, 4, 4, 2);
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", feature = "relaxed-simd"))]
kernels!(relaxed, "relaxed SIMD", lanes::RelaxedSimd, 4, 4, 4, 2, "relaxed-simd");

/// Every table that this processor can run, the widest first; the portable one is always there.
pub(super) fn available() -> Vec<&'static Kernels> {
    let mut tables = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if avx2 && is_x86_feature_detected!("avx512f") {
            tables.push(&avx512::KERNELS);
        }
        if avx2 {
            tables.push(&avx2::KERNELS);
        }
    }
    #[cfg(target_arch = "aarch64")]
    tables.push(&neon::KERNELS);
    // The module does not load at all where the engine lacks relaxed SIMD.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128", feature = "relaxed-simd"))]
    tables.push(&relaxed::KERNELS);
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    tables.push(&simd128::KERNELS);
    tables.push(&portable::KERNELS);
    tables
}

/// The widest kernels this processor can run.
pub(crate) fn kernels() -> &'static Kernels {
    static CHOSEN: OnceLock<&'static Kernels> = OnceLock::new();
    CHOSEN.get_or_init(|| available()[0])
}
