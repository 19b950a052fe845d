//! Mean and variance of each channel, in one pass over the values: every workgroup takes the moments of its part of the
//! pixels, and a second kernel joins them (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
//! computing sample variances", 1979).

use cubecl::prelude::*;

use super::columns::{Columns, add_rows};
use crate::kernel::gpu::reduce::{Join, reduce};

/// Moments of a part: `parts[part][0]` is a value near the mean, rows 1 and 2 are the sums of the differences from it
/// and of their squares, which keep their digits where the mean is far from 0. Each of the `groups` has `pixels` pixels and
/// as many parts as any other.
#[cube(launch_unchecked)]
pub(super) fn moments_of_parts<N: Size>(
    values: &[Vector<f32, N>],
    parts: &mut [Vector<f32, N>],
    pixels: u32,
    part: u32,
    groups: u32,
    #[comptime] columns: Columns,
) {
    let channels = comptime!(columns.channels as u32);
    let column = CUBE_POS_Y * comptime!(columns.across as u32) + UNIT_POS % comptime!(columns.across as u32);
    let row = UNIT_POS / comptime!(columns.across as u32);
    let count = CUBE_COUNT_X / groups;
    let (before, start) = (CUBE_POS_X / count * pixels, CUBE_POS_X % count * part);
    let (first, last) = (before + start, before + select(start + part < pixels, start + part, pixels));
    let exists = column < channels;
    let column = select(exists, column, 0u32);
    let near = values[(first * channels + column) as usize];
    let mut sum = Vector::<f32, N>::new(0.0);
    let mut squares = Vector::<f32, N>::new(0.0);
    for pixel in range_stepped(first + row, last, comptime!(columns.down as u32)) {
        let difference = values[(pixel * channels + column) as usize] - near;
        sum += difference;
        squares += difference * difference;
    }
    let sum = add_rows::<N>(sum, columns);
    let squares = add_rows::<N>(squares, columns);
    if row == 0 && exists {
        let place = CUBE_POS_X * channels * 3 + column;
        parts[place as usize] = near;
        parts[(place + channels) as usize] = sum;
        parts[(place + channels * 2) as usize] = squares;
    }
}

/// Count, mean and sum of squared differences from the mean of a set of values; the last lane is not used.
type Set = Vector<f32, Const<4>>;

#[cube]
fn set(count: f32, mean: f32, squares: f32) -> Set {
    let mut set = Set::new(0.0);
    set.insert(0usize, count);
    set.insert(1usize, mean);
    set.insert(2usize, squares);
    set
}

/// Two sets of values together.
struct Together;

#[cube]
impl Join<Set> for Together {
    fn join(own: Set, other: Set) -> Set {
        let (count, more) = (own.extract(0usize), other.extract(0usize));
        let both = count + more;
        let share = select(both > 0.0, more / both, 0.0f32);
        let difference = other.extract(1usize) - own.extract(1usize);
        let squares = own.extract(2usize) + other.extract(2usize) + difference * difference * count * share;
        set(both, own.extract(1usize) + difference * share, squares)
    }
}

/// The moments of a channel of a part of a group.
#[cube]
fn set_of_part(
    parts: &[f32],
    group: u32,
    index: u32,
    count: u32,
    part: u32,
    pixels: u32,
    channel: u32,
    channels: u32,
) -> Set {
    let place = (group * count + index) * channels * 3 + channel;
    let left = pixels - index * part;
    let own = f32::cast_from(select(left < part, left, part));
    let sum = parts[(place + channels) as usize];
    let distance = sum / own;
    let squares = parts[(place + channels * 2) as usize] - sum * distance;
    set(own, parts[place as usize] + distance, squares)
}

/// Mean and biased variance of each channel, and what [`affine`] makes of them, where a student's images are one group. One
/// workgroup a channel of a student.
#[cube(launch_unchecked)]
pub(super) fn join_moments(
    parts: &[f32],
    scale: &[f32],
    shift: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
    affine: &mut [f32],
    pixels: u32,
    part: u32,
    count: u32,
    channels: u32,
    epsilon: f32,
    #[comptime] units: usize,
) {
    let (student, channel) = (CUBE_POS_X / channels, CUBE_POS_X % channels);
    let mut all = Set::new(0.0);
    for index in range_stepped(UNIT_POS, count, comptime!(units as u32)) {
        all = Together::join(all, set_of_part(parts, student, index, count, part, pixels, channel, channels));
    }
    let all = reduce::<Set, Together>(all, units, 1usize);
    if UNIT_POS == 0 {
        let place = CUBE_POS_X as usize;
        let middle = all.extract(1usize);
        let spread = all.extract(2usize) / all.extract(0usize);
        mean[place] = middle;
        variance[place] = spread;
        let (scale, shift) = (scale[place], shift[place]);
        write_affine(affine, CUBE_POS_X, CUBE_COUNT_X, middle, spread, scale, shift, epsilon);
    }
}

/// The same where each of a student's `images` is a group. One invocation a channel of an image, of `all`: an image has few
/// parts, and there may be more images than workgroups.
#[cube(launch_unchecked)]
pub(super) fn join_moments_of_images(
    parts: &[f32],
    scale: &[f32],
    shift: &[f32],
    mean: &mut [f32],
    variance: &mut [f32],
    affine: &mut [f32],
    pixels: u32,
    part: u32,
    count: u32,
    channels: u32,
    images: u32,
    all: u32,
    epsilon: f32,
) {
    let own = ABSOLUTE_POS as u32;
    if own >= all {
        terminate!();
    }
    let (image, channel) = (own / channels, own % channels);
    let mut found = Set::new(0.0);
    for index in 0..count {
        found =
            Together::join(found, set_of_part(parts, image, index, count, part, pixels, channel, channels));
    }
    let middle = found.extract(1usize);
    let spread = found.extract(2usize) / found.extract(0usize);
    mean[own as usize] = middle;
    variance[own as usize] = spread;
    let learned = (image / images * channels + channel) as usize;
    write_affine(affine, own, all, middle, spread, scale[learned], shift[learned], epsilon);
}

/// Rows of an affine, each of all channels of all groups: gain and offset that normalise, scale and shift a value at once; the mean; the inverse of the
/// standard deviation.
pub(super) const AFFINE: usize = 4;

#[cube]
fn write_affine(
    affine: &mut [f32],
    channel: u32,
    channels: u32,
    mean: f32,
    variance: f32,
    scale: f32,
    shift: f32,
    epsilon: f32,
) {
    let inverse = 1.0 / (variance + epsilon).sqrt();
    let gain = scale * inverse;
    affine[channel as usize] = gain;
    affine[(channels + channel) as usize] = shift - mean * gain;
    affine[(channels * 2 + channel) as usize] = mean;
    affine[(channels * 3 + channel) as usize] = inverse;
}

/// The affine of given moments, `[4][channels]`.
#[cube(launch_unchecked)]
pub(super) fn affine(
    mean: &[f32],
    variance: &[f32],
    scale: &[f32],
    shift: &[f32],
    affine: &mut [f32],
    channels: u32,
    epsilon: f32,
) {
    let channel = ABSOLUTE_POS as u32;
    if channel >= channels {
        terminate!();
    }
    let place = channel as usize;
    write_affine(
        affine,
        channel,
        channels,
        mean[place],
        variance[place],
        scale[place],
        shift[place],
        epsilon,
    );
}
