//! The parts of a gradient of the weights: sums over some of the pixels, which are added at the end.
//!
//! The gradient of few weights has few tiles, each a sum over all pixels; cut into parts there is work for a whole GPU.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::{elementwise, empty};
use super::shape::Shape;
use super::vector::LANES;

/// Workgroups that there are to be, if there are pixels enough: a few for each processor of a large GPU.
const WORKGROUPS: usize = 512;

/// Pixels that a part has at least, so that adding the parts stays a small part of the work.
const LEAST: usize = 256;

/// Division of each student's pixels into parts.
///
/// The students of a launch fill the GPU together, but each is cut as if it were alone: its sums must not depend on who is
/// beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// Parts of a student.
    pub(super) count: usize,
    /// Pixels of a part, but for the last.
    pub(super) pixels: usize,
    /// Tiles of the gradient, across and down.
    tiles: [usize; 2],
}

impl Parts {
    /// Parts of `pixels` pixels, each of a multiple of `depth`.
    pub(super) fn new(tiles: [usize; 2], pixels: usize, depth: usize) -> Self {
        let wanted = WORKGROUPS.div_ceil(tiles[0] * tiles[1]).min(pixels.div_ceil(LEAST)).max(1);
        let part = pixels.div_ceil(wanted).next_multiple_of(depth);
        Self { count: pixels.div_ceil(part), pixels: part, tiles }
    }

    /// `true` where there is one part only: nothing is to be added, and the product is written as the gradient itself.
    pub(super) fn whole(&self) -> bool {
        self.count == 1
    }

    /// Sums that are written at once: vectors into parts, single ones into the gradient, whose order is another.
    pub(super) fn at_once(&self) -> usize {
        if self.whole() { 1 } else { LANES }
    }

    /// Workgroups of the product.
    pub(super) fn workgroups(&self, students: usize) -> CubeCount {
        CubeCount::Static(self.tiles[0] as u32, self.tiles[1] as u32, (students * self.count) as u32)
    }

    /// Tensor that the product is written to: the gradient itself, or its parts.
    pub(super) fn empty(
        &self,
        like: &CubeTensor,
        weights: &[usize],
        shape: Shape,
        students: usize,
    ) -> CubeTensor {
        if self.whole() {
            return empty(like, weights.to_vec());
        }
        empty(like, [students * self.count, shape.taps() * shape.input() * LANES, shape.output() * LANES])
    }

    /// The gradient `[S·O, C, K, K]`, from the tensor that the product was written to.
    pub(super) fn added(
        &self,
        parts: CubeTensor,
        weights: &[usize],
        shape: Shape,
        students: usize,
    ) -> CubeTensor {
        if self.whole() {
            return parts;
        }
        let found = empty(&parts, weights.to_vec());
        let (cubes, dim) = elementwise(weights.iter().product());
        // SAFETY: the kernel returns early past the last weight; there are `count` parts of each student.
        unsafe {
            add_parts::launch_unchecked(
                &found.client,
                cubes,
                dim,
                parts.into_buffer_arg(),
                found.clone().into_buffer_arg(),
                students as u32,
                self.count as u32,
                shape,
            );
        }
        found
    }
}

/// Adds the `count` parts of each student, in their order, and puts every weight where `[O, C, K, K]` has it.
#[cube(launch_unchecked)]
fn add_parts(parts: &[f32], weights: &mut [f32], students: u32, count: u32, #[comptime] shape: Shape) {
    let place = ABSOLUTE_POS as u32;
    let (inputs, outputs) = comptime!((shape.inputs.count as u32, shape.outputs.count as u32));
    let taps = comptime!(shape.taps() as u32);
    if place >= students * outputs * inputs * taps {
        terminate!();
    }
    let (tap, channel, output) = (place % taps, place / taps % inputs, place / taps / inputs % outputs);
    let student = place / (taps * inputs * outputs);
    let columns = comptime!((shape.output() * 4) as u32);
    let size = comptime!((shape.taps() * shape.input() * 4) as u32) * columns;
    let from = (tap * comptime!((shape.input() * 4) as u32) + channel) * columns + output;
    let mut sum = 0.0f32;
    for part in 0..count {
        sum += parts[((student * count + part) * size + from) as usize];
    }
    weights[place as usize] = sum;
}
