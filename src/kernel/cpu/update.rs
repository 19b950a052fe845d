//! One step of an optimiser on a whole tensor.

use super::isa::Kernels;
use super::optimizer::{AdamWJob, SgdJob};
use super::shared::Shared;
use crate::kernel::update::{AdamW, Sgd};
use crate::parallel::for_each;

/// Floats of a piece of work.
const PIECE: usize = 64 * 1024;

/// Calls `work` with the start and length of pieces of `length` floats.
fn pieces(length: usize, work: impl Fn(usize, usize) + Sync) {
    for_each(length.div_ceil(PIECE), |piece| work(piece * PIECE, PIECE.min(length - piece * PIECE)));
}

/// Writes the parameter after the step to `output`; the moments change in place.
pub(crate) fn adamw(
    kernels: &Kernels,
    constants: AdamW,
    parameter: &[f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    output: &mut [f32],
) {
    let length = parameter.len();
    assert_eq!([gradient.len(), first.len(), second.len(), output.len()], [length; 4]);
    let (first, second, output) = (Shared::new(first), Shared::new(second), Shared::new(output));
    pieces(length, |start, length| {
        // SAFETY: the lengths are checked above; pieces do not overlap.
        unsafe {
            (kernels.adamw)(&AdamWJob {
                constants,
                length,
                parameter: parameter[start..].as_ptr(),
                gradient: gradient[start..].as_ptr(),
                first: first.at(start),
                second: second.at(start),
                output: output.at(start),
            });
        }
    });
}

/// Writes the parameter after the step to `output`; the velocity changes in place.
pub(crate) fn sgd(
    kernels: &Kernels,
    constants: Sgd,
    parameter: &[f32],
    gradient: &[f32],
    velocity: &mut [f32],
    output: &mut [f32],
) {
    let length = parameter.len();
    assert_eq!([gradient.len(), velocity.len(), output.len()], [length; 3]);
    let (velocity, output) = (Shared::new(velocity), Shared::new(output));
    pieces(length, |start, length| {
        // SAFETY: as in `adamw`.
        unsafe {
            (kernels.sgd)(&SgdJob {
                constants,
                length,
                parameter: parameter[start..].as_ptr(),
                gradient: gradient[start..].as_ptr(),
                velocity: velocity.at(start),
                output: output.at(start),
            });
        }
    });
}
