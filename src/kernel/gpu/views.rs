//! Training views on a GPU: gather, crop, resize, flip, normalise, Cutout and mixing of a whole batch in one kernel.
//!
//! The stored images lie on the device as one `u32` a pixel, as WGSL has no bytes; a batch costs the transfer of its plan.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{elementwise, span};
use crate::kernel::probe::Work;
use crate::kernel::views::{BUFFERS, STRIPS, WORDS, word};

/// Sizes that are the same for every view of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sides {
    /// Side of the stored images.
    stored: u32,
    /// Side of the views.
    view: u32,
    /// Images in each buffer.
    each: u32,
}

/// The pixels of an image: which buffer they lie in is the same for a whole view.
#[cube]
fn pixel(
    first: &[u32],
    second: &[u32],
    third: &[u32],
    fourth: &[u32],
    image: u32,
    place: u32,
    #[comptime] sides: Sides,
) -> u32 {
    let buffer = image / sides.each;
    let at = ((image % sides.each) * comptime!(sides.stored * sides.stored) + place) as usize;
    if buffer == 0 {
        first[at]
    } else if buffer == 1 {
        second[at]
    } else if buffer == 2 {
        third[at]
    } else {
        fourth[at]
    }
}

/// Place in the stored image of a row or column of a shuffled one. `from` is the plan's first strip.
#[cube]
fn unshuffled(plan: &[u32], from: u32, count: u32, place: u32) -> u32 {
    let mut found = place;
    for strip in 0..count {
        let begin = plan[(from + strip * 2) as usize];
        if place >= begin {
            found = plan[(from + strip * 2 + 1) as usize] + (place - begin);
        }
    }
    found
}

/// First input pixel, number of input pixels, and centre of an output pixel's triangle.
#[cube]
fn reach(input: u32, output: u32, place: u32) -> (u32, u32, f32, f32) {
    let scale = f32::cast_from(input) / f32::cast_from(output);
    let support = select(scale > 1.0, scale, 1.0f32);
    let centre = scale * (f32::cast_from(place) + 0.5);
    let low = centre - support + 0.5;
    let low = u32::cast_from(select(low > 0.0, low, 0.0f32));
    let high = u32::cast_from(centre + support + 0.5);
    (low, select(high < input, high, input), centre, 1.0 / support)
}

/// The triangle's weight of an input pixel.
#[cube]
fn weight(pixel: u32, centre: f32, inverse: f32) -> f32 {
    let distance = (f32::cast_from(pixel) - centre + 0.5) * inverse;
    let rest = 1.0 - distance.abs();
    select(rest > 0.0, rest, 0.0f32)
}

/// `true` where a pixel lies in a box of the plan.
#[cube]
fn inside(plan: &[u32], from: u32, x: u32, y: u32) -> bool {
    let (left, top) = (plan[from as usize], plan[(from + 1) as usize]);
    let (width, height) = (plan[(from + 2) as usize], plan[(from + 3) as usize]);
    x >= left && x - left < width && y >= top && y - top < height
}

/// A pixel of a view before mixing, normalised.
#[cube]
fn render(
    first: &[u32],
    second: &[u32],
    third: &[u32],
    fourth: &[u32],
    plan: &[u32],
    constants: &[f32],
    view: u32,
    x: u32,
    y: u32,
    #[comptime] sides: Sides,
) -> (f32, f32, f32) {
    let words = view * comptime!(WORDS as u32);
    let image = plan[words as usize];
    let crop = words + comptime!(word::CROP as u32);
    let (left, top) = (plan[crop as usize], plan[(crop + 1) as usize]);
    let (width, height) = (plan[(crop + 2) as usize], plan[(crop + 3) as usize]);
    let flip = plan[(words + comptime!(word::FLIP as u32)) as usize];
    let across = select(flip == 1, sides.view - 1 - x, x);
    let columns = plan[(words + comptime!(word::COLUMNS as u32)) as usize];
    let rows = plan[(words + comptime!(word::ROWS as u32)) as usize];
    let column_strips = words + comptime!(word::COLUMNS as u32 + 1);
    let row_strips = words + comptime!(word::ROWS as u32 + 1);
    let (low_x, high_x, centre_x, inverse_x) = reach(width, sides.view, across);
    let (low_y, high_y, centre_y, inverse_y) = reach(height, sides.view, y);
    let mut red = 0.0f32;
    let mut green = 0.0f32;
    let mut blue = 0.0f32;
    let mut total = 0.0f32;
    for row in low_y..high_y {
        let weight_y = weight(row, centre_y, inverse_y);
        let stored_y = unshuffled(plan, row_strips, rows, top + row);
        for column in low_x..high_x {
            let weight = weight_y * weight(column, centre_x, inverse_x);
            let stored_x = unshuffled(plan, column_strips, columns, left + column);
            let rgb = pixel(first, second, third, fourth, image, stored_y * sides.stored + stored_x, sides);
            red += weight * f32::cast_from(rgb & 0xFFu32);
            green += weight * f32::cast_from((rgb >> 8u32) & 0xFFu32);
            blue += weight * f32::cast_from((rgb >> 16u32) & 0xFFu32);
            total += weight;
        }
    }
    // A box that is cut out is set to 0, the mean colour.
    let kept = select(inside(plan, words + comptime!(word::CUTOUT as u32), x, y), 0.0f32, 1.0f32);
    (
        kept * (red / total * constants[0] + constants[3]),
        kept * (green / total * constants[1] + constants[4]),
        kept * (blue / total * constants[2] + constants[5]),
    )
}

