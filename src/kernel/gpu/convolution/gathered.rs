//! The kernel of a product whose left factor is [gathered](super::gather) as it is needed.

use cubecl::prelude::*;

use super::channels::{put_vector, vector_of};
use super::gather::{Gather, place_of, tap_of_window, tile_of_workgroup, window};
use super::product::{accumulate, clear};
use super::shape::Tile;
use super::taps::taps_of_pixels;
use super::vector::Vec4;

/// Loads the right panel, `[K][N]`, from a matrix of `columns` vectors a row: from `first_row` and `first_column` on. Past
/// the last column are zeros.
#[cube]
fn load_weights(
    weights: &[Vec4],
    right: &mut Shared<[Vec4]>,
    first_row: u32,
    first_column: u32,
    #[comptime] columns: usize,
    #[comptime] tile: Tile,
) {
    let (n, units) = comptime!((tile.n() as u32, tile.units() as u32));
    let panel = comptime!((tile.depth * 4) as u32 * n);
    #[unroll]
    for turn in 0..comptime!(panel.div_ceil(units)) {
        let place = UNIT_POS + turn * units;
        if comptime!(panel.is_multiple_of(units)) || place < panel {
            let (row, column) = (first_row + place / n, first_column + place % n);
            let exists = column < comptime!(columns as u32);
            let from = row * comptime!(columns as u32) + column;
            let value = weights[select(exists, from, 0u32) as usize];
            right[place as usize] = select(exists, value, Vec4::new(0.0));
        }
    }
}

