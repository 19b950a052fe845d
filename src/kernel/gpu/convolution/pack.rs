//! Weights in the layouts that the products read.

use cubecl::prelude::*;

use super::shape::Shape;
use super::vector::Vec4;

/// Weights `[O, C, K, K]` of each student as `[taps · C][O]`, or for the way back as `[taps · O][C]`; channels that were
/// added to fill a vector are zero.
#[cube(launch_unchecked)]
pub(super) fn pack_weights(
    weights: &[f32],
    packed: &mut [Vec4],
    students: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= students * comptime!((shape.taps() * shape.input() * shape.output() * 4) as u32) {
        terminate!();
    }
    packed[place as usize] = packed_weights(weights, place, shape, backward);
}

/// The weights that belong to a vector of packed weights.
#[cube]
pub(super) fn packed_weights(
    weights: &[f32],
    place: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) -> Vec4 {
    let (inner, columns) = if comptime!(backward) {
        (comptime!((shape.output() * 4) as u32), comptime!(shape.input() as u32))
    } else {
        (comptime!((shape.input() * 4) as u32), comptime!(shape.output() as u32))
    };
    let (inputs, outputs) = comptime!((shape.inputs.count as u32, shape.outputs.count as u32));
    let taps = comptime!(shape.taps() as u32);
    let (student, within) =
        (place / comptime!(taps * inner * columns), place % comptime!(taps * inner * columns));
    let (column, row) = (within % columns * 4, within / columns);
    let (channel, tap) = (row % inner, row / inner);
    let (input, output) = if comptime!(backward) { (column, channel) } else { (channel, column) };
    // From one column to the next: an input channel on the way back, an output channel else.
    let spread = comptime!(if backward { taps } else { inputs * taps });
    let (inside, left) =
        if comptime!(backward) { (output < outputs, inputs) } else { (input < inputs, outputs) };
    let first = ((student * outputs + output) * inputs + input) * taps + tap;
    let mut found = Vec4::new(0.0);
    #[unroll]
    for lane in 0..4usize {
        let exists = inside && column + comptime!(lane as u32) < left;
        let from = select(exists, first + comptime!(lane as u32) * spread, 0u32);
        found.insert(lane, select(exists, weights[from as usize], 0.0f32));
    }
    found
}
