//! The way back through pool, ReLU, shortcut and normalisation: one pass for the sums, one for the gradient.
//!
//! Where ReLU and pool let a gradient through is computed again from the values. Of equal values of a max pool's window the
//! first one gets the gradient.

use cubecl::prelude::*;

use super::columns::{Columns, add_rows};
use super::forward::{Plane, column_of, larger};
use crate::kernel::gpu::reduce::{Sum, reduce};

/// The gradient behind pool and ReLU at the four places of a window, 0 where they let none through.
#[cube]
fn window_gradient<N: Size>(
    values: &Array<Vector<f32, N>>,
    gradient: Vector<f32, N>,
    gain: Vector<f32, N>,
    offset: Vector<f32, N>,
    gradients: &mut Array<Vector<f32, N>>,
    #[comptime] plane: Plane,
) {
    let zero = Vector::<f32, N>::new(0.0);
    if comptime!(plane.averages()) {
        let share = gradient * Vector::<f32, N>::new(0.25);
        #[unroll]
        for k in 0..4usize {
            gradients[k] = if comptime!(plane.relu) {
                let value = values[k] * gain + offset;
                select_many(value.greater_than(&zero), share, zero)
            } else {
                share
            };
        }
    } else {
        let mut most = values[0] * gain + offset;
        #[unroll]
        for k in 1..4usize {
            most = larger::<N>(most, values[k] * gain + offset);
        }
        let mut left = gradient;
        if comptime!(plane.relu) {
            left = select_many(most.greater_than(&zero), left, zero);
        }
        #[unroll]
        for k in 0..4usize {
            let value = values[k] * gain + offset;
            let here = value.equal(&most);
            gradients[k] = select_many(here, left, zero);
            left = select_many(here, zero, left);
        }
    }
}

/// The gradient behind the ReLU at a place without pool.
#[cube]
fn plain_gradient<N: Size>(
    value: Vector<f32, N>,
    gradient: Vector<f32, N>,
    output: Vector<f32, N>,
    gain: Vector<f32, N>,
    offset: Vector<f32, N>,
    #[comptime] plane: Plane,
) -> Vector<f32, N> {
    if comptime!(plane.relu) {
        let activated = if comptime!(plane.shortcut) { output } else { value * gain + offset };
        let zero = Vector::<f32, N>::new(0.0);
        select_many(activated.greater_than(&zero), gradient, zero)
    } else {
        gradient
    }
}

/// `parts[part][0]` is the sum of the gradient over the pixels of a part, `parts[part][1]` that of its products with the
/// values' distance from the mean. `output` is that of the block, read where there is a shortcut. Each of the `groups` has
/// `pixels` pixels and as many parts as any other.
#[cube(launch_unchecked)]
pub(super) fn sums_of_parts<N: Size>(
    values: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    output: &[Vector<f32, N>],
    affine: &[Vector<f32, N>],
    parts: &mut [Vector<f32, N>],
    pixels: u32,
    part: u32,
    groups: u32,
    #[comptime] columns: Columns,
    #[comptime] plane: Plane,
) {
    let channels = comptime!(columns.channels as u32);
    let column = CUBE_POS_Y * comptime!(columns.across as u32) + UNIT_POS % comptime!(columns.across as u32);
    let row = UNIT_POS / comptime!(columns.across as u32);
    let count = CUBE_COUNT_X / groups;
    let (group, start) = (CUBE_POS_X / count, CUBE_POS_X % count * part);
    let first = group * pixels + start;
    let last = group * pixels + select(start + part < pixels, start + part, pixels);
    let exists = column < channels;
    let column = select(exists, column, 0u32);
    let (own, all) = (group * channels + column, groups * channels);
    let gain = affine[own as usize];
    let offset = affine[(all + own) as usize];
    let mean = affine[(all * 2 + own) as usize];
    let mut sum = Vector::<f32, N>::new(0.0);
    let mut products = Vector::<f32, N>::new(0.0);
    let [rows, width] = comptime!(plane.output());
    let (rows, width) = comptime!((rows as u32, width as u32));
    for pixel in range_stepped(first + row, last, comptime!(columns.down as u32)) {
        let place = pixel * channels + column;
        let incoming = gradient[place as usize];
        if comptime!(plane.pools()) {
            let (x, y, image) = (pixel % width, pixel / width % rows, pixel / width / rows);
            let stored = comptime!(plane.width as u32);
            let from =
                ((image * comptime!(plane.height as u32) + y * 2) * stored + x * 2) * channels + column;
            let below = from + stored * channels;
            let mut window = Array::<Vector<f32, N>>::new(4usize);
            window[0] = values[from as usize];
            window[1] = values[(from + channels) as usize];
            window[2] = values[below as usize];
            window[3] = values[(below + channels) as usize];
            let mut through = Array::<Vector<f32, N>>::new(4usize);
            window_gradient::<N>(&window, incoming, gain, offset, &mut through, plane);
            #[unroll]
            for k in 0..4usize {
                sum += through[k];
                products += through[k] * (window[k] - mean);
            }
        } else {
            let value = values[place as usize];
            let passed = plain_gradient::<N>(value, incoming, output[place as usize], gain, offset, plane);
            sum += passed;
            products += passed * (value - mean);
        }
    }
    let sum = add_rows::<N>(sum, columns);
    let products = add_rows::<N>(products, columns);
    if row == 0 && exists {
        let place = CUBE_POS_X * channels * 2 + column;
        parts[place as usize] = sum;
        parts[(place + channels) as usize] = products;
    }
}