/// One invocation a pixel of the views; `count` of them, which are written from image `first_view` of the output on.
/// `constants` are the gains and the offsets of red, green and blue.
#[cube(launch_unchecked)]
fn render_views(
    first: &[u32],
    second: &[u32],
    third: &[u32],
    fourth: &[u32],
    plan: &[u32],
    constants: &[f32],
    output: &mut [f32],
    count: u32,
    first_view: u32,
    #[comptime] sides: Sides,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let area = comptime!(sides.view * sides.view);
    let (view, within) = (place / area, place % area);
    let (x, y) = (within % sides.view, within / sides.view);
    let words = view * comptime!(WORDS as u32);
    let kind = plan[(words + comptime!(word::MIX as u32)) as usize];
    let other = plan[(words + comptime!(word::OTHER as u32)) as usize];
    let taken = inside(plan, words + comptime!(word::REGION as u32), x, y);
    // CutMix takes a pixel from one view or the other.
    let source = select(kind == comptime!(word::CUTMIX) && taken, other, view);
    let (red, green, blue) = render(first, second, third, fourth, plan, constants, source, x, y, sides);
    let to = ((first_view * area + place) * 3) as usize;
    if kind == comptime!(word::MIXUP) {
        let own = f32::reinterpret(plan[(words + comptime!(word::LAMBDA as u32)) as usize]);
        let rest = 1.0 - own;
        let (more_red, more_green, more_blue) =
            render(first, second, third, fourth, plan, constants, other, x, y, sides);
        output[to] = red * own + more_red * rest;
        output[to + 1] = green * own + more_green * rest;
        output[to + 2] = blue * own + more_blue * rest;
    } else {
        output[to] = red;
        output[to + 1] = green;
        output[to + 2] = blue;
    }
}

/// Views of stored images, by a plan of [`WORDS`] a view, into images of `output` `[N, side, side, 3]` from `first_view` on.
pub(in crate::kernel) fn views(
    buffers: [CubeTensor; BUFFERS],
    plan: CubeTensor,
    constants: CubeTensor,
    output: &CubeTensor,
    first_view: usize,
    [stored, each]: [usize; 2],
) {
    use burn::backend::TensorMetadata;
    const { assert!(STRIPS * 2 + 1 == word::ROWS - word::COLUMNS) };
    let shape = output.shape();
    let views = plan.shape()[0] / WORDS;
    let count = views * shape[1] * shape[2];
    assert!(first_view + views <= shape[0], "there is room for all views");
    let sides = Sides { stored: stored as u32, view: shape[1] as u32, each: each as u32 };
    let _span = span(output, "views", || Work {
        shape: format!("{}x{}", shape[1], shape[2]),
        flops: 0.0,
        floats: 3 * count,
    });
    let (cubes, dim) = elementwise(count);
    let [first, second, third, fourth] = buffers.map(CubeTensor::into_buffer_arg);
    // SAFETY: the planner keeps crops inside images and images inside the set; the kernel returns early past the last pixel.
    unsafe {
        render_views::launch_unchecked(
            &output.client,
            cubes,
            dim,
            first,
            second,
            third,
            fourth,
            plan.into_buffer_arg(),
            constants.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            count as u32,
            first_view as u32,
            sides,
        );
    }
}
