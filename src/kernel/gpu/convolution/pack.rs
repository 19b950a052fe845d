//! Weights and images in the layouts that the products read, and weights back.
//!
//! Where an output channel's weights become a column, squares are turned in shared memory: both sides are read and written
//! in whole lines.

use cubecl::prelude::*;

use super::product::Vec4;
use super::shape::{LANES, Shape};
use crate::kernel::gpu::elementwise;

/// Rows and columns of a square that is turned.
const SIDE: usize = 32;

/// Floats from one row of a square to the next in shared memory, so that columns lie in different banks, too.
const PITCH: usize = SIDE + 1;

/// Vectors of a row of a square.
const WIDE: usize = SIDE / LANES;

/// Invocations that turn a square: one for each of its vectors.
const TURNERS: usize = SIDE * WIDE;

/// The workgroups that turn the weights of each student.
pub(super) fn squares(shape: Shape, students: usize) -> (CubeCount, CubeDim) {
    let (rows, columns) = (shape.output * LANES, shape.input * LANES * shape.taps());
    let count = CubeCount::Static(columns.div_ceil(SIDE) as u32, rows.div_ceil(SIDE) as u32, students as u32);
    (count, CubeDim::new_1d(TURNERS as u32))
}

/// The workgroups that pack weights.
pub(super) fn packers(shape: Shape, backward: bool, students: usize) -> (CubeCount, CubeDim) {
    if backward {
        elementwise(students * shape.taps() * shape.output * LANES * shape.input)
    } else {
        squares(shape, students)
    }
}

/// Weights `[O, C, K, K]` of each student as `[taps · C][O]`, or for the way back as `[taps · O][C]`; channels that were
/// added to fill a vector are zero.
#[cube(launch_unchecked)]
pub(super) fn pack_weights(
    weights: &[f32],
    packed: &mut [Vec4],
    students: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) {
    let (place, exists, value) = packed_vector(weights, students, inputs, outputs, shape, backward);
    if exists {
        packed[place as usize] = value;
    }
}

/// An invocation's vector of packed weights: its place, whether there is one, and its numbers. All invocations of a workgroup
/// have to ask for theirs.
#[cube]
pub(super) fn packed_vector(
    weights: &[f32],
    students: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
    #[comptime] backward: bool,
) -> (u32, bool, Vec4) {
    if comptime!(backward) {
        row_vector(weights, students, inputs, outputs, shape)
    } else {
        turned_vector(weights, inputs, outputs, shape)
    }
}

/// For the way back: input channels are columns, and lie a kernel's taps apart in the weights.
#[cube]
fn row_vector(
    weights: &[f32],
    students: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
) -> (u32, bool, Vec4) {
    let (taps, columns, rows) =
        comptime!((shape.taps() as u32, shape.input as u32, (shape.output * 4) as u32));
    let place = ABSOLUTE_POS as u32;
    let exists = place < students * comptime!(taps * rows * columns);
    let (row, first) = (place / columns, place % columns * 4);
    let (output, tap) = (row % rows, row / rows % taps);
    let student = place / comptime!(taps * rows * columns);
    let mut value = Vec4::new(0.0);
    #[unroll]
    for lane in 0..4usize {
        let input = first + comptime!(lane as u32);
        let known = exists && input < inputs && output < outputs;
        let from = ((student * outputs + output) * inputs + input) * taps + tap;
        value.insert(lane, select(known, weights[select(known, from, 0u32) as usize], 0.0f32));
    }
    (place, exists, value)
}

/// Where an invocation's vector lies in a workgroup's square once it is turned: its row, an input channel and a tap as the
/// weights have them side by side, and its first column, an output channel.
#[cube]
fn place_in_square() -> (u32, u32) {
    let wide = comptime!(WIDE as u32);
    (UNIT_POS / wide, UNIT_POS % wide * 4)
}

/// The place of a turned vector in `[taps · C][O]`, in vectors, and whether it exists.
#[cube]
fn place_of_turned(row: u32, column: u32, #[comptime] shape: Shape) -> (u32, bool) {
    let (taps, columns) = comptime!((shape.taps() as u32, shape.output as u32));
    let row = CUBE_POS_X * comptime!(SIDE as u32) + row;
    let vector = (CUBE_POS_Y * comptime!(SIDE as u32) + column) / 4;
    let (channel, tap) = (row / taps, row % taps);
    let channels = comptime!((shape.input * 4) as u32);
    let place = ((CUBE_POS_Z * taps + tap) * channels + channel) * columns + vector;
    (place, channel < channels && vector < columns)
}

/// The place of an element of a square in the weights `[O, C, K, K]`, and whether it exists.
#[cube]
fn place_in_weights(
    row: u32,
    column: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
) -> (u32, bool) {
    let output = CUBE_POS_Y * comptime!(SIDE as u32) + row;
    let (weight, weights) =
        (CUBE_POS_X * comptime!(SIDE as u32) + column, inputs * comptime!(shape.taps() as u32));
    ((CUBE_POS_Z * outputs + output) * weights + weight, output < outputs && weight < weights)
}

/// Forward: output channels are columns.
#[cube]
fn turned_vector(weights: &[f32], inputs: u32, outputs: u32, #[comptime] shape: Shape) -> (u32, bool, Vec4) {
    let mut square = Shared::<[f32]>::new_slice(comptime!(SIDE * PITCH));
    let (side, pitch) = comptime!((SIDE as u32, PITCH as u32));
    #[unroll]
    for turn in 0..LANES {
        let element = UNIT_POS + comptime!((turn * TURNERS) as u32);
        let (row, column) = (element / side, element % side);
        let (from, exists) = place_in_weights(row, column, inputs, outputs, shape);
        let value = weights[select(exists, from, 0u32) as usize];
        square[(row * pitch + column) as usize] = select(exists, value, 0.0f32);
    }
    sync_cube();
    let (row, column) = place_in_square();
    let (place, exists) = place_of_turned(row, column, shape);
    let mut value = Vec4::new(0.0);
    #[unroll]
    for lane in 0..4usize {
        value.insert(lane, square[((column + comptime!(lane as u32)) * pitch + row) as usize]);
    }
    (place, exists, value)
}

/// Adds the `count` parts of each student's gradient of the weights, `[taps · C][O]`, in their order, and puts every weight
/// where `[O, C, K, K]` has it.
#[cube(launch_unchecked)]
pub(super) fn add_parts(
    parts: &[Vec4],
    weights: &mut [f32],
    count: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
) {
    let mut square = Shared::<[f32]>::new_slice(comptime!(SIDE * PITCH));
    let (side, pitch) = comptime!((SIDE as u32, PITCH as u32));
    let size = comptime!((shape.taps() * shape.input * 4 * shape.output) as u32);
    let (row, column) = place_in_square();
    let (place, exists) = place_of_turned(row, column, shape);
    // A place is counted from the first student's, whose parts would be one each.
    let first = select(exists, place + CUBE_POS_Z * (count - 1) * size, 0u32);
    let mut sum = Vec4::new(0.0);
    for part in 0..count {
        sum += parts[(first + part * size) as usize];
    }
    #[unroll]
    for lane in 0..4usize {
        square[((column + comptime!(lane as u32)) * pitch + row) as usize] = sum.extract(lane);
    }
    sync_cube();
    #[unroll]
    for turn in 0..LANES {
        let element = UNIT_POS + comptime!((turn * TURNERS) as u32);
        let (row, column) = (element / side, element % side);
        let (to, exists) = place_in_weights(row, column, inputs, outputs, shape);
        if exists {
            weights[to as usize] = square[(row * pitch + column) as usize];
        }
    }
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
