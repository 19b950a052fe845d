//! Convolutions on a GPU: implicit products with panels in shared memory, without subgroup operations.
//!
//! Images are `[B, H, W, C]`. Kernels work on whole vectors of four channels; what happens to others is in `channels`.
//!
//! burn has convolutions, too. `beside-burn.csv`, which `benches/compare.py` makes of `tilepress profile --beside-burn`, says
//! what both take on each device that was measured; burn's are faster on none, so all are made by ours.

#[cfg(feature = "beside-burn")]
mod burns;
mod channels;
mod gather;
mod gathered;
// WGSL has no matrix units, and a browser nothing else.
#[cfg(not(target_family = "wasm"))]
mod matrix_units;
mod order;
mod pack;
mod parts;
mod product;
mod shape;
mod taps;
mod vector;
mod weight_gradient;

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use self::gather::{Gather, Way, workgroups};
use self::gathered::gathered_product;
use self::order::Order;
use self::pack::pack_weights;
use self::parts::Parts;
use self::shape::{Shape, Tile};
use self::vector::LANES;
use self::weight_gradient::weight_gradient_product;
use super::{elementwise, empty, ready, span};
use crate::kernel::convolution::Window;

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
    let bias = bias.map(|bias| shape.outputs.fit(ready(bias)));
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
    let batch = images.shape()[0] / students;
    let shape = Shape::new(&images.shape(), weights, window);
    #[cfg(feature = "beside-burn")]
    burns::weight_gradient(&images, &gradient, weights, shape, window);
    let _span = span(&images, "weight gradient", || shape.work(batch, students));
    let (images, gradient) = (shape.inputs.fit(images), shape.outputs.fit(gradient));
    #[cfg(not(target_family = "wasm"))]
    if let Some(units) = matrix_units::units(&images, window) {
        return matrix_units::weight_gradient(units, images, gradient, weights, (students, batch), shape);
    }
    let (rows, columns) = (shape.taps() * shape.input(), shape.output());
    // `K` is one run of all pixels: a panel may end anywhere in it.
    let tile = Tile::choose(rows, columns, 4);
    let tiles = [columns.div_ceil(tile.n()), rows.div_ceil(tile.m())];
    let parts = Parts::new(tiles, batch * shape.output_pixels(), tile.depth * LANES);
    let found = parts.empty(&images, weights, shape, students);
    // SAFETY: `shape` and `tile` decide every size; the kernel guards what lies beyond the last row, column and pixel.
    unsafe {
        weight_gradient_product::launch_unchecked(
            &found.client,
            parts.workgroups(students),
            CubeDim::new_1d(tile.units() as u32),
            shape.inputs.at_once,
            shape.outputs.at_once,
            parts.at_once(),
            images.into_buffer_arg(),
            gradient.into_buffer_arg(),
            found.clone().into_buffer_arg(),
            batch as u32,
            parts.pixels as u32,
            parts.count as u32,
            Gather::forward(shape, Order::of(shape)),
            parts.whole(),
            tile,
        );
    }
    parts.added(found, weights, shape, students)
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
    #[cfg(not(target_family = "wasm"))]
    let units = matrix_units::units(&source, window);
    #[cfg(not(target_family = "wasm"))]
    let halves = units.map(|_| matrix_units::packed(weights, shape, way, students));
    #[cfg(target_family = "wasm")]
    let halves: Option<CubeTensor> = None;
    let order = if halves.is_some() { Order::Images } else { Order::of(shape) };
    let packed = halves.unwrap_or_else(|| packed(weights, shape, way == Way::Backward, students));
    let whole = Gather { shape, way, phase: [0, 0], order };
    let (given, made) = (whole.source_channels(), whole.target_channels());
    let source = given.fit(source);
    let [height, width, columns] = whole.target();
    let output = empty(&source, [students * batch, height, width, made.in_memory()]);
    let has_bias = bias.is_some();
    // Something has to be bound; the kernel does not read it.
    let bias = bias.unwrap_or_else(|| source.clone());
    for gather in Gather::all(shape, way, order) {
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
                given.at_once,
                made.at_once,
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
    made.cut(output)
}

/// Weights as a product reads them, one student's after the other's.
fn packed(weights: &CubeTensor, shape: Shape, backward: bool, students: usize) -> CubeTensor {
    let (rows, columns) =
        if backward { (shape.output(), shape.input()) } else { (shape.input(), shape.output()) };
    let vectors = students * shape.taps() * rows * columns * LANES;
    let packed = empty(weights, [students * shape.taps() * rows * LANES, columns * LANES]);
    let (cubes, dim) = elementwise(vectors);
    // SAFETY: the kernel returns early past the last vector and reads only weights that exist.
    unsafe {
        pack_weights::launch_unchecked(
            &packed.client,
            cubes,
            dim,
            weights.clone().into_buffer_arg(),
            packed.clone().into_buffer_arg(),
            students as u32,
            shape,
            backward,
        );
    }
    packed
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    #[test]
    fn no_convolution_of_burns_is_a_tenth_faster_on_a_device_that_was_measured() -> Result<(), Box<dyn Error>>
    {
        let mut table = csv::Reader::from_reader(include_bytes!("beside-burn.csv").as_slice());
        let mut rows = 0;
        for row in table.deserialize() {
            type Row = (String, String, String, u32, String, String, f64, f64);
            let (device, precision, _, _, operator, shape, ours, burns): Row = row?;
            // Whoever measures such a case has found where burn's kernel should be taken instead. A tenth is within the noise.
            let what = format!("{operator} of {shape} in {precision} precision on {device}");
            assert!(burns > 0.9 * ours, "{what}: {ours} ms by our kernel, {burns} by burn's");
            rows += 1;
        }
        assert!(rows > 0, "an empty table decides nothing");
        Ok(())
    }
}
