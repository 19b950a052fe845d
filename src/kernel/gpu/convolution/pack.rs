//! Weights and images in the layouts that the products read.

use cubecl::prelude::*;

use super::shape::Shape;

/// Weights `[O, C, K, K]` of each student as `[taps · C][O]`, or for the way back as `[taps · O][C]`; channels that were
/// added to fill a vector are zero.
#[cube(launch_unchecked)]
pub(super) fn pack_weights(
    weights: &[f32],
    packed: &mut [f32],
    students: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= students * comptime!((shape.taps() * shape.input * shape.output * 16) as u32) {
        terminate!();
    }
    packed[place as usize] = packed_weight(weights, place, inputs, outputs, shape, backward);
}

/// The weight that belongs to a place of packed weights.
#[cube]
pub(super) fn packed_weight(
    weights: &[f32],
    place: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) -> f32 {
    let (inner, columns) = if comptime!(backward) {
        (comptime!((shape.output * 4) as u32), comptime!((shape.input * 4) as u32))
    } else {
        (comptime!((shape.input * 4) as u32), comptime!((shape.output * 4) as u32))
    };
    let taps = comptime!(shape.taps() as u32);
    let (student, within) =
        (place / comptime!(taps * inner * columns), place % comptime!(taps * inner * columns));
    let (column, row) = (within % columns, within / columns);
    let (channel, tap) = (row % inner, row / inner);
    let (input, output) = if comptime!(backward) { (column, channel) } else { (channel, column) };
    let exists = input < inputs && output < outputs;
    let from = ((student * outputs + output) * inputs + input) * taps + tap;
    select(exists, weights[select(exists, from, 0u32) as usize], 0.0f32)
}

/// Pixels of `from` channels as pixels of `to`: the surplus is cut off, what is missing is zero.
#[cube(launch_unchecked)]
pub(super) fn fit_channels(
    input: &[f32],
    output: &mut [f32],
    count: u32,
    #[comptime] from: u32,
    #[comptime] to: u32,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (pixel, channel) = (place / to, place % to);
    let exists = channel < from;
    output[place as usize] =
        select(exists, input[select(exists, pixel * from + channel, 0u32) as usize], 0.0f32);
}