/// Writes three rows of what turns a gradient `g` behind the ReLU and a value `v` into the value's gradient
/// `r0 g + r1 v + r2`, for the channel at place `own` of `all`, from what [`sums_of_parts`] has of its `values` values.
/// Returns what it adds to the gradient of the scale.
#[cube]
fn turn(affine: &[f32], turned: &mut [f32], own: u32, all: u32, sum: f32, product: f32, values: f32) -> f32 {
    let gain = affine[own as usize];
    let mean = affine[(all * 2 + own) as usize];
    let inverse = affine[(all * 3 + own) as usize];
    let product = product * inverse;
    // With x = (v - mean) inverse: gain (g - sum / n - x product / n).
    let slope = gain * inverse * product / values;
    turned[own as usize] = gain;
    turned[(all + own) as usize] = 0.0 - slope;
    turned[(all * 2 + own) as usize] = slope * mean - gain * sum / values;
    product
}

/// Gradients of scale and shift, and what [`turn`] writes, where a student's images are one group. One workgroup a channel of
/// a student; `values` is the number of values of each channel.
#[cube(launch_unchecked)]
pub(super) fn join_sums(
    parts: &[f32],
    affine: &[f32],
    scale: &mut [f32],
    shift: &mut [f32],
    turned: &mut [f32],
    count: u32,
    channels: u32,
    values: f32,
    #[comptime] units: usize,
) {
    let (student, channel, all) = (CUBE_POS_X / channels, CUBE_POS_X % channels, CUBE_COUNT_X);
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    for index in range_stepped(UNIT_POS, count, comptime!(units as u32)) {
        let place = (student * count + index) * channels * 2 + channel;
        sum += parts[place as usize];
        product += parts[(place + channels) as usize];
    }
    let sum = reduce::<f32, Sum>(sum, units, 1usize);
    let product = reduce::<f32, Sum>(product, units, 1usize);
    if UNIT_POS == 0 {
        scale[CUBE_POS_X as usize] = turn(affine, turned, CUBE_POS_X, all, sum, product, values);
        shift[CUBE_POS_X as usize] = sum;
    }
}

