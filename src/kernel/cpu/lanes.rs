//! The vector operations that the kernels are written in, one implementation for each instruction set.
//!
//! A kernel is generic over [`Lanes`] and `#[inline(always)]`; `isa.rs` instantiates it inside functions that
//! enable the instruction set, which is what makes the intrinsics below single instructions.

/// A register of `WIDTH` 32-bit floats.
///
/// # Safety
/// Every function requires that the processor has the instruction set of the implementation. Loads and
/// stores need `WIDTH` valid floats; no alignment beyond a float's.
pub(super) trait Lanes {
    /// The register.
    type Vector: Copy;
    /// One truth value for each lane.
    type Mask: Copy;
    /// Floats in a register.
    const WIDTH: usize;

    unsafe fn splat(value: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, vector: Self::Vector);
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn subtract(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn multiply(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn divide(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn square_root(a: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once where the instruction set can.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The larger one; `b` where `a` is NaN.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn equal(a: Self::Vector, b: Self::Vector) -> Self::Mask;
    unsafe fn greater(a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// `yes` where the mask holds, else `no`.
    unsafe fn choose(mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
}

/// One lane, plain Rust: the tail of a row of channels on every machine.
pub(super) struct Scalar;

impl Lanes for Scalar {
    type Vector = f32;
    type Mask = bool;
    const WIDTH: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> f32 {
        value
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> f32 {
        // SAFETY: the caller gives a valid float.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: f32) {
        // SAFETY: as in `load`.
        unsafe { *to = vector }
    }
    #[inline(always)]
    unsafe fn add(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    unsafe fn subtract(a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    unsafe fn multiply(a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    unsafe fn divide(a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    unsafe fn square_root(a: f32) -> f32 {
        a.sqrt()
    }
    #[inline(always)]
    unsafe fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
        // Not `f32::mul_add`: where there is no such instruction that is a slow library call.
        a * b + c
    }
    #[inline(always)]
    unsafe fn max(a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    unsafe fn equal(a: f32, b: f32) -> bool {
        a == b
    }
    #[inline(always)]
    unsafe fn greater(a: f32, b: f32) -> bool {
        a > b
    }
    #[inline(always)]
    unsafe fn choose(mask: bool, yes: f32, no: f32) -> f32 {
        if mask { yes } else { no }
    }
}

/// Calls `kernel::<_>(job, .., i)` for every `i` below a count: whole registers first, then one lane at a time.
macro_rules! by_lanes {
    ($lanes:ty, $count:expr, $kernel:ident($($argument:expr),+)) => {{
        let (count, mut i) = ($count, 0);
        while i + <$lanes>::WIDTH <= count {
            $kernel::<$lanes>($($argument,)+ i);
            i += <$lanes>::WIDTH;
        }
        while i < count {
            $kernel::<$crate::kernel::cpu::lanes::Scalar>($($argument,)+ i);
            i += 1;
        }
    }};
}
pub(super) use by_lanes;

/// Implements [`Lanes`] by one intrinsic an operation.
macro_rules! lanes {
    (
        $(#[$attribute:meta])* $name:ident, $width:literal, $vector:ty, $mask:ty;
        splat $splat:expr; load $load:expr; store $store:expr;
        add $add:expr; subtract $subtract:expr; multiply $multiply:expr; divide $divide:expr;
        square_root $root:expr; multiply_add $fma:expr; max $max:expr;
        equal $equal:expr; greater $greater:expr; choose $choose:expr;
    ) => {
        $(#[$attribute])*
        pub(crate) struct $name;

        // The intrinsics of some operations are safe on some instruction sets. SAFETY of the unsafe ones: the
        // contract of the trait is the contract of each intrinsic.
        #[allow(unused_unsafe, reason = "see above")]
        #[allow(clippy::undocumented_unsafe_blocks, clippy::redundant_closure_call, reason = "see above")]
        impl Lanes for $name {
            type Vector = $vector;
            type Mask = $mask;
            const WIDTH: usize = $width;

            #[inline(always)]
            unsafe fn splat(value: f32) -> $vector {
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> $vector {
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, vector: $vector) {
                unsafe { $store(to.cast(), vector) }
            }
            #[inline(always)]
            unsafe fn add(a: $vector, b: $vector) -> $vector {
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            unsafe fn subtract(a: $vector, b: $vector) -> $vector {
                unsafe { $subtract(a, b) }
            }
            #[inline(always)]
            unsafe fn multiply(a: $vector, b: $vector) -> $vector {
                unsafe { $multiply(a, b) }
            }
            #[inline(always)]
            unsafe fn divide(a: $vector, b: $vector) -> $vector {
                unsafe { $divide(a, b) }
            }
            #[inline(always)]
            unsafe fn square_root(a: $vector) -> $vector {
                unsafe { $root(a) }
            }
            #[inline(always)]
            unsafe fn multiply_add(a: $vector, b: $vector, c: $vector) -> $vector {
                unsafe { $fma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn max(a: $vector, b: $vector) -> $vector {
                unsafe { $max(a, b) }
            }
            #[inline(always)]
            unsafe fn equal(a: $vector, b: $vector) -> $mask {
                unsafe { $equal(a, b) }
            }
            #[inline(always)]
            unsafe fn greater(a: $vector, b: $vector) -> $mask {
                unsafe { $greater(a, b) }
            }
            #[inline(always)]
            unsafe fn choose(mask: $mask, yes: $vector, no: $vector) -> $vector {
                unsafe { $choose(mask, yes, no) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::Lanes;

    lanes! {
        /// AVX2 with FMA: 8 lanes.
        Avx2, 8, __m256, __m256;
        splat _mm256_set1_ps; load _mm256_loadu_ps; store _mm256_storeu_ps;
        add _mm256_add_ps; subtract _mm256_sub_ps; multiply _mm256_mul_ps; divide _mm256_div_ps;
        square_root _mm256_sqrt_ps; multiply_add _mm256_fmadd_ps; max _mm256_max_ps;
        equal _mm256_cmp_ps::<_CMP_EQ_OQ>; greater _mm256_cmp_ps::<_CMP_GT_OQ>;
        choose |mask, yes, no| _mm256_blendv_ps(no, yes, mask);
    }

    lanes! {
        /// AVX-512: 16 lanes.
        Avx512, 16, __m512, __mmask16;
        splat _mm512_set1_ps; load _mm512_loadu_ps; store _mm512_storeu_ps;
        add _mm512_add_ps; subtract _mm512_sub_ps; multiply _mm512_mul_ps; divide _mm512_div_ps;
        square_root _mm512_sqrt_ps; multiply_add _mm512_fmadd_ps; max _mm512_max_ps;
        equal _mm512_cmp_ps_mask::<_CMP_EQ_OQ>; greater _mm512_cmp_ps_mask::<_CMP_GT_OQ>;
        choose |mask, yes, no| _mm512_mask_blend_ps(mask, no, yes);
    }
}
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "aarch64")]
mod arm {
    use core::arch::aarch64::*;

    use super::Lanes;

    lanes! {
        /// NEON: 4 lanes.
        Neon, 4, float32x4_t, uint32x4_t;
        splat vdupq_n_f32; load vld1q_f32; store vst1q_f32;
        add vaddq_f32; subtract vsubq_f32; multiply vmulq_f32; divide vdivq_f32;
        square_root vsqrtq_f32; multiply_add |a, b, c| vfmaq_f32(c, a, b);
        max |a, b| vbslq_f32(vcgtq_f32(a, b), a, b);
        equal vceqq_f32; greater vcgtq_f32; choose vbslq_f32;
    }
}
#[cfg(target_arch = "aarch64")]
pub(super) use arm::Neon;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use core::arch::wasm32::*;

    use super::Lanes;

    lanes! {
        /// WebAssembly SIMD: 4 lanes.
        Simd128, 4, v128, v128;
        splat f32x4_splat; load v128_load; store v128_store;
        add f32x4_add; subtract f32x4_sub; multiply f32x4_mul; divide f32x4_div;
        square_root f32x4_sqrt; multiply_add |a, b, c| f32x4_add(f32x4_mul(a, b), c);
        max |a, b| f32x4_pmax(b, a);
        equal f32x4_eq; greater f32x4_gt; choose |mask, yes, no| v128_bitselect(yes, no, mask);
    }

    #[cfg(feature = "relaxed-simd")]
    lanes! {
        /// Relaxed WebAssembly SIMD, whose multiply-add is one instruction and may round once or twice.
        RelaxedSimd, 4, v128, v128;
        splat f32x4_splat; load v128_load; store v128_store;
        add f32x4_add; subtract f32x4_sub; multiply f32x4_mul; divide f32x4_div;
        square_root f32x4_sqrt; multiply_add f32x4_relaxed_madd;
        max |a, b| f32x4_pmax(b, a);
        equal f32x4_eq; greater f32x4_gt; choose |mask, yes, no| v128_bitselect(yes, no, mask);
    }
}
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", feature = "relaxed-simd"))]
pub(super) use wasm::RelaxedSimd;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use wasm::Simd128;
