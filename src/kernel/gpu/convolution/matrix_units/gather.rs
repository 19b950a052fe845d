//! Convolution and the gradient of its images by matrix units: the product of `super::super::gather`, from halves.

use cubecl::cmma::Matrix;
use cubecl::prelude::*;

use super::super::gather::{Gather, NOWHERE, Way, place_of, tap_of_window, tile_of_workgroup, window};
use super::super::vector::Vec4;
use super::fragment::{Half4, Operand, halves, has_block, multiply, stage_fragment, staged, zeros};
use super::tile::MatrixTile;

/// Vectors of four along `K` that the product of a gather adds up.
pub(super) fn length(gather: Gather) -> usize {
    gather.taps(0) * gather.taps(1) * gather.source()[2]
}

/// Kind of the gathered operand: values on the way forward, gradients on the way back.
fn operand(gather: Gather) -> Operand {
    if gather.way == Way::Forward { Operand::Value } else { Operand::Gradient }
}

/// Tap and channels of a vector along `K`: row and column of the tap, then the number of the vector of channels.
#[cube]
fn tap_of(vector: u32, #[comptime] gather: Gather) -> (u32, u32, u32) {
    let (channels, across) = comptime!((gather.source()[2] as u32, gather.taps(1).max(1) as u32));
    let tap = vector / channels;
    (tap / across, tap % across, vector % channels)
}

/// `output[pixel][column] = Σ source[window of the pixel] · weights[tap, channel][column]`, plus a bias, for each student.
///
/// Workgroups are numbered as those of the plain product. While the units multiply one pair of panels, the next is on its
/// way from memory to registers.
#[cube(launch_unchecked)]
pub(super) fn gathered_product_of_halves(
    source: &[Vec4],
    weights: &[Half4],
    bias: &[Vec4],
    output: &mut [Vec4],
    students: u32,
    batch: u32,
    tiles: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: MatrixTile,
    #[comptime] has_bias: bool,
) {
    let [_, _, channels] = comptime!(gather.source());
    let operand = comptime!(operand(gather));
    let (student, number, pixels) = tile_of_workgroup(students, batch, tiles, gather);
    let (first_pixel, first_image) = (number * comptime!(tile.m() as u32), student * batch);
    let first_weight = student * comptime!((gather.shape.taps() * channels * 4) as u32);
    let first_column = CUBE_POS_X * comptime!((tile.n() / 4) as u32);

    let mut left =
        Shared::<[Half4]>::new_aligned_slice(comptime!(tile.m() * MatrixTile::stride(tile.k())), 32usize);
    let mut right =
        Shared::<[Half4]>::new_aligned_slice(comptime!(tile.k() * MatrixTile::stride(tile.n())), 32usize);
    let mut stage = Shared::<[Vec4]>::new_aligned_slice(comptime!(tile.subgroups() * tile.stage()), 32usize);
    let sums = zeros(tile);

    // An invocation loads of the left panel always the same vector along `K`, of pixels whose windows are found once.
    let deep = comptime!((tile.k() / 4) as u32);
    let turns = comptime!((tile.m() * tile.k() / 4).div_ceil(tile.invocations()));
    let mut places = Array::<u32>::new(turns);
    let mut beyond = Array::<u32>::new(turns);
    #[unroll]
    for turn in 0..turns {
        let row = (UNIT_POS + comptime!((turn * tile.invocations()) as u32)) / deep;
        let (place, taps) = window(first_pixel + row, pixels, first_image, batch, gather);
        places[turn] = place;
        beyond[turn] = taps;
    }
    let mut next_left = Array::<Vec4>::new(turns);
    let mut next_right =
        Array::<Half4>::new(comptime!((tile.k() * tile.n() / 4).div_ceil(tile.invocations())));

    let steps = comptime!((length(gather) * 4).div_ceil(tile.k()) as u32);
    for step in 0..steps + 1 {
        // The panel of the step before is multiplied after the loads of this one have begun.
        let (offset, bits) = tap_of_step(step, gather, tile);
        if step < steps {
            fetch_left(source, &places, &beyond, offset, bits, &mut next_left, turns);
            fetch_right(weights, first_weight, first_column, step, &mut next_right, gather, tile);
        }
        if step > 0 {
            multiply(&left, &right, &sums, false, tile);
            sync_cube();
        }
        if step < steps {
            blank(&mut next_left, &beyond, bits, turns);
            deposit(&next_left, &mut left, comptime!(tile.m()), comptime!(tile.k()), operand, tile);
            deposit_halves(&next_right, &mut right, comptime!(tile.k()), comptime!(tile.n()), tile);
            sync_cube();
        }
    }

    if has_block(tile) {
        write(
            &sums,
            &mut stage,
            bias,
            output,
            student,
            batch,
            first_pixel,
            pixels,
            first_column,
            gather,
            tile,
            has_bias,
        );
    }
}