/// `output[pixel][column] = Σ source[window of the pixel] · weights[tap, channel][column]`, plus a bias, for each student.
///
/// `weights` is `[taps · source channels][target channels]`. One workgroup makes one tile ([`tile_of_workgroup`]). Each student
/// has `batch` images and `tiles` tiles of rows; what a tile computes does not depend on how many students there are.
#[cube(launch_unchecked)]
pub(super) fn gathered_product<I: Size, O: Size>(
    source: &[Vector<f32, I>],
    weights: &[Vec4],
    bias: &[Vector<f32, O>],
    output: &mut [Vector<f32, O>],
    students: u32,
    batch: u32,
    tiles: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: Tile,
    #[comptime] has_bias: bool,
) {
    let [_, _, channels] = comptime!(gather.source());
    let [target_height, target_width, columns] = comptime!(gather.target());
    let (m, n) = comptime!((tile.m() as u32, tile.n() as u32));
    let (student, number, pixels) = tile_of_workgroup(students, batch, tiles, gather);
    let (first_row, first_image) = (number * m * 4, student * batch);
    let first_column = CUBE_POS_X * n;
    let unit = UNIT_POS;
    let (row, column) = (unit / comptime!(tile.across as u32), unit % comptime!(tile.across as u32));

    let mut left = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * (tile.m() + tile.pad())));
    let mut right = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * tile.n()));
    let mut sums = Array::<Vec4>::new(comptime!(tile.rows * 4 * tile.columns));
    clear(&mut sums, tile);

    // Each invocation gathers squares of four pixels by four channels and turns them, so that both panels are `[K][..]`.
    // Neighbours take neighbouring channels, so that together they read whole lines of memory. The windows of an invocation's
    // pixels are found once.
    let squares = comptime!(tile.depth * tile.m());
    let turns = comptime!(squares.div_ceil(tile.units()));
    let mut places = Array::<u32>::new(comptime!(turns * 4));
    let mut beyond = Array::<u32>::new(comptime!(turns * 4));
    #[unroll]
    for turn in 0..turns {
        let group = (unit + comptime!((turn * tile.units()) as u32)) / comptime!(tile.depth as u32);
        #[unroll]
        for i in 0..4usize {
            let pixel = first_row + group * 4 + comptime!(i as u32);
            let (place, taps) = window(pixel, pixels, first_image, batch, gather);
            places[comptime!(turn * 4 + i)] = place + unit % comptime!(tile.depth as u32);
            beyond[comptime!(turn * 4 + i)] = taps;
        }
    }
    let runs = comptime!((channels / tile.depth) as u32);
    let last_row = select(first_row + m * 4 < pixels, first_row + m * 4, pixels);
    let taps = taps_of_pixels(first_row, last_row, batch, gather);
    let taps_across = taps.right - taps.left;
    // One loop of taps, and one of channels in which nothing is divided. Not one of rows of taps, too: SwiftShader takes longer with
    // every loop around a barrier.
    for place in 0..(taps.bottom - taps.top) * taps_across {
        // There may be none, and compilers refuse to divide by a zero that they know.
        let across = taps_across.max(1u32);
        let (tap_y, tap_x) = (taps.top + place / across, taps.left + place % across);
        let spread = comptime!(gather.spread() as u32);
        let kernel_y = tap_y * spread + comptime!(gather.first_tap(0) as u32);
        let kernel_x = tap_x * spread + comptime!(gather.first_tap(1) as u32);
        let tap = kernel_y * comptime!(gather.shape.kernel as u32) + kernel_x;
        for run in 0..runs {
            let (offset, bits) = tap_of_window(tap_y, tap_x, run * comptime!(tile.depth as u32), gather);
            // Where the weights of this tap and run begin.
            let first_weight = (student * comptime!((gather.shape.taps() * channels * 4) as u32))
                + (tap * runs + run) * comptime!((tile.depth * 4) as u32);
            #[unroll]
            for turn in 0..turns {
                let square = unit + comptime!((turn * tile.units()) as u32);
                if comptime!(squares.is_multiple_of(tile.units())) || square < comptime!(squares as u32) {
                    let (group, k) =
                        (square / comptime!(tile.depth as u32), square % comptime!(tile.depth as u32));
                    let pitch = comptime!((tile.m() + tile.pad()) as u32);
                    let mut values = Array::<Vec4>::new(4usize);
                    #[unroll]
                    for i in 0..4usize {
                        let known = comptime!(turn * 4 + i);
                        let inside = beyond[known] & bits == 0;
                        let value = vector_of(
                            source,
                            select(inside, places[known] + offset, 0u32),
                            comptime!(gather.source_channels()),
                        );
                        values[i] = select(inside, value, Vec4::new(0.0));
                    }
                    #[unroll]
                    for lane in 0..4usize {
                        let mut turned = Vec4::new(values[0].extract(lane));
                        #[unroll]
                        for i in 1..4usize {
                            turned.insert(i, values[i].extract(lane));
                        }
                        left[((k * 4 + comptime!(lane as u32)) * pitch + group) as usize] = turned;
                    }
                }
            }
            load_weights(weights, &mut right, first_weight, first_column, columns, tile);
            sync_cube();
            accumulate(&left, &right, &mut sums, row, column, comptime!(tile.pad()), tile);
            sync_cube();
        }
    }

    #[unroll]
    for i in 0..tile.rows {
        #[unroll]
        for lane in 0..4usize {
            let group = row + comptime!((i * tile.down) as u32);
            let pixel = first_row + group * 4 + comptime!(lane as u32);
            let (image, row, column_of) = place_of(pixel, batch, gather);
            let y = row * comptime!(gather.spread() as u32) + comptime!(gather.phase[0] as u32);
            let x = column_of * comptime!(gather.spread() as u32) + comptime!(gather.phase[1] as u32);
            let to = ((first_image + image) * comptime!(target_height as u32) + y)
                * comptime!(target_width as u32)
                + x;
            #[unroll]
            for j in 0..tile.columns {
                let vector = first_column + column + comptime!((j * tile.across) as u32);
                if pixel < pixels && vector < comptime!(columns as u32) {
                    let mut value = sums[comptime!((i * 4 + lane) * tile.columns + j)];
                    if has_bias {
                        value += vector_of(
                            bias,
                            student * comptime!(columns as u32) + vector,
                            comptime!(gather.target_channels()),
                        );
                    }
                    put_vector(
                        output,
                        to * comptime!(columns as u32) + vector,
                        value,
                        comptime!(gather.target_channels()),
                    );
                }
            }
        }
    }
}
