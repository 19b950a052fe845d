//! Convolutions on a GPU: implicit products with panels in shared memory, without subgroup operations.
//!
//! Images are `[B, H, W, C]`. Kernels work on whole vectors of four channels; images with another number of channels
//! are fitted before and after, which costs a pass over them.

#[cfg(feature = "beside-burn")]
mod burns;
mod gather;
// WGSL has no matrix units, and a browser nothing else.
#[cfg(not(target_family = "wasm"))]
mod matrix_units;
mod pack;
mod product;
mod shape;
mod weight_gradient;

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use self::gather::{Gather, Way, gathered_product};
use self::pack::{fit_channels, pack_weights};
use self::shape::{LANES, Shape, Tile};
use self::weight_gradient::{add_parts, weight_gradient_parts};
use super::{elementwise, empty, ready, span};
use crate::kernel::convolution::Window;

/// Rows of workgroups a launch may have in one dimension, by WebGPU's default limits.
const MOST_WORKGROUPS: usize = 65_535;

/// Workgroups that the parts of a weight gradient are cut into, if there are pixels enough: a few for each processor of
/// a large GPU.
const WORKGROUPS: usize = 512;

/// Pixels that a part of a weight gradient has at least, so that adding the parts stays a small part of the work.
const LEAST_PART: usize = 256;

/// Convolution of images `[S·B, H, W, C]` with weights `[S·O, C, K, K]` and a bias `[S·O]`, of S students: `[S·B, H', W', O]`.
pub(in crate::kernel) fn convolve(
    images: CubeTensor,
    weights: CubeTensor,
    bias: Option<CubeTensor>,
    window: Window,
) -> CubeTensor {
    let (images, weights) = (ready(images), ready(weights));
    let shape = Shape::new(&images.shape(), &weights.shape(), window);
    #[cfg(feature = "beside-burn")]
    burns::convolve(&images, &weights, bias.as_ref(), shape, window);
    let outputs = weights.shape()[0] / window.students;
    let bias = bias.map(|bias| fitted(ready(bias), outputs, shape.output * LANES));
    product(images, &weights, bias, (shape, Way::Forward), window)
}

/// Gradient of the images, `[S·B, H, W, C]`, from that of the output.
pub(in crate::kernel) fn image_gradient(
    gradient: CubeTensor,
    weights: CubeTensor,
    images: &[usize],
    window: Window,
) -> CubeTensor {
    let (gradient, weights) = (ready(gradient), ready(weights));
    let shape = Shape::new(images, &weights.shape(), window);
    #[cfg(feature = "beside-burn")]
    burns::image_gradient(&gradient, &weights, images, shape, window);
    product(gradient, &weights, None, (shape, Way::Backward), window)
}

/// Gradient of the weights, `[S·O, C, K, K]`, from that of the output.
pub(in crate::kernel) fn weight_gradient(
    images: CubeTensor,
    gradient: CubeTensor,
    weights: &[usize],
    window: Window,
) -> CubeTensor {
    let (images, gradient) = (ready(images), ready(gradient));
    let students = window.students;
    let (batch, [outputs, inputs]) = (images.shape()[0] / students, [weights[0] / students, weights[1]]);
    let shape = Shape::new(&images.shape(), weights, window);
    #[cfg(feature = "beside-burn")]
    burns::weight_gradient(&images, &gradient, weights, shape, window);
    let _span = span(&images, "weight gradient", || shape.work(batch, students));
    let images = fitted(images, inputs, shape.input * LANES);
    let gradient = fitted(gradient, outputs, shape.output * LANES);
    let (rows, columns) = (shape.taps() * shape.input, shape.output);
    let pixels = batch * shape.output_pixels();
    #[cfg(not(target_family = "wasm"))]
    if let Some(units) = matrix_units::units(&images, window) {
        let (parts, count) =
            matrix_units::weight_gradient_parts(units, images, gradient, (students, batch), shape);
        return added(parts, count, weights, shape, students);
    }
    // `K` is one run of all pixels: a panel may end anywhere in it.
    let tile = Tile::choose(rows, columns, 4);
    let tiles = rows.div_ceil(tile.m()) * columns.div_ceil(tile.n());
    let (part, count) = cut(tiles, pixels, tile.depth * LANES);
    let parts = empty(&images, [students * count, rows * LANES, columns * LANES]);
    let workgroups = CubeCount::Static(
        columns.div_ceil(tile.n()) as u32,
        rows.div_ceil(tile.m()) as u32,
        (students * count) as u32,
    );
    // SAFETY: `shape` and `tile` decide every size; the kernels guard what lies beyond the last row, column and pixel.
    unsafe {
        weight_gradient_parts::launch_unchecked(
            &parts.client,
            workgroups,
            CubeDim::new_1d(tile.units() as u32),
            images.into_buffer_arg(),
            gradient.into_buffer_arg(),
            parts.clone().into_buffer_arg(),
            batch as u32,
            part as u32,
            count as u32,
            shape,
            tile,
        );
    }
    added(parts, count, weights, shape, students)
}

/// Pixels of a part of a student's gradient of the weights, a multiple of `depth`, and how many parts there are, where the
/// gradient itself has so many tiles.
///
/// The students of a launch fill the GPU together, but each is cut as if it were alone: its sums must not depend on who is
/// beside it.
fn cut(tiles: usize, pixels: usize, depth: usize) -> (usize, usize) {
    let wanted = WORKGROUPS.div_ceil(tiles).min(pixels.div_ceil(LEAST_PART)).max(1);
    let part = pixels.div_ceil(wanted).next_multiple_of(depth);
    (part, pixels.div_ceil(part))
}

