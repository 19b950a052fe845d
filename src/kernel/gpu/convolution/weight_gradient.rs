//! The gradient of the weights: a product over all pixels, in parts that are added at the end.
//!
//! A row of the product is a tap and an input channel, a column an output channel, and `K` runs over the pixels of the output.

use cubecl::prelude::*;

use super::channels::vector_of;
use super::gather::{Gather, NOWHERE, tap_of_window, window};
use super::order::Order;
use super::product::{accumulate, clear};
use super::shape::{Shape, Tile};
use super::taps::taps_of_pixels;
use super::vector::Vec4;

/// Where the window of a pixel begins, and which of its taps lie beyond the image.
pub(super) type WindowOf = Vector<u32, Const<2>>;

/// Finds the windows of `count` pixels from `pixel` on, for all invocations to read; `first_image` is that of pixel 0.
#[cube]
pub(super) fn put_windows(
    windows: &mut Shared<[WindowOf]>,
    slot: u32,
    pixel: u32,
    last_pixel: u32,
    first_image: u32,
    batch: u32,
    #[comptime] gather: Gather,
    #[comptime] count: u32,
    #[comptime] units: u32,
) {
    #[unroll]
    for turn in 0..comptime!(count.div_ceil(units)) {
        let k = UNIT_POS + turn * units;
        if k < count {
            let (place, beyond) = window(pixel + k, last_pixel, first_image, batch, gather);
            let mut found = WindowOf::new(place);
            found.insert(1usize, beyond);
            windows[(slot + k) as usize] = found;
        }
    }
}

/// Offset from the place of a window to the tap and channels of a row of vectors, and the bits of that tap.
#[cube]
pub(super) fn tap_of_row(row: u32, #[comptime] gather: Gather) -> (u32, u32) {
    let shape = comptime!(gather.shape);
    let (channels, kernel) = comptime!((shape.input() as u32, shape.kernel as u32));
    let (tap, channel) = (row / channels, row % channels);
    let (offset, bits) = tap_of_window(tap / kernel, tap % kernel, channel, gather);
    (offset, select(row < comptime!((shape.taps() * shape.input()) as u32), bits, NOWHERE))
}

/// The first panel of pixels from `step` on that has more than zeros for the rows of a tile, which begin at `first_row`.
#[cube]
fn next_panel(
    step: u32,
    last_pixel: u32,
    batch: u32,
    first_row: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: Tile,
) -> u32 {
    let mut next = step;
    if comptime!(gather.order == Order::Places) {
        let (channels, kernel) = comptime!((gather.shape.input() as u32, gather.shape.kernel as u32));
        let (low, high) = (first_row / channels, (first_row + comptime!(tile.m() as u32 - 1)) / channels);
        let depth = comptime!((tile.depth * 4) as u32);
        let mut found = false;
        while !found && next < last_pixel {
            let last = select(next + depth < last_pixel, next + depth, last_pixel);
            let taps = taps_of_pixels(next, last, batch, gather);
            let one_row = low / kernel == high / kernel;
            let across = low % kernel < taps.right && high % kernel >= taps.left;
            found = low / kernel < taps.bottom && high / kernel >= taps.top && (across || !one_row);
            next += select(found, 0u32, depth);
        }
    }
    next
}

/// The rows of the gradient that belong to the pixels of a panel, for all invocations to read, where they do not follow one
/// another.
#[cube]
fn put_rows(
    rows: &mut Shared<[u32]>,
    pixel: u32,
    first_image: u32,
    batch: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: Tile,
) {
    if comptime!(gather.order == Order::Places) && UNIT_POS < comptime!((tile.depth * 4) as u32) {
        let pixel = pixel + UNIT_POS;
        let area = comptime!(gather.shape.output_pixels() as u32);
        rows[UNIT_POS as usize] = (first_image + pixel % batch) * area + pixel / batch;
    }
}

