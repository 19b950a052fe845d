//! The gradient of the weights: a product over all pixels, in parts that are added at the end.
//!
//! A row of the product is a tap and an input channel, a column an output channel, and `K` runs over the pixels of the output.

use cubecl::prelude::*;

use super::gather::{Gather, NOWHERE, Way, tap_of_window, window};
use super::product::{Vec4, accumulate, clear, load_right};
use super::shape::{Shape, Tile};

/// Where the window of a pixel begins, and which of its taps lie beyond the image.
pub(super) type WindowOf = Vector<u32, Const<2>>;

/// Whose windows are those of the output's pixels.
fn forward(shape: Shape) -> Gather {
    Gather { shape, way: Way::Forward, phase: [0, 0] }
}

/// Finds the windows of `count` pixels from `pixel` on, for all invocations to read; `first_image` is that of pixel 0.
#[cube]
pub(super) fn put_windows(
    windows: &mut Shared<[WindowOf]>,
    slot: u32,
    pixel: u32,
    last_pixel: u32,
    first_image: u32,
    #[comptime] shape: Shape,
    #[comptime] count: u32,
    #[comptime] units: u32,
) {
    #[unroll]
    for turn in 0..comptime!(count.div_ceil(units)) {
        let k = UNIT_POS + turn * units;
        if k < count {
            let (place, beyond) = window(pixel + k, last_pixel, first_image, comptime!(forward(shape)));
            let mut found = WindowOf::new(place);
            found.insert(1usize, beyond);
            windows[(slot + k) as usize] = found;
        }
    }
}

/// What is added to the place of a window to find the tap and channels of a row of vectors, and the bits of that tap.
#[cube]
pub(super) fn tap_of_row(row: u32, #[comptime] shape: Shape) -> (u32, u32) {
    let (channels, kernel) = comptime!((shape.input as u32, shape.kernel as u32));
    let (tap, channel) = (row / channels, row % channels);
    let (offset, bits) = tap_of_window(tap / kernel, tap % kernel, channel, comptime!(forward(shape)));
    (offset, select(row < comptime!((shape.taps() * shape.input) as u32), bits, NOWHERE))
}

/// `parts[part][tap, channel][column] = Σ images[window of the pixel] · gradient[pixel][column]` over the pixels of a part.
///
/// The first coordinate of a workgroup numbers tiles of columns, the second tiles of rows, the third parts: `count` of each
/// student. A part has `part` pixels, a multiple of the tile's depth.
#[cube(launch_unchecked)]
pub(super) fn weight_gradient_parts(
    images: &[Vec4],
    gradient: &[Vec4],
    parts: &mut [Vec4],
    batch: u32,
    part: u32,
    count: u32,
    #[comptime] shape: Shape,
    #[comptime] tile: Tile,
) {
    let (m, n, units) = comptime!((tile.m() as u32, tile.n() as u32, tile.units() as u32));
    let rows = comptime!((shape.taps() * shape.input) as u32);
    let columns = comptime!(shape.output as u32);
    let depth = comptime!((tile.depth * 4) as u32);
    let area = comptime!(shape.output_pixels() as u32);
    let pixels = batch * area;
    let first_row = CUBE_POS_Y * m;
    let first_column = CUBE_POS_X * n;
    let student = CUBE_POS_Z / count;
    let first_image = student * batch;
    let first_pixel = CUBE_POS_Z % count * part;
    let last_pixel = select(first_pixel + part < pixels, first_pixel + part, pixels);
    let unit = UNIT_POS;
    let (row, column) = (unit / comptime!(tile.across as u32), unit % comptime!(tile.across as u32));

    let mut left = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * tile.m()));
    let mut right = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * tile.n()));
    let mut sums = Array::<Vec4>::new(comptime!(tile.rows * 4 * tile.columns));
    clear(&mut sums, tile);

    // The windows of a step's pixels are found once for all taps. Turns that load the same rows of the tile share a tap.
    let mut windows = Shared::<[WindowOf]>::new_slice(comptime!(tile.depth * 4));
    put_windows(&mut windows, 0u32, first_pixel, last_pixel, first_image, shape, depth, units);
    let groups = comptime!(tile.m().div_ceil(tile.units()));
    let mut offsets = Array::<u32>::new(groups);
    let mut bits = Array::<u32>::new(groups);
    #[unroll]
    for group in 0..groups {
        let (offset, bit) =
            tap_of_row(first_row + (unit + comptime!((group * tile.units()) as u32)) % m, shape);
        offsets[group] = offset;
        bits[group] = bit;
    }
    sync_cube();

    for step in range_stepped(first_pixel, last_pixel, depth) {
        let panel = comptime!((tile.depth * 4 * tile.m()) as u32);
        #[unroll]
        for turn in 0..comptime!((panel as usize).div_ceil(tile.units()) as u32) {
            let place = unit + turn * units;
            if comptime!(panel.is_multiple_of(units)) || place < panel {
                let group = comptime!(turn as usize % tile.m().div_ceil(tile.units()));
                let window = windows[(place / m) as usize];
                let inside = window.extract(1usize) & bits[group] == 0;
                let from = window.extract(0usize) + offsets[group];
                let value = images[select(inside, from, 0u32) as usize];
                left[place as usize] = select(inside, value, Vec4::new(0.0));
            }
        }
        let first_gradient = student * pixels + step;
        load_right(gradient, &mut right, first_gradient, last_pixel - step, first_column, shape.output, tile);
        sync_cube();
        put_windows(&mut windows, 0u32, step + depth, last_pixel, first_image, shape, depth, units);
        accumulate(&left, &right, &mut sums, row, column, 0usize, tile);
        sync_cube();
    }

    #[unroll]
    for i in 0..tile.rows {
        #[unroll]
        for lane in 0..4usize {
            let group = first_row + row + comptime!((i * tile.down) as u32);
            let weight = group * 4 + comptime!(lane as u32);
            #[unroll]
            for j in 0..tile.columns {
                let vector = first_column + column + comptime!((j * tile.across) as u32);
                if group < rows && vector < columns {
                    let place = (CUBE_POS_Z * rows * 4 + weight) * columns + vector;
                    parts[place as usize] = sums[comptime!((i * 4 + lane) * tile.columns + j)];
                }
            }
        }
    }
}

/// Adds the `count` parts of each student, in their order, and puts every weight where `[O, C, K, K]` has it.
#[cube(launch_unchecked)]
pub(super) fn add_parts(
    parts: &[f32],
    weights: &mut [f32],
    students: u32,
    count: u32,
    inputs: u32,
    outputs: u32,
    #[comptime] shape: Shape,
) {
    let place = ABSOLUTE_POS as u32;
    let taps = comptime!(shape.taps() as u32);
    if place >= students * outputs * inputs * taps {
        terminate!();
    }
    let (tap, channel, output) = (place % taps, place / taps % inputs, place / taps / inputs % outputs);
    let student = place / (taps * inputs * outputs);
    let columns = comptime!((shape.output * 4) as u32);
    let size = comptime!((shape.taps() * shape.input * 4) as u32) * columns;
    let from = (tap * comptime!((shape.input * 4) as u32) + channel) * columns + output;
    let mut sum = 0.0f32;
    for part in 0..count {
        sum += parts[((student * count + part) * size + from) as usize];
    }
    weights[place as usize] = sum;
}
