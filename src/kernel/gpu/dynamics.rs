//! The training dynamics of a batch in one kernel: from logits and labels to EL2N and the rest of the log.
//!
//! A workgroup takes a sample. As on the CPU everything is relative to the largest logit, and the sums leave the label (or
//! the largest class) out, so that `1 − p_y` and the logarithm keep their digits when one class takes nearly everything.

use burn::backend::TensorMetadata;
use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

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
    select(never, 0.0f32, (select(never, highest, z) - highest).exp())
}

/// `ln(1 + x)` for `x ≥ 0`, also where `1 + x` would round to 1.
#[cube]
fn ln_1p(x: f32) -> f32 {
    select(x < 1e-3f32, x - x * x * 0.5f32 + x * x * x / 3.0f32, (1.0f32 + x).ln())
}

/// Adds what all invocations brought; every one gets the sum.
#[cube]
fn add(own: f32, shared: &mut Shared<[f32]>) -> f32 {
    sync_cube();
    shared[UNIT_POS as usize] = own;
    let mut reach = comptime!(UNITS as u32 / 2).runtime();
    while reach > 0 {
        sync_cube();
        if UNIT_POS < reach {
            let other = shared[(UNIT_POS + reach) as usize];
            shared[UNIT_POS as usize] += other;
        }
        reach /= 2;
    }
    sync_cube();
    shared[0]
}

#[cube(launch_unchecked)]
fn dynamics_of_rows(logits: &[f32], labels: &[i32], rows: &mut [f32], classes: u32) {
    let sample = CUBE_POS_X;
    let start = sample * classes;
    let label = u32::cast_from(labels[sample as usize]);
    let mut values = Shared::<[f32]>::new_slice(UNITS);
    let mut classes_of = Shared::<[u32]>::new_slice(UNITS);

    // The largest logit; of equal ones the lowest class. NaN and +∞ have all exponent bits set.
    let mut highest = f32::min_value();
    let mut top = classes;
    let mut unusable = 0.0f32;
    for class in range_stepped(UNIT_POS, classes, comptime!(UNITS as u32)) {
        let z = logits[(start + class) as usize];
        let bits = u32::reinterpret(z);
        if bits != NEVER && (bits & 0x7F80_0000u32) == 0x7F80_0000u32 {
            unusable += 1.0;
        }
        if bits != NEVER && (z > highest || top == classes) {
            highest = z;
            top = class;
        }
    }
    values[UNIT_POS as usize] = highest;
    classes_of[UNIT_POS as usize] = top;
    let mut reach = comptime!(UNITS as u32 / 2).runtime();
    while reach > 0 {
        sync_cube();
        if UNIT_POS < reach {
            let (z, class) = (values[(UNIT_POS + reach) as usize], classes_of[(UNIT_POS + reach) as usize]);
            let (own, own_class) = (values[UNIT_POS as usize], classes_of[UNIT_POS as usize]);
            if class < classes && (own_class == classes || z > own || (z == own && class < own_class)) {
                values[UNIT_POS as usize] = z;
                classes_of[UNIT_POS as usize] = class;
            }
        }
        reach /= 2;
    }
    sync_cube();
    let highest = values[0];
    let top = classes_of[0];

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
    let unusable = add(unusable, &mut values);
    let others = add(others, &mut values);
    let squares = add(squares, &mut values);
    let below_top = add(below_top, &mut values);
    let spread = add(spread, &mut values);
    sync_cube();
    values[UNIT_POS as usize] = largest;
    let mut reach = comptime!(UNITS as u32 / 2).runtime();
    while reach > 0 {
        sync_cube();
        if UNIT_POS < reach {
            let other = values[(UNIT_POS + reach) as usize];
            if other > values[UNIT_POS as usize] {
                values[UNIT_POS as usize] = other;
            }
        }
        reach /= 2;
    }
    if UNIT_POS == 0 {
        let z = logits[(start + label) as usize];
        let own = share(z, highest);
        let total = others + own;
        let log_total = ln_1p(below_top);
        let row = (sample * comptime!(COLUMNS as u32)) as usize;
        rows[row] = own / total;
        rows[row + 1] = values[0] / total;
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
    assert!(samples <= super::MOST as usize, "a batch has fewer than 65,536 samples");
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
