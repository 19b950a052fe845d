//! Halves, and the fragments that the units multiply.

use cubecl::cmma::{self, Matrix, MatrixIdent, MatrixLayout};
use cubecl::prelude::*;
use half::f16;

use super::super::vector::Vec4;
use super::tile::MatrixTile;

/// Four halves.
pub(super) type Half4 = Vector<f16, Const<4>>;

/// The largest half.
const LARGEST: f32 = 65_504.0;

/// Factor of the gradients before they are rounded to halves, and divisor of their products: 2¹².
///
/// A half is exact to 11 bits between 2⁻¹⁴ and 2¹⁶ and loses bits down to 2⁻²⁴; so scaled, gradients from 2⁻²⁶ (1.5e-8) to 2⁴
/// keep their 11 bits, and those down to 2⁻³⁶ (1.5e-11) are not lost. The gradient of a loss that is a mean over `B` samples is
/// at most 1/`B` at the logits, and every weight and every average over pixels on the way back makes it smaller rather than
/// larger; what a BatchNorm of a quiet channel makes of it (up to 1/√ε = 316 times) still stays below 2⁴ for any batch of
/// twenty. Beyond, [`halves`] saturates: a gradient clipped, never an infinity. So there is no state and no step is thrown away.
const GRADIENT_SCALE: f32 = 4096.0;

/// Kind of numbers in an operand of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operand {
    /// Images, activations or weights, which are near 1.
    Value,
    /// Gradients, which are small.
    Gradient,
}

/// Numbers rounded to halves and clipped to ±[`LARGEST`]. NaN stays NaN, so that a run that diverges is noticed.
#[cube]
pub(super) fn halves(value: Vec4, #[comptime] operand: Operand) -> Half4 {
    let mut scaled = value;
    if comptime!(operand == Operand::Gradient) {
        scaled *= Vec4::new(GRADIENT_SCALE);
    }
    Half4::cast_from(clamp_nan(scaled, Vec4::new(-LARGEST), Vec4::new(LARGEST)))
}

/// A product of two operands one of which is a gradient, or neither, without the scale of the gradient.
#[cube]
fn unscaled(sum: Vec4, #[comptime] operand: Operand) -> Vec4 {
    if comptime!(operand == Operand::Gradient) { sum * Vec4::new(1.0 / GRADIENT_SCALE) } else { sum }
}

/// A subgroup's block of fragments, all zero.
#[cube]
pub(super) fn zeros(#[comptime] tile: MatrixTile) -> Sequence<Matrix<f32>> {
    let mut sums = Sequence::<Matrix<f32>>::new();
    #[unroll]
    for _ in 0..comptime!(tile.rows * tile.columns) {
        sums.push(Matrix::<f32>::from_value(
            MatrixIdent::Accumulator,
            tile.units.rows,
            tile.units.columns,
            tile.units.depth,
            MatrixLayout::Undefined,
            0.0f32,
        ));
    }
    sums
}

/// `true` where an invocation's subgroup has a block; a surplus subgroup has none ([`MatrixTile::invocations`]). Where there are
/// no surplus subgroups this is known before the kernel is compiled, so that the units multiply in uniform control flow.
#[cube]
pub(super) fn has_block(#[comptime] tile: MatrixTile) -> bool {
    if comptime!(tile.units.fixed) { true.runtime() } else { PLANE_POS < comptime!(tile.subgroups() as u32) }
}

/// Adds the product of two panels to the block of each subgroup that has one.
#[cube]
pub(super) fn multiply(
    left: &Shared<[Half4]>,
    right: &Shared<[Half4]>,
    sums: &Sequence<Matrix<f32>>,
    #[comptime] turned: bool,
    #[comptime] tile: MatrixTile,
) {
    if has_block(tile) {
        multiply_block(left, right, sums, turned, tile);
    }
}

/// Adds the product of two panels to a subgroup's block. `left` is `[M][K]` row by row, or `[K][M]` if `turned`; `right` is
/// `[K][N]`.
#[cube]
fn multiply_block(
    left: &Shared<[Half4]>,
    right: &Shared<[Half4]>,
    sums: &Sequence<Matrix<f32>>,
    #[comptime] turned: bool,
    #[comptime] tile: MatrixTile,
) {
    let (rows, columns, depth) = comptime!((tile.units.rows, tile.units.columns, tile.units.depth));
    let across = comptime!(tile.across as u32);
    let first_row = PLANE_POS / across * comptime!((tile.rows * rows) as u32);
    let first_column = PLANE_POS % across * comptime!((tile.columns * columns) as u32);
    let layout = comptime!(if turned { MatrixLayout::ColMajor } else { MatrixLayout::RowMajor });
    let left_stride = comptime!(MatrixTile::stride(if turned { tile.m() } else { tile.k() }) as u32 * 4);
    let right_stride = comptime!(MatrixTile::stride(tile.n()) as u32 * 4);
    #[unroll]
    for step in 0..tile.depth {
        let k = comptime!((step * depth) as u32);
        let mut lefts = Sequence::<Matrix<Half4>>::new();
        #[unroll]
        for i in 0..tile.rows {
            let row = first_row + comptime!((i * rows) as u32);
            let from = if comptime!(turned) { k * left_stride + row } else { row * left_stride + k };
            lefts.push(Matrix::<Half4>::from_slice(
                MatrixIdent::A,
                rows,
                columns,
                depth,
                layout,
                &left[(from / 4) as usize..],
                left_stride,
            ));
        }
        #[unroll]
        for j in 0..tile.columns {
            let column = first_column + comptime!((j * columns) as u32);
            let factor = Matrix::<Half4>::from_slice(
                MatrixIdent::B,
                rows,
                columns,
                depth,
                MatrixLayout::RowMajor,
                &right[((k * right_stride + column) / 4) as usize..],
                right_stride,
            );
            #[unroll]
            for i in 0..tile.rows {
                let sum = sums.index(comptime!(i * tile.columns + j));
                cmma::execute(lefts.index(i), &factor, sum, sum);
            }
        }
    }
}

/// Puts one of a subgroup's fragments where its invocations can read it, in rows; the subgroup waits for it.
#[cube]
pub(super) fn stage_fragment(
    sums: &Sequence<Matrix<f32>>,
    #[comptime] fragment: usize,
    stage: &mut Shared<[Vec4]>,
    #[comptime] tile: MatrixTile,
) {
    let own = (PLANE_POS * comptime!(tile.stage() as u32)) as usize;
    let stride = comptime!(tile.units.columns as u32);
    cmma::store(&mut stage[own..], sums.index(fragment), stride, MatrixLayout::RowMajor);
    sync_plane();
}

/// A vector of the fragment that is staged: its row and vector of columns in the tile, and its numbers.
#[cube]
pub(super) fn staged(
    place: u32,
    #[comptime] fragment: usize,
    stage: &mut Shared<[Vec4]>,
    #[comptime] operand: Operand,
    #[comptime] tile: MatrixTile,
) -> (u32, u32, Vec4) {
    let (i, j) = comptime!(((fragment / tile.columns) as u32, (fragment % tile.columns) as u32));
    let (down, across) =
        (PLANE_POS / comptime!(tile.across as u32), PLANE_POS % comptime!(tile.across as u32));
    let wide = comptime!((tile.units.columns / 4) as u32);
    let row = (down * comptime!(tile.rows as u32) + i) * comptime!(tile.units.rows as u32) + place / wide;
    let vector = (across * comptime!(tile.columns as u32) + j) * wide + place % wide;
    let sum = stage[(PLANE_POS * comptime!(tile.stage() as u32) + place) as usize];
    (row, vector, unscaled(sum, operand))
}