/// Writes a subgroup's block. Through shared memory its fragments come to vectors whose rows and columns are known.
#[cube]
fn write(
    sums: &Sequence<Matrix<f32>>,
    stage: &mut Shared<[Vec4]>,
    bias: &[Vec4],
    output: &mut [Vec4],
    student: u32,
    batch: u32,
    first_pixel: u32,
    pixels: u32,
    first_column: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: MatrixTile,
    #[comptime] has_bias: bool,
) {
    let [height, width, columns] = comptime!(gather.target());
    let operand = comptime!(operand(gather));
    #[unroll]
    for fragment in 0..comptime!(tile.rows * tile.columns) {
        stage_fragment(sums, fragment, stage, tile);
        for place in range_stepped(UNIT_POS_PLANE, comptime!(tile.stage() as u32), PLANE_DIM) {
            let (row, vector, sum) = staged(place, fragment, stage, operand, tile);
            let (pixel, vector) = (first_pixel + row, first_column + vector);
            if pixel < pixels && vector < comptime!(columns as u32) {
                let (image, row, column) = place_of(pixel, batch, gather);
                let spread = comptime!(gather.spread() as u32);
                let y = row * spread + comptime!(gather.phase[0] as u32);
                let x = column * spread + comptime!(gather.phase[1] as u32);
                let to =
                    ((student * batch + image) * comptime!(height as u32) + y) * comptime!(width as u32) + x;
                let mut value = sum;
                if has_bias {
                    value += bias[(student * comptime!(columns as u32) + vector) as usize];
                }
                output[(to * comptime!(columns as u32) + vector) as usize] = value;
            }
        }
        sync_plane();
    }
}

/// The tap that an invocation loads for the left panel of a step: its offset from the place of a window, and its bits.
#[cube]
fn tap_of_step(step: u32, #[comptime] gather: Gather, #[comptime] tile: MatrixTile) -> (u32, u32) {
    let deep = comptime!((tile.k() / 4) as u32);
    let vector = step * deep + UNIT_POS % deep;
    let (tap_y, tap_x, channel) = tap_of(vector, gather);
    let (offset, mut bits) = tap_of_window(tap_y, tap_x, channel, gather);
    if comptime!(!(length(gather) as u32).is_multiple_of(deep)) {
        bits = select(vector < comptime!(length(gather) as u32), bits, NOWHERE);
    }
    (offset, bits)
}

/// Loads what an invocation brings of the left panel of a step; what does not exist is [set to zero](blank) later.
#[cube]
fn fetch_left(
    source: &[Vec4],
    places: &Array<u32>,
    beyond: &Array<u32>,
    offset: u32,
    bits: u32,
    values: &mut Array<Vec4>,
    #[comptime] turns: usize,
) {
    #[unroll]
    for turn in 0..turns {
        let inside = beyond[turn] & bits == 0;
        values[turn] = source[select(inside, places[turn] + offset, 0u32) as usize];
    }
}