/// Loads the right panel, `[K][N]`: the gradient at the pixels of a panel, of which `pixels` exist, from `first_column` on. What
/// lies beyond them is zero.
#[cube]
fn load_gradient<O: Size>(
    gradient: &[Vector<f32, O>],
    rows: &Shared<[u32]>,
    right: &mut Shared<[Vec4]>,
    first_row: u32,
    pixels: u32,
    first_column: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: Tile,
) {
    let (n, units) = comptime!((tile.n() as u32, tile.units() as u32));
    let columns = comptime!(gather.shape.output() as u32);
    let panel = comptime!((tile.depth * 4) as u32 * n);
    #[unroll]
    for turn in 0..comptime!(panel.div_ceil(units)) {
        let place = UNIT_POS + turn * units;
        if comptime!(panel.is_multiple_of(units)) || place < panel {
            let (k, column) = (place / n, first_column + place % n);
            let exists = k < pixels && column < columns;
            let row = if comptime!(gather.order == Order::Places) { rows[k as usize] } else { first_row + k };
            let value = vector_of(
                gradient,
                select(exists, row * columns + column, 0u32),
                comptime!(gather.shape.outputs),
            );
            right[place as usize] = select(exists, value, Vec4::new(0.0));
        }
    }
}

/// `sums[tap, channel][column] = Σ images[window of the pixel] · gradient[pixel][column]` over the pixels of a part, from
/// `first_pixel` to before `last_pixel`: the block of an invocation, in a tile that begins at `first_row` and `first_column`.
#[cube]
fn sums_of_part<I: Size, O: Size>(
    images: &[Vector<f32, I>],
    gradient: &[Vector<f32, O>],
    student: u32,
    batch: u32,
    first_pixel: u32,
    last_pixel: u32,
    first_row: u32,
    first_column: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: Tile,
) -> Array<Vec4> {
    let (m, units) = comptime!((tile.m() as u32, tile.units() as u32));
    let depth = comptime!((tile.depth * 4) as u32);
    let area = comptime!(gather.shape.output_pixels() as u32);
    let first_image = student * batch;
    let unit = UNIT_POS;
    let (row, column) = (unit / comptime!(tile.across as u32), unit % comptime!(tile.across as u32));

    let mut left = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * tile.m()));
    let mut right = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * tile.n()));
    let mut sums = Array::<Vec4>::new(comptime!(tile.rows * 4 * tile.columns));
    clear(&mut sums, tile);

    // The windows of a step's pixels are found once for all taps. Turns that load the same rows of the tile share a tap.
    let mut windows = Shared::<[WindowOf]>::new_slice(comptime!(tile.depth * 4));
    let mut rows = Shared::<[u32]>::new_slice(comptime!(match gather.order {
        Order::Images => 1,
        Order::Places => tile.depth * 4,
    }));
    let mut step = next_panel(first_pixel, last_pixel, batch, first_row, gather, tile);
    put_windows(&mut windows, 0u32, step, last_pixel, first_image, batch, gather, depth, units);
    put_rows(&mut rows, step, first_image, batch, gather, tile);
    let groups = comptime!(tile.m().div_ceil(tile.units()));
    let mut offsets = Array::<u32>::new(groups);
    let mut bits = Array::<u32>::new(groups);
    #[unroll]
    for group in 0..groups {
        let (offset, bit) =
            tap_of_row(first_row + (unit + comptime!((group * tile.units()) as u32)) % m, gather);
        offsets[group] = offset;
        bits[group] = bit;
    }
    sync_cube();

    while step < last_pixel {
        let panel = comptime!((tile.depth * 4 * tile.m()) as u32);
        #[unroll]
        for turn in 0..comptime!((panel as usize).div_ceil(tile.units()) as u32) {
            let place = unit + turn * units;
            if comptime!(panel.is_multiple_of(units)) || place < panel {
                let group = comptime!(turn as usize % tile.m().div_ceil(tile.units()));
                let window = windows[(place / m) as usize];
                let inside = window.extract(1usize) & bits[group] == 0;
                let from = window.extract(0usize) + offsets[group];
                let value = vector_of(images, select(inside, from, 0u32), comptime!(gather.shape.inputs));
                left[place as usize] = select(inside, value, Vec4::new(0.0));
            }
        }
        let first_gradient = first_image * area + step;
        let pixels = last_pixel - step;
        load_gradient(gradient, &rows, &mut right, first_gradient, pixels, first_column, gather, tile);
        sync_cube();
        step = next_panel(step + depth, last_pixel, batch, first_row, gather, tile);
        put_windows(&mut windows, 0u32, step, last_pixel, first_image, batch, gather, depth, units);
        put_rows(&mut rows, step, first_image, batch, gather, tile);
        accumulate(&left, &right, &mut sums, row, column, 0usize, tile);
        sync_cube();
    }
    sums
}

