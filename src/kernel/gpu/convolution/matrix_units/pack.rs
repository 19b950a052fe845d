//! Weights as halves, in the layouts that the product of a gather reads.

use cubecl::prelude::*;

use super::super::pack::packed_weights;
use super::super::shape::Shape;
use super::fragment::{Half4, Operand, halves};

/// Packs weights as [`pack_weights`](super::super::pack::pack_weights) does, rounded to halves once for all tiles that read them.
#[cube(launch_unchecked)]
pub(super) fn pack_weights_as_halves(
    weights: &[f32],
    packed: &mut [Half4],
    students: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) {
    let vector = ABSOLUTE_POS as u32;
    if vector >= students * comptime!((shape.taps() * shape.input() * shape.output() * 4) as u32) {
        terminate!();
    }
    let value = packed_weights(weights, vector, shape, backward);
    packed[vector as usize] = halves(value, Operand::Value);
}
