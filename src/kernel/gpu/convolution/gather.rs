//! Convolution and the gradient of its images: products whose left factor is gathered from images as it is needed.
//!
//! A row of the product is a pixel, a column an output channel, and `K` runs over taps and channels. The gradient of the
//! images is the same product over the gradient of the output, with the taps the other way round.

use cubecl::prelude::*;

use super::channels::Channels;
use super::order::Order;
use super::shape::Shape;

/// The bit of the first column of taps in a window; those of rows begin at 1.
const FIRST_COLUMN: u32 = 1 << 16;

/// A bit that every window has: of a tap that does not exist.
pub(super) const NOWHERE: u32 = 1 << 31;

/// Rows of workgroups a launch may have in one dimension, by WebGPU's default limits.
const MAX_WORKGROUPS: usize = 65_535;

/// Direction of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// From images to output.
    Forward,
    /// From the gradient of the output to that of the images.
    Backward,
}

/// Source and target of a product: the tensor that is gathered, and the one that is written.
///
/// On the way back only every `stride`-th tap in each direction reaches a pixel, the same taps for all pixels of one *phase* (a
/// remainder of row and column by the stride). Each phase is a product of its own, over its own taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Gather {
    pub(super) shape: Shape,
    pub(super) way: Way,
    /// Row and column of the first pixel of the phase.
    pub(super) phase: [usize; 2],
    pub(super) order: Order,
}

impl Gather {
    /// The product from images to output.
    pub(super) fn forward(shape: Shape, order: Order) -> Self {
        Self { shape, way: Way::Forward, phase: [0, 0], order }
    }

    /// The products of one way.
    pub(super) fn all(shape: Shape, way: Way, order: Order) -> impl Iterator<Item = Self> {
        let phases = if way == Way::Forward { 1 } else { shape.stride };
        let phase = move |phase| Self { shape, way, phase: [phase / phases, phase % phases], order };
        (0..phases * phases).map(phase)
    }

    /// Height, width and vectors of channels of the source.
    pub(super) fn source(&self) -> [usize; 3] {
        let Shape { height, width, output_height, output_width, .. } = self.shape;
        match self.way {
            Way::Forward => [height, width, self.shape.input()],
            Way::Backward => [output_height, output_width, self.shape.output()],
        }
    }

    /// Height, width and vectors of channels of the target.
    pub(super) fn target(&self) -> [usize; 3] {
        let Shape { height, width, output_height, output_width, .. } = self.shape;
        match self.way {
            Way::Forward => [output_height, output_width, self.shape.output()],
            Way::Backward => [height, width, self.shape.input()],
        }
    }

    /// Channels of the source.
    pub(super) fn source_channels(&self) -> Channels {
        if self.way == Way::Forward { self.shape.inputs } else { self.shape.outputs }
    }

    /// Channels of the target.
    pub(super) fn target_channels(&self) -> Channels {
        if self.way == Way::Forward { self.shape.outputs } else { self.shape.inputs }
    }

    /// Pixels from one of a phase to the next, and taps from one that reaches them to the next.
    pub(super) fn spread(&self) -> usize {
        if self.way == Way::Forward { 1 } else { self.shape.stride }
    }

    /// Rows and columns of the target that belong to the phase.
    pub(super) fn pixels(&self) -> [usize; 2] {
        let [height, width, _] = self.target();
        let count = |length: usize, phase: usize| length.saturating_sub(phase).div_ceil(self.spread());
        [count(height, self.phase[0]), count(width, self.phase[1])]
    }

    /// The first tap in a direction.
    pub(super) fn first_tap(&self, direction: usize) -> usize {
        if self.way == Way::Forward {
            0
        } else {
            (self.phase[direction] + self.shape.padding) % self.shape.stride
        }
    }

    /// Taps in a direction.
    pub(super) fn taps(&self, direction: usize) -> usize {
        self.shape.kernel.saturating_sub(self.first_tap(direction)).div_ceil(self.spread())
    }

    /// Offset, on the way back, from the place of a pixel to the place that its first tap reads.
    pub(super) fn shift(&self, direction: usize) -> usize {
        (self.phase[direction] + self.shape.padding - self.first_tap(direction)) / self.shape.stride
    }
}

/// Workgroups of a gather: `across` tiles of columns by `down` tiles of rows of all students. The rows take two dimensions where
/// one does not reach far enough.
pub(super) fn workgroups(across: usize, down: usize) -> CubeCount {
    let far = down.div_ceil(MAX_WORKGROUPS);
    CubeCount::Static(across as u32, down.div_ceil(far) as u32, far as u32)
}