/// A gradient in parts, `found[part][tap, channel][column]`, each summed over its own pixels; or `whole`, if every student has
/// one part, `found[S·O, C, K, K]` at once.
///
/// The first coordinate of a workgroup numbers tiles of columns, the second tiles of rows, the third parts: `count` of each
/// student. A part has `part` pixels, a multiple of the tile's depth.
#[cube(launch_unchecked)]
pub(super) fn weight_gradient_product<I: Size, O: Size, F: Size>(
    images: &[Vector<f32, I>],
    gradient: &[Vector<f32, O>],
    found: &mut [Vector<f32, F>],
    batch: u32,
    part: u32,
    count: u32,
    #[comptime] gather: Gather,
    #[comptime] whole: bool,
    #[comptime] tile: Tile,
) {
    let pixels = batch * comptime!(gather.shape.output_pixels() as u32);
    let (first_row, first_column) =
        (CUBE_POS_Y * comptime!(tile.m() as u32), CUBE_POS_X * comptime!(tile.n() as u32));
    let first = CUBE_POS_Z % count * part;
    let last = select(first + part < pixels, first + part, pixels);
    let student = CUBE_POS_Z / count;
    let sums =
        sums_of_part(images, gradient, student, batch, first, last, first_row, first_column, gather, tile);
    let (row, column) = (UNIT_POS / comptime!(tile.across as u32), UNIT_POS % comptime!(tile.across as u32));
    #[unroll]
    for i in 0..tile.rows {
        let group = first_row + row + comptime!((i * tile.down) as u32);
        #[unroll]
        for lane in 0..4usize {
            #[unroll]
            for j in 0..tile.columns {
                let vector = first_column + column + comptime!((j * tile.across) as u32);
                let sum = sums[comptime!((i * 4 + lane) * tile.columns + j)];
                put_sum(
                    found,
                    group * 4 + comptime!(lane as u32),
                    vector,
                    sum,
                    comptime!(gather.shape),
                    whole,
                );
            }
        }
    }
}

/// Writes a vector of sums of a part, of a row (a tap and an input channel) and four output channels: into the part, or `whole`
/// where `[O, C, K, K]` has them. What does not exist is dropped.
#[cube]
pub(super) fn put_sum<F: Size>(
    found: &mut [Vector<f32, F>],
    row: u32,
    vector: u32,
    sum: Vec4,
    #[comptime] shape: Shape,
    #[comptime] whole: bool,
) {
    let (taps, channels) = comptime!((shape.taps() as u32, (shape.input() * 4) as u32));
    if comptime!(whole) {
        let (inputs, outputs) = comptime!((shape.inputs.count as u32, shape.outputs.count as u32));
        let (tap, input) = (row / channels, row % channels);
        #[unroll]
        for lane in 0..4usize {
            let output = vector * 4 + comptime!(lane as u32);
            if tap < taps && input < inputs && output < outputs {
                let place = ((CUBE_POS_Z * outputs + output) * inputs + input) * taps + tap;
                found[place as usize] = Vector::new(sum.extract(lane));
            }
        }
    } else {
        let (rows, columns) = comptime!((taps * channels, shape.output() as u32));
        if row < rows && vector < columns {
            found[((CUBE_POS_Z * rows + row) * columns + vector) as usize] = Vector::cast_from(sum);
        }
    }
}
