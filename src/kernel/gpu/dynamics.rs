//! The training dynamics of a batch in one kernel: from logits and labels to EL2N and the rest of the log.
//!
//! A workgroup takes a sample. As on the CPU everything is relative to the largest logit, and the sums leave the label (or
//! the largest class) out, so that `1 − p_y` and the logarithm keep their digits when one class takes nearly everything.

use burn::backend::TensorMetadata;
use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::elementary::{exp, ln};
use super::reduce::{Join, Largest, Least, Sum, reduce};
use super::{empty, ready, span};
use crate::kernel::dynamics::COLUMNS;
use crate::kernel::probe::Work;

/// Invocations that share a sample.
const UNITS: usize = 32;

/// The bits of −∞, a class of probability 0.
const NEVER: u32 = 0xFF80_0000;

/// `exp(z − highest)`, 0 for a logit of −∞. WGSL leaves open what arithmetic does with infinities.
#[cube]
fn share(z: f32, highest: f32) -> f32 {
    let never = u32::reinterpret(z) == NEVER;
    select(never, 0.0f32, exp(select(never, highest, z) - highest))
}

/// `ln(1 + x)` for `x ≥ 0`, also where `1 + x` would round to 1.
#[cube]
fn ln_1p(x: f32) -> f32 {
    select(x < 1e-3f32, x - x * x * 0.5f32 + x * x * x / 3.0f32, ln(1.0f32 + x))
}

/// Joins one value from each invocation of a sample; every invocation gets the result.
#[cube]
fn of_all<T: CubePrimitive, J: Join<T>>(own: T) -> T {
    reduce::<T, J>(own, UNITS, 1usize)
}

#[cube(launch_unchecked)]
fn dynamics_of_rows(logits: &[f32], labels: &[i32], rows: &mut [f32], classes: u32) {
    let sample = CUBE_POS_X;
    let start = sample * classes;
    let label = u32::cast_from(labels[sample as usize]);

    // The largest logit; of equal ones the lowest class. NaN and +∞ have all exponent bits set.
    let mut own_highest = f32::min_value();
    let mut own_top = classes;
    let mut unusable = 0.0f32;
    for class in range_stepped(UNIT_POS, classes, comptime!(UNITS as u32)) {
        let z = logits[(start + class) as usize];
        let bits = u32::reinterpret(z);
        if bits != NEVER && (bits & 0x7F80_0000u32) == 0x7F80_0000u32 {
            unusable += 1.0;
        }
        if bits != NEVER && (z > own_highest || own_top == classes) {
            own_highest = z;
            own_top = class;
        }
    }
    let highest = of_all::<f32, Largest>(own_highest);
    let top = of_all::<u32, Least>(select(own_highest == highest, own_top, classes));

    let mut others = 0.0f32;
    let mut squares = 0.0f32;
    let mut largest = 0.0f32;
    let mut below_top = 0.0f32;
    let mut spread = 0.0f32;
    for class in range_stepped(UNIT_POS, classes, comptime!(UNITS as u32)) {
        let z = logits[(start + class) as usize];
        let e = share(z, highest);
        if e > 0.0 {
            spread += e * (highest - z);
        }
        if class != top {
            below_top += e;
        }
        if class != label {
            others += e;
            squares += e * e;
            largest = select(e > largest, e, largest);
        }
    }
    let unusable = of_all::<f32, Sum>(unusable);
    let others = of_all::<f32, Sum>(others);
    let squares = of_all::<f32, Sum>(squares);
    let below_top = of_all::<f32, Sum>(below_top);
    let spread = of_all::<f32, Sum>(spread);
    let largest = of_all::<f32, Largest>(largest);
    if UNIT_POS == 0 {
        let z = logits[(start + label) as usize];
        let own = share(z, highest);
        let total = others + own;
        let log_total = ln_1p(below_top);
        let row = (sample * comptime!(COLUMNS as u32)) as usize;
        rows[row] = own / total;
        rows[row + 1] = largest / total;
        rows[row + 2] = (others * others + squares).sqrt() / total;
        rows[row + 3] = log_total + spread / total;
        rows[row + 4] = log_total + (highest - z);
        rows[row + 5] = f32::cast_from(top == label);
        rows[row + 6] = f32::cast_from(unusable == 0.0 && top < classes);
    }
}

/// Rows of [`COLUMNS`] numbers, one for each row of logits.
pub(in crate::kernel) fn dynamics(logits: CubeTensor, labels: CubeTensor) -> CubeTensor {
    let (logits, labels) = (ready(logits), into_contiguous(labels));
    assert_eq!(labels.dtype, DType::I32, "labels are 32-bit integers");
    let (samples, classes) = (logits.shape()[0], logits.shape()[1]);
    let _span = span(&logits, "dynamics", || Work {
        shape: format!("{samples}x{classes}"),
        flops: (8 * samples * classes) as f64,
        floats: samples * (classes + COLUMNS),
    });
    let rows = empty(&logits, [samples, COLUMNS]);
    assert!(samples <= super::MAX_CUBES as usize, "a batch has fewer than 65,536 samples");
    // SAFETY: one workgroup a sample; labels are checked where data enters, and classes bound every index.
    unsafe {
        dynamics_of_rows::launch_unchecked(
            &rows.client,
            CubeCount::Static(samples as u32, 1, 1),
            CubeDim::new_1d(UNITS as u32),
            logits.into_buffer_arg(),
            labels.into_buffer_arg(),
            rows.clone().into_buffer_arg(),
            classes as u32,
        );
    }
    rows
}
