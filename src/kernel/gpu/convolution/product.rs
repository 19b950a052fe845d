//! The product of two panels in shared memory, a block of it in the registers of each invocation.

use cubecl::prelude::*;

use super::shape::Tile;

/// Four floats.
pub(super) type Vec4 = Vector<f32, Const<4>>;

/// Loads the right panel, `[K][N]`, from a matrix of `columns` vectors a row: from `first_row` on, where `rows` of it are
/// left, and from `first_column` on. What lies beyond them is zero.
#[cube]
pub(super) fn load_right(
    matrix: &[Vec4],
    right: &mut Shared<[Vec4]>,
    first_row: u32,
    rows: u32,
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
            let (k, column) = (place / n, first_column + place % n);
            let exists = k < rows && column < comptime!(columns as u32);
            let from = (first_row + k) * comptime!(columns as u32) + column;
            let value = matrix[select(exists, from, 0u32) as usize];
            right[place as usize] = select(exists, value, Vec4::new(0.0));
        }
    }
}

/// Adds the product of two panels to an invocation's block: `left` is `[K][M]`, `right` is `[K][N]`, both in vectors, with
/// `pad` more of them after each row of the left panel. A block's vectors of rows lie `tile.down` apart and its vectors of
/// columns `tile.across`, so that neighbours read neighbours. `sums` has, for every row of the block, its vectors of columns.
#[cube]
pub(super) fn accumulate(
    left: &Shared<[Vec4]>,
    right: &Shared<[Vec4]>,
    sums: &mut Array<Vec4>,
    row: u32,
    column: u32,
    #[comptime] pad: usize,
    #[comptime] tile: Tile,
) {
    let (m, n) = comptime!(((tile.m() + pad) as u32, tile.n() as u32));
    for k in 0..comptime!((tile.depth * 4) as u32) {
        let mut b = Array::<Vec4>::new(tile.columns);
        #[unroll]
        for j in 0..tile.columns {
            b[j] = right[(k * n + column + comptime!((j * tile.across) as u32)) as usize];
        }
        #[unroll]
        for i in 0..tile.rows {
            let a = left[(k * m + row + comptime!((i * tile.down) as u32)) as usize];
            #[unroll]
            for lane in 0..4usize {
                let factor = Vec4::new(a.extract(lane));
                #[unroll]
                for j in 0..tile.columns {
                    let place = comptime!((i * 4 + lane) * tile.columns + j);
                    sums[place] += factor * b[j];
                }
            }
        }
    }
}

/// Sets an invocation's block to zero.
#[cube]
pub(super) fn clear(sums: &mut Array<Vec4>, #[comptime] tile: Tile) {
    #[unroll]
    for place in 0..comptime!(tile.rows * 4 * tile.columns) {
        sums[place] = Vec4::new(0.0);
    }
}
