//! The three products of a convolution by a GPU's matrix units, with half operands and 32-bit sums.
//!
//! Images and gradients are read as the 32-bit floats that they are and rounded on their way into shared memory; only weights,
//! which are packed anyway, are stored as halves. What a window of a pixel is, and where a pixel lies, the plain products decide
//! for both.

mod fragment;
mod gather;
mod pack;
mod tile;
mod weight_gradient;

#[cfg(test)]
mod tests;

use burn::tensor::DType;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use self::gather::{gathered_product_of_halves, length};
use self::pack::pack_weights_as_halves;
use self::tile::{LEAST_TILES, MatrixTile};
use self::weight_gradient::weight_gradient_product_of_halves;
use super::super::elementwise;
use super::gather::{Gather, Way, workgroups};
use super::order::Order;
use super::parts::Parts;
use super::shape::Shape;
use super::vector::LANES;
use crate::device::{MatrixUnits, Precision};
use crate::kernel::convolution::Window;

/// The units that are to make a product: none in full precision, or where a tensor's device has none. (A run in mixed precision
/// is refused there before it begins; [`Precision::on`].)
pub(super) fn units(on: &CubeTensor, window: Window) -> Option<MatrixUnits> {
    match window.precision {
        Precision::Full => None,
        Precision::Mixed => MatrixUnits::listed(on.client.properties()),
    }
}

/// Weights as the product of a gather reads them, one student's after the other's.
pub(super) fn packed(weights: &CubeTensor, shape: Shape, way: Way, students: usize) -> CubeTensor {
    let vectors = students * shape.taps() * shape.input() * shape.output() * LANES;
    let (client, device) = (weights.client.clone(), weights.device.clone());
    let packed = empty_device_contiguous_dtype(client, device, [vectors * LANES].into(), DType::F16);
    let (cubes, dim) = elementwise(vectors);
    // SAFETY: the kernel returns early past the last vector and reads only weights that exist.
    unsafe {
        pack_weights_as_halves::launch_unchecked(
            &packed.client,
            cubes,
            dim,
            weights.clone().into_buffer_arg(),
            packed.clone().into_buffer_arg(),
            students as u32,
            shape,
            way == Way::Backward,
        );
    }
    packed
}

/// Launches the product of a gather of `pixels` pixels of each student, which are not none.
pub(super) fn product(
    units: MatrixUnits,
    [source, weights, bias, output]: [&CubeTensor; 4],
    (students, batch, pixels): (usize, usize, usize),
    gather: Gather,
    has_bias: bool,
) {
    let columns = gather.target()[2];
    let tile = MatrixTile::choose(units, [pixels, columns * LANES, length(gather) * LANES], LEAST_TILES);
    let tiles = pixels.div_ceil(tile.m());
    // SAFETY: `gather` and `tile` decide every size; the kernel guards what lies beyond the last student, pixel, column and
    // tap.
    unsafe {
        gathered_product_of_halves::launch_unchecked(
            &output.client,
            workgroups((columns * LANES).div_ceil(tile.n()), students * tiles),
            CubeDim::new_1d(tile.invocations() as u32),
            source.clone().into_buffer_arg(),
            weights.clone().into_buffer_arg(),
            bias.clone().into_buffer_arg(),
            output.clone().into_buffer_arg(),
            students as u32,
            batch as u32,
            tiles as u32,
            gather,
            tile,
            has_bias,
        );
    }
}

/// Gradient of the weights, `[S·O, C, K, K]`.
pub(super) fn weight_gradient(
    units: MatrixUnits,
    images: CubeTensor,
    gradient: CubeTensor,
    weights: &[usize],
    (students, batch): (usize, usize),
    shape: Shape,
) -> CubeTensor {
    let (rows, columns) = (shape.taps() * shape.input() * LANES, shape.output() * LANES);
    let pixels = batch * shape.output_pixels();
    // The parts bring the tiles that a large GPU needs.
    let tile = MatrixTile::choose(units, [rows, columns, pixels], 1);
    let parts = Parts::new([columns.div_ceil(tile.n()), rows.div_ceil(tile.m())], pixels, tile.k());
    let found = parts.empty(&images, weights, shape, students);
    // SAFETY: `shape` and `tile` decide every size; the kernel guards what lies beyond the last row, column and pixel.
    unsafe {
        weight_gradient_product_of_halves::launch_unchecked(
            &found.client,
            parts.workgroups(students),
            CubeDim::new_1d(tile.invocations() as u32),
            parts.at_once(),
            images.into_buffer_arg(),
            gradient.into_buffer_arg(),
            found.clone().into_buffer_arg(),
            batch as u32,
            parts.pixels as u32,
            parts.count as u32,
            Gather::forward(shape, Order::Images),
            parts.whole(),
            tile,
        );
    }
    parts.added(found, weights, shape, students)
}