/// Loads what an invocation brings of the right panel of a step. Rows past the last meet zeros of the left panel, and nobody
/// reads columns past the last; in their place are weights of the same student, which are numbers as long as it trains.
#[cube]
fn fetch_right(
    weights: &[Half4],
    first_weight: u32,
    first_column: u32,
    step: u32,
    values: &mut Array<Half4>,
    #[comptime] gather: Gather,
    #[comptime] tile: MatrixTile,
) {
    let [_, _, channels] = comptime!(gather.source());
    let [_, _, columns] = comptime!(gather.target());
    let wide = comptime!((tile.n() / 4) as u32);
    let spread = comptime!(gather.spread() as u32);
    #[unroll]
    for turn in 0..comptime!((tile.k() * tile.n() / 4).div_ceil(tile.invocations())) {
        let place = UNIT_POS + comptime!((turn * tile.invocations()) as u32);
        let (k, column) = (step * comptime!(tile.k() as u32) + place / wide, first_column + place % wide);
        let mut row = first_weight + k;
        // Where every tap counts, the weights lie as they are added up.
        if comptime!(spread > 1) {
            let (tap_y, tap_x, channel) = tap_of(k / 4, gather);
            let kernel_y = tap_y * spread + comptime!(gather.first_tap(0) as u32);
            let kernel_x = tap_x * spread + comptime!(gather.first_tap(1) as u32);
            let tap = kernel_y * comptime!(gather.shape.kernel as u32) + kernel_x;
            row = first_weight + (tap * comptime!(channels as u32) + channel) * 4 + k % 4;
        }
        // Most products are divided evenly.
        let exists = (comptime!((length(gather) * 4).is_multiple_of(tile.k()))
            || k < comptime!((length(gather) * 4) as u32))
            && (comptime!((columns * 4).is_multiple_of(tile.n())) || column < comptime!(columns as u32));
        let from = row * comptime!(columns as u32) + column;
        values[turn] = weights[select(exists, from, first_weight * comptime!(columns as u32)) as usize];
    }
}

/// Sets to zero what was loaded in place of vectors that do not exist. Not done where they are loaded, or each load would be
/// waited for before the units multiply.
#[cube]
fn blank(values: &mut Array<Vec4>, beyond: &Array<u32>, bits: u32, #[comptime] turns: usize) {
    #[unroll]
    for turn in 0..turns {
        values[turn] = select(beyond[turn] & bits == 0, values[turn], Vec4::new(0.0));
    }
}

/// Puts what an invocation has loaded of a panel of `rows` by `columns` into it, as halves.
#[cube]
pub(super) fn deposit(
    values: &Array<Vec4>,
    panel: &mut Shared<[Half4]>,
    #[comptime] rows: usize,
    #[comptime] columns: usize,
    #[comptime] operand: Operand,
    #[comptime] tile: MatrixTile,
) {
    let turns = comptime!((rows * columns / 4).div_ceil(tile.invocations()));
    let mut rounded = Array::<Half4>::new(turns);
    #[unroll]
    for turn in 0..turns {
        rounded[turn] = halves(values[turn], operand);
    }
    deposit_halves(&rounded, panel, rows, columns, tile);
}

/// Puts what an invocation has loaded of a panel of `rows` by `columns` into it.
#[cube]
fn deposit_halves(
    values: &Array<Half4>,
    panel: &mut Shared<[Half4]>,
    #[comptime] rows: usize,
    #[comptime] columns: usize,
    #[comptime] tile: MatrixTile,
) {
    let (wide, stride) = comptime!(((columns / 4) as u32, MatrixTile::stride(columns) as u32));
    let count = comptime!(rows * columns / 4);
    #[unroll]
    for turn in 0..comptime!(count.div_ceil(tile.invocations())) {
        let place = UNIT_POS + comptime!((turn * tile.invocations()) as u32);
        if comptime!(count.is_multiple_of(tile.invocations())) || place < comptime!(count as u32) {
            panel[(place / wide * stride + place % wide) as usize] = values[turn];
        }
    }
}
