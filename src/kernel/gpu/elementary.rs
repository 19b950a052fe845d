//! Exponentials and logarithms from plain arithmetic.
//!
//! To compile the built-in functions for NVIDIA's GPUs, a file of CUDA's toolkit is needed; all other code needs a driver only.

use cubecl::prelude::*;

const LOG2_E: f32 = std::f32::consts::LOG2_E;

/// ln 2 in two parts. The first has few digits: its products with whole numbers up to 2⁹ are exact.
const LN_2: f32 = 0.693_359_4;
const LN_2_REST: f32 = -2.121_944_4e-4;

/// ln 2⁻¹²⁶. From there down the exponential is below the smallest normal number.
const LEAST: f32 = -87.336_54;

/// Bits of 1, bits of +∞, and the mask of the mantissa's bits.
const ONE: u32 = 0x3F80_0000;
const ENDLESS: u32 = 0x7F80_0000;
const DIGITS: u32 = 0x007F_FFFF;

/// `exp(x)` for `x ≤ 0`; 0 where that is below the smallest normal number. NaN stays NaN.
#[cube]
pub(in crate::kernel) fn exp(x: f32) -> f32 {
    // NaN is not above `LEAST` either, so its whole part is 0.
    let whole = select(x > LEAST, (x * LOG2_E + 0.5f32).floor(), 0.0f32);
    let rest = (x - whole * LN_2) - whole * LN_2_REST;
    // Taylor's series: |rest| is at most ln 2 / 2.
    let mut series = rest * comptime!(1.0f32 / 5040.0) + comptime!(1.0f32 / 720.0);
    series = series * rest + comptime!(1.0f32 / 120.0);
    series = series * rest + comptime!(1.0f32 / 24.0);
    series = series * rest + comptime!(1.0f32 / 6.0);
    series = series * rest + 0.5f32;
    series = series * rest + 1.0f32;
    series = series * rest + 1.0f32;
    let power = f32::reinterpret(u32::cast_from(i32::cast_from(whole) + 127i32) << 23u32);
    select(x <= LEAST, 0.0f32, series * power)
}

/// `ln(x)` for `x ≥ 1`. NaN and +∞ stay as they are.
#[cube]
pub(in crate::kernel) fn ln(x: f32) -> f32 {
    let bits = u32::reinterpret(x);
    let digits = f32::reinterpret((bits & DIGITS) | ONE);
    let high = digits > std::f32::consts::SQRT_2;
    let digits = select(high, digits * 0.5f32, digits);
    let whole = f32::cast_from((bits >> 23u32) - select(high, 126u32, 127u32));
    // 2 artanh((d − 1) / (d + 1)), whose argument is at most 0.172.
    let part = (digits - 1.0f32) / (digits + 1.0f32);
    let square = part * part;
    let mut series = square * comptime!(1.0f32 / 9.0) + comptime!(1.0f32 / 7.0);
    series = series * square + comptime!(1.0f32 / 5.0);
    series = series * square + comptime!(1.0f32 / 3.0);
    series = series * square + 1.0f32;
    let found = whole * LN_2 + (whole * LN_2_REST + 2.0f32 * part * series);
    select(bits >= ENDLESS, x, found)
}
