//! Weights as halves, in the layouts that the product of a gather reads.

use cubecl::prelude::*;

use super::super::pack::packed_vector;
use super::super::shape::Shape;
use super::fragment::{Half4, Operand, halves};

/// What [`pack_weights`](super::super::pack::pack_weights) packs, rounded once for all the tiles that read it.
#[cube(launch_unchecked)]
pub(super) fn pack_weights_as_halves(
    weights: &[f32],
    packed: &mut [Half4],
    students: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) {
    let (place, exists, value) = packed_vector(weights, students, inputs, outputs, shape, backward);
    if exists {
        packed[place as usize] = halves(value, Operand::Value);
    }
}
