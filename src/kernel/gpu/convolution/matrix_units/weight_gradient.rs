//! The gradient of the weights by matrix units: the product of `super::super::weight_gradient`, from halves.

use cubecl::cmma::Matrix;
use cubecl::prelude::*;

use super::super::gather::Gather;
use super::super::shape::Shape;
use super::super::vector::Vec4;
use super::super::weight_gradient::{WindowOf, put_sum, put_windows, tap_of_row};
use super::fragment::{Half4, Operand, has_block, multiply, stage_fragment, staged, zeros};
use super::gather::deposit;
use super::tile::MatrixTile;

/// A gradient in parts, or whole, as that of the plain product.
///
/// Workgroups and parts are numbered as those of the plain product. A part has `part` pixels, a multiple of a panel's depth.
#[cube(launch_unchecked)]
pub(super) fn weight_gradient_product_of_halves<F: Size>(
    images: &[Vec4],
    gradient: &[Vec4],
    found: &mut [Vector<f32, F>],
    batch: u32,
    part: u32,
    count: u32,
    #[comptime] gather: Gather,
    #[comptime] whole: bool,
    #[comptime] tile: MatrixTile,
) {
    let shape = comptime!(gather.shape);
    let pixels = batch * comptime!(shape.output_pixels() as u32);
    let first_group = CUBE_POS_Y * comptime!((tile.m() / 4) as u32);
    let first_column = CUBE_POS_X * comptime!((tile.n() / 4) as u32);
    // The pixels of all students are numbered on.
    let before = CUBE_POS_Z / count * pixels;
    let first_pixel = before + CUBE_POS_Z % count * part;
    let last_pixel = before + pixels;
    let last_pixel = select(first_pixel + part < last_pixel, first_pixel + part, last_pixel);

    // Channels lie side by side in the images, so the left panel is `[K][M]`.
    let mut left =
        Shared::<[Half4]>::new_aligned_slice(comptime!(tile.k() * MatrixTile::stride(tile.m())), 32usize);
    let mut right =
        Shared::<[Half4]>::new_aligned_slice(comptime!(tile.k() * MatrixTile::stride(tile.n())), 32usize);
    let mut stage = Shared::<[Vec4]>::new_aligned_slice(comptime!(tile.subgroups() * tile.stage()), 32usize);
    let sums = zeros(tile);
    let deep = comptime!(tile.k() as u32);
    let steps = (last_pixel - first_pixel).div_ceil(deep);

    // The windows of a step's pixels are found once for all taps, those of the next step while this one's are read.
    let mut windows = Shared::<[WindowOf]>::new_slice(comptime!(2 * tile.k()));
    put_windows(
        &mut windows,
        0u32,
        first_pixel,
        last_pixel,
        0u32,
        batch,
        gather,
        deep,
        comptime!(tile.invocations() as u32),
    );
    let wide = comptime!((tile.m() / 4) as u32);
    let turns = comptime!((tile.k() * tile.m() / 4).div_ceil(tile.invocations()));
    // Turns that load the same rows of the tile share a tap.
    let groups = comptime!((tile.m() / 4).div_ceil(tile.invocations()));
    let mut offsets = Array::<u32>::new(groups);
    let mut bits = Array::<u32>::new(groups);
    #[unroll]
    for group in 0..groups {
        let row = first_group + (UNIT_POS + comptime!((group * tile.invocations()) as u32)) % wide;
        let (offset, bit) = tap_of_row(row, gather);
        offsets[group] = offset;
        bits[group] = bit;
    }
    sync_cube();
    let mut next_left = Array::<Vec4>::new(turns);
    let mut loaded = Array::<u32>::new(comptime!(turns.div_ceil(32)));
    let mut next_right =
        Array::<Vec4>::new(comptime!((tile.k() * tile.n() / 4).div_ceil(tile.invocations())));

    for step in 0..steps + 1 {
        if step < steps {
            let pixel = first_pixel + step * deep;
            let slot = step % 2 * deep;
            fetch_windows(images, &windows, slot, &offsets, &bits, &mut next_left, &mut loaded, tile);
            fetch_gradient(gradient, first_column, pixel, last_pixel, &mut next_right, shape, tile);
            let units = comptime!(tile.invocations() as u32);
            put_windows(
                &mut windows,
                deep - slot,
                pixel + deep,
                last_pixel,
                0u32,
                batch,
                gather,
                deep,
                units,
            );
        }
        if step > 0 {
            multiply(&left, &right, &sums, true, tile);
            sync_cube();
        }
        if step < steps {
            blank(&mut next_left, &loaded, turns);
            deposit(&next_left, &mut left, comptime!(tile.k()), comptime!(tile.m()), Operand::Value, tile);
            deposit(
                &next_right,
                &mut right,
                comptime!(tile.k()),
                comptime!(tile.n()),
                Operand::Gradient,
                tile,
            );
            sync_cube();
        }
    }

    if has_block(tile) {
        write(&sums, &mut stage, found, first_group, first_column, shape, whole, tile);
    }
}