/// The tile of rows that a workgroup makes: its student, its number among the student's `tiles`, and the pixels of a student's
/// `batch`; no pixels if there is no such tile. Two coordinates, the second and the third, number the tiles, as one does not
/// reach far enough.
#[cube]
pub(super) fn tile_of_workgroup(
    students: u32,
    batch: u32,
    tiles: u32,
    #[comptime] gather: Gather,
) -> (u32, u32, u32) {
    let [height, width] = comptime!(gather.pixels());
    let number = CUBE_POS_Z * CUBE_COUNT_Y + CUBE_POS_Y;
    let exists = number < students * tiles;
    let pixels = select(exists, batch * comptime!((height * width) as u32), 0u32);
    (select(exists, number / tiles, 0u32), number % tiles, pixels)
}

/// The image, row and column of a pixel of a phase, of a batch.
#[cube]
pub(super) fn place_of(pixel: u32, batch: u32, #[comptime] gather: Gather) -> (u32, u32, u32) {
    let (rows, columns) = comptime!((gather.pixels()[0].max(1) as u32, gather.pixels()[1].max(1) as u32));
    let (image, rest) = if comptime!(gather.order == Order::Images) {
        (pixel / comptime!(rows * columns), pixel % comptime!(rows * columns))
    } else {
        (pixel % batch, pixel / batch)
    };
    (image, rest / columns, rest % columns)
}

/// Where the window of a pixel begins in the source: its image, row and column. Rows and columns may wrap below zero; a
/// pixel that does not exist has a row that no source has.
#[cube]
fn corner(pixel: u32, pixels: u32, batch: u32, #[comptime] gather: Gather) -> (u32, u32, u32) {
    let (image, y, x) = place_of(pixel, batch, gather);
    let exists = pixel < pixels;
    if comptime!(gather.way == Way::Forward) {
        let (stride, padding) = comptime!((gather.shape.stride as u32, gather.shape.padding as u32));
        (image, select(exists, y * stride - padding, 0x4000_0000u32), x * stride - padding)
    } else {
        let (down, right) = comptime!((gather.shift(0) as u32, gather.shift(1) as u32));
        (image, select(exists, y + down, 0xC000_0000u32), x + right)
    }
}

/// A coordinate of the source, from its corner and the number of a tap; beyond the source if there is none.
#[cube]
fn coordinate(corner: u32, tap: u32, #[comptime] gather: Gather) -> u32 {
    if comptime!(gather.way == Way::Forward) { corner + tap } else { corner - tap }
}

/// Where the window of a pixel begins in the source, in vectors, and which of its taps lie beyond the source: a bit for each
/// row of them that does, and each column ([`tap_of_window`]). So a step asks for a tap with one addition and one comparison.
///
/// The place may wrap below zero; every tap of a pixel that does not exist lies beyond.
#[cube]
pub(super) fn window(
    pixel: u32,
    pixels: u32,
    first_image: u32,
    batch: u32,
    #[comptime] gather: Gather,
) -> (u32, u32) {
    let [height, width, channels] = comptime!(gather.source());
    let (image, y, x) = corner(pixel, pixels, batch, gather);
    let mut beyond = NOWHERE.runtime();
    #[unroll]
    for tap in 0..comptime!(gather.taps(0) as u32) {
        let inside = coordinate(y, tap, gather) < comptime!(height as u32);
        beyond |= select(inside, 0u32, comptime!(1u32 << tap));
    }
    #[unroll]
    for tap in 0..comptime!(gather.taps(1) as u32) {
        let inside = coordinate(x, tap, gather) < comptime!(width as u32);
        beyond |= select(inside, 0u32, comptime!(FIRST_COLUMN << tap));
    }
    let row = (first_image + image) * comptime!(height as u32) + y;
    ((row * comptime!(width as u32) + x) * comptime!(channels as u32), beyond)
}

/// Offset from the place of any window to a vector of channels of one of its taps, and the bits of that tap.
#[cube]
pub(super) fn tap_of_window(row: u32, column: u32, channel: u32, #[comptime] gather: Gather) -> (u32, u32) {
    let [_, width, channels] = comptime!(gather.source());
    let pixels = row * comptime!(width as u32) + column;
    let bits = (1u32 << row) | (FIRST_COLUMN << column);
    (coordinate(channel, pixels * comptime!(channels as u32), gather), bits)
}