/// The same where each of a student's `images` is a group. One workgroup a channel of a student, each of its invocations on
/// images of its own.
#[cube(launch_unchecked)]
pub(super) fn join_sums_of_images(
    parts: &[f32],
    affine: &[f32],
    scale: &mut [f32],
    shift: &mut [f32],
    turned: &mut [f32],
    count: u32,
    images: u32,
    channels: u32,
    values: f32,
    #[comptime] units: usize,
) {
    let (student, channel, all) = (CUBE_POS_X / channels, CUBE_POS_X % channels, CUBE_COUNT_X * images);
    let mut of_scale = 0.0f32;
    let mut of_shift = 0.0f32;
    for index in range_stepped(UNIT_POS, images, comptime!(units as u32)) {
        let image = student * images + index;
        let mut sum = 0.0f32;
        let mut product = 0.0f32;
        for part in 0..count {
            let place = (image * count + part) * channels * 2 + channel;
            sum += parts[place as usize];
            product += parts[(place + channels) as usize];
        }
        of_scale += turn(affine, turned, image * channels + channel, all, sum, product, values);
        of_shift += sum;
    }
    let of_scale = reduce::<f32, Sum>(of_scale, units, 1usize);
    let of_shift = reduce::<f32, Sum>(of_shift, units, 1usize);
    if UNIT_POS == 0 {
        scale[CUBE_POS_X as usize] = of_scale;
        shift[CUBE_POS_X as usize] = of_shift;
    }
}

/// The gradient of the values, and of the shortcut where there is one. One invocation a vector of the values or, with a pool,
/// a window of them; `count` of them, `each` of them of one group.
#[cube(launch_unchecked)]
pub(super) fn value_gradient<N: Size>(
    values: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    output: &[Vector<f32, N>],
    affine: &[Vector<f32, N>],
    turned: &[Vector<f32, N>],
    found: &mut [Vector<f32, N>],
    shortcut: &mut [Vector<f32, N>],
    count: u32,
    each: u32,
    #[comptime] plane: Plane,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let channels = comptime!(plane.channels as u32);
    let channel = place % channels;
    let (column, row) = column_of(place, count, each, plane);
    let gain = affine[column as usize];
    let offset = affine[(row + column) as usize];
    let slope = turned[(row + column) as usize];
    let rest = turned[(row * 2 + column) as usize];
    if comptime!(plane.pools()) {
        let [rows, columns] = comptime!(plane.output());
        let (rows, columns) = comptime!((rows as u32, columns as u32));
        let (height, width) = comptime!((plane.height as u32, plane.width as u32));
        // Windows that hang over an odd edge have values, too, but no gradient of their own.
        let (down, across) = comptime!((height.div_ceil(2), width.div_ceil(2)));
        let pixel = place / channels;
        let (x, y, image) = (pixel % across, pixel / across % down, pixel / across / down);
        let whole = x < columns && y < rows;
        let from = ((image * height + y * 2) * width + x * 2) * channels + channel;
        let mut window = Array::<Vector<f32, N>>::new(4usize);
        #[unroll]
        for k in 0..4usize {
            let (dy, dx) = comptime!((k as u32 / 2, k as u32 % 2));
            let exists = y * 2 + dy < height && x * 2 + dx < width;
            let at = from + comptime!(dy * width + dx) * channels;
            window[k] = values[select(exists, at, from) as usize];
        }
        let incoming =
            gradient[select(whole, ((image * rows + y) * columns + x) * channels + channel, 0u32) as usize];
        let incoming = select(whole, incoming, Vector::<f32, N>::new(0.0));
        let mut through = Array::<Vector<f32, N>>::new(4usize);
        window_gradient::<N>(&window, incoming, gain, offset, &mut through, plane);
        #[unroll]
        for k in 0..4usize {
            let (dy, dx) = comptime!((k as u32 / 2, k as u32 % 2));
            if y * 2 + dy < height && x * 2 + dx < width {
                let at = from + comptime!(dy * width + dx) * channels;
                found[at as usize] = through[k] * gain + window[k] * slope + rest;
            }
        }
    } else {
        let value = values[place as usize];
        let incoming = gradient[place as usize];
        let passed = plain_gradient::<N>(value, incoming, output[place as usize], gain, offset, plane);
        if comptime!(plane.shortcut) {
            shortcut[place as usize] = passed;
        }
        found[place as usize] = passed * gain + value * slope + rest;
    }
}
