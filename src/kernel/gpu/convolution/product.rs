//! The product of two panels in shared memory, a block of it in the registers of each invocation.

use cubecl::prelude::*;

use super::shape::Tile;
use super::vector::Vec4;

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