/// Workgroups of a gather: so many tiles across, and down so many of all students, in as many dimensions as that takes.
fn workgroups(across: usize, down: usize) -> CubeCount {
    let far = down.div_ceil(MOST_WORKGROUPS);
    CubeCount::Static(across as u32, down.div_ceil(far) as u32, far as u32)
}

/// The sums of the `count` parts of each student's gradient of the weights, as `[S·O, C, K, K]`.
fn added(parts: CubeTensor, count: usize, weights: &[usize], shape: Shape, students: usize) -> CubeTensor {
    let [outputs, inputs] = [weights[0] / students, weights[1]];
    let found = empty(&parts, [weights[0], inputs, weights[2], weights[3]]);
    let (cubes, dim) = elementwise(students * outputs * inputs * shape.taps());
    // SAFETY: the kernel returns early past the last weight; there are `count` parts of each student.
    unsafe {
        add_parts::launch_unchecked(
            &found.client,
            cubes,
            dim,
            parts.into_buffer_arg(),
            found.clone().into_buffer_arg(),
            students as u32,
            count as u32,
            inputs as u32,
            outputs as u32,
            shape,
        );
    }
    found
}

/// The product of gathered images and weights.
fn product(
    source: CubeTensor,
    weights: &CubeTensor,
    bias: Option<CubeTensor>,
    (shape, way): (Shape, Way),
    window: Window,
) -> CubeTensor {
    let students = window.students;
    let batch = source.shape()[0] / students;
    let operator = if way == Way::Forward { "convolution" } else { "input gradient" };
    let _span = span(&source, operator, || shape.work(batch, students));
    let [outputs, inputs] = [weights.shape()[0] / students, weights.shape()[1]];
    let (given, made) = if way == Way::Forward { (inputs, outputs) } else { (outputs, inputs) };
    #[cfg(not(target_family = "wasm"))]
    let units = matrix_units::units(&source, window);
    #[cfg(not(target_family = "wasm"))]
    let halves = units.map(|_| matrix_units::packed(weights, shape, way, students));
    #[cfg(target_family = "wasm")]
    let halves = None;
    let packed = halves.unwrap_or_else(|| packed(weights, shape, way == Way::Backward, students));
    let whole = Gather { shape, way, phase: [0, 0] };
    let source = fitted(source, given, whole.source()[2] * LANES);
    let [height, width, columns] = whole.target();
    let output = empty(&source, [students * batch, height, width, columns * LANES]);
    let has_bias = bias.is_some();
    // Something has to be bound; the kernel does not read it.
    let bias = bias.unwrap_or_else(|| source.clone());
    for gather in Gather::all(shape, way) {
        let [rows, across] = gather.pixels();
        let pixels = batch * rows * across;
        if pixels == 0 {
            continue;
        }
        #[cfg(not(target_family = "wasm"))]
        if let Some(units) = units {
            let tensors = [&source, &packed, &bias, &output];
            matrix_units::product(units, tensors, (students, batch, pixels), gather, has_bias);
            continue;
        }
        let tile = Tile::choose(pixels.div_ceil(LANES), columns, gather.source()[2]);
        let tiles = pixels.div_ceil(tile.m() * LANES);
        // SAFETY: `gather` and `tile` decide every size; the kernel guards what lies beyond the last student, pixel and
        // column.
        unsafe {
            gathered_product::launch_unchecked(
                &output.client,
                workgroups(columns.div_ceil(tile.n()), students * tiles),
                CubeDim::new_1d(tile.units() as u32),
                source.clone().into_buffer_arg(),
                packed.clone().into_buffer_arg(),
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
    fitted(output, columns * LANES, made)
}

/// Weights as a product reads them, one student's after the other's.
fn packed(weights: &CubeTensor, shape: Shape, backward: bool, students: usize) -> CubeTensor {
    let [outputs, inputs] = [weights.shape()[0] / students, weights.shape()[1]];
    let (rows, columns) = if backward { (shape.output, shape.input) } else { (shape.input, shape.output) };
    let count = students * shape.taps() * rows * columns * LANES * LANES;
    let packed = empty(weights, [students * shape.taps() * rows * LANES, columns * LANES]);
    let (cubes, dim) = elementwise(count);
    // SAFETY: the kernel returns early past the last element and reads only weights that exist.
    unsafe {
        pack_weights::launch_unchecked(
            &packed.client,
            cubes,
            dim,
            weights.clone().into_buffer_arg(),
            packed.clone().into_buffer_arg(),
            students as u32,
            inputs as u32,
            outputs as u32,
            shape,
            backward,
        );
    }
    packed
}

/// A tensor of rows of `from` channels with rows of `to`: images, or one vector a student.
fn fitted(tensor: CubeTensor, from: usize, to: usize) -> CubeTensor {
    if from == to {
        return tensor;
    }
    let rows = tensor.shape().num_elements() / from;
    let mut shape = tensor.shape().to_vec();
    match &mut shape[..] {
        [length] => *length = rows * to,
        [.., channels] => *channels = to,
        [] => unreachable!("a tensor has a dimension"),
    }
    let output = empty(&tensor, shape);
    let (cubes, dim) = elementwise(rows * to);
    // SAFETY: the kernel returns early past the last element and reads only channels that exist.
    unsafe {
        fit_channels::launch_unchecked(
            &output.client,
            cubes,
            dim,
            tensor.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            (rows * to) as u32,
            from as u32,
            to as u32,
        );
    }
    output
}