/// Writes a subgroup's block of a part.
#[cube]
fn write<F: Size>(
    sums: &Sequence<Matrix<f32>>,
    stage: &mut Shared<[Vec4]>,
    found: &mut [Vector<f32, F>],
    first_group: u32,
    first_column: u32,
    #[comptime] shape: Shape,
    #[comptime] whole: bool,
    #[comptime] tile: MatrixTile,
) {
    #[unroll]
    for fragment in 0..comptime!(tile.rows * tile.columns) {
        stage_fragment(sums, fragment, stage, tile);
        for place in range_stepped(UNIT_POS_PLANE, comptime!(tile.stage() as u32), PLANE_DIM) {
            let (row, vector, sum) = staged(place, fragment, stage, Operand::Gradient, tile);
            put_sum(found, first_group * 4 + row, first_column + vector, sum, shape, whole);
        }
        sync_plane();
    }
}

/// Loads what an invocation brings of the left panel, from the windows that lie from `slot` on; what does not exist is
/// [set to zero](blank) later.
#[cube]
fn fetch_windows(
    images: &[Vec4],
    windows: &Shared<[WindowOf]>,
    slot: u32,
    offsets: &Array<u32>,
    bits: &Array<u32>,
    values: &mut Array<Vec4>,
    found: &mut Array<u32>,
    #[comptime] tile: MatrixTile,
) {
    let count = comptime!(tile.k() * tile.m() / 4);
    let wide = comptime!((tile.m() / 4) as u32);
    #[unroll]
    for turn in 0..comptime!(count.div_ceil(tile.invocations())) {
        let place = UNIT_POS + comptime!((turn * tile.invocations()) as u32);
        let group = comptime!(turn % (tile.m() / 4).div_ceil(tile.invocations()));
        // A surplus turn finds some window; what it loads is not deposited.
        let pixel = if comptime!(count.is_multiple_of(tile.invocations())) {
            place / wide
        } else {
            place / wide % comptime!(tile.k() as u32)
        };
        let window = windows[(slot + pixel) as usize];
        let inside = window.extract(1usize) & bits[group] == 0;
        let from = window.extract(0usize) + offsets[group];
        values[turn] = images[select(inside, from, 0u32) as usize];
        mark(found, turn, inside);
    }
}

/// Loads what an invocation brings of the right panel: the gradient at the pixels from `pixel` on. Pixels past the last meet
/// zeros of the left panel, and nobody reads columns past the last; in their place are gradients of the same student, which
/// are numbers as long as it trains.
#[cube]
fn fetch_gradient(
    gradient: &[Vec4],
    first_column: u32,
    pixel: u32,
    last_pixel: u32,
    values: &mut Array<Vec4>,
    #[comptime] shape: Shape,
    #[comptime] tile: MatrixTile,
) {
    let columns = comptime!(shape.output() as u32);
    let wide = comptime!((tile.n() / 4) as u32);
    let own = pixel * columns;
    #[unroll]
    for turn in 0..comptime!((tile.k() * tile.n() / 4).div_ceil(tile.invocations())) {
        let place = UNIT_POS + comptime!((turn * tile.invocations()) as u32);
        let (pixel, column) = (pixel + place / wide, first_column + place % wide);
        let exists = pixel < last_pixel && column < columns;
        values[turn] = gradient[select(exists, pixel * columns + column, own) as usize];
    }
}

/// Notes whether an invocation's vector of a turn exists.
#[cube]
fn mark(found: &mut Array<u32>, #[comptime] turn: usize, exists: bool) {
    let bit = select(exists, comptime!(1u32 << (turn % 32)), 0u32);
    if comptime!(turn.is_multiple_of(32)) {
        found[comptime!(turn / 32)] = bit;
    } else {
        found[comptime!(turn / 32)] |= bit;
    }
}

/// Sets to zero what was loaded in place of vectors that do not exist. Not done where they are loaded, or each load would be
/// waited for before the units multiply.
#[cube]
fn blank(values: &mut Array<Vec4>, found: &Array<u32>, #[comptime] turns: usize) {
    #[unroll]
    for turn in 0..turns {
        let exists = found[comptime!(turn / 32)] & comptime!(1u32 << (turn % 32)) != 0;
        values[turn] = select(exists, values[turn], Vec4::new(0.0));
    }
}
