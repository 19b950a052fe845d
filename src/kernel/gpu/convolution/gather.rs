//! Convolution and the gradient of its images: products whose left factor is gathered from images as it is needed.
//!
//! A row of the product is a pixel, a column an output channel, and `K` runs over taps and channels. The gradient of the
//! images is the same product over the gradient of the output, with the taps the other way round.

use cubecl::prelude::*;

use super::channels::{Channels, put_vector, vector_of};
use super::order::{Order, taps_of_pixels};
use super::product::{Vec4, accumulate, clear};
use super::shape::{Shape, Tile};

/// The bit of the first column of taps in a window; those of rows begin at 1.
const FIRST_COLUMN: u32 = 1 << 16;

/// A bit that every window has: of a tap that does not exist.
pub(super) const NOWHERE: u32 = 1 << 31;

/// Which way the product goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// From images to output.
    Forward,
    /// From the gradient of the output to that of the images.
    Backward,
}

/// What is gathered, and what the product is written to.
///
/// On the way back through a stride only every so many taps reach a pixel, the same ones for all pixels of one *phase* (a
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

    /// Height, width and vectors of channels of what is read.
    pub(super) fn source(&self) -> [usize; 3] {
        let Shape { height, width, output_height, output_width, .. } = self.shape;
        match self.way {
            Way::Forward => [height, width, self.shape.input()],
            Way::Backward => [output_height, output_width, self.shape.output()],
        }
    }

    /// Height, width and vectors of channels of what is written.
    pub(super) fn target(&self) -> [usize; 3] {
        let Shape { height, width, output_height, output_width, .. } = self.shape;
        match self.way {
            Way::Forward => [output_height, output_width, self.shape.output()],
            Way::Backward => [height, width, self.shape.input()],
        }
    }

    /// Channels of what is read.
    pub(super) fn source_channels(&self) -> Channels {
        if self.way == Way::Forward { self.shape.inputs } else { self.shape.outputs }
    }

    /// Channels of what is written.
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

    /// What is added to the place of a pixel on the way back to find where its first tap reads.
    pub(super) fn shift(&self, direction: usize) -> usize {
        (self.phase[direction] + self.shape.padding - self.first_tap(direction)) / self.shape.stride
    }
}

/// Which tile of rows a workgroup makes, by the second and third coordinate, as one alone does not reach far enough: its
/// student, its number among the student's `tiles`, and the pixels of a student's `batch`; no pixels if there is no such tile.
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

/// What is added to the place of any window to come to a vector of channels of one of its taps, and the bits of that tap.
#[cube]
pub(super) fn tap_of_window(row: u32, column: u32, channel: u32, #[comptime] gather: Gather) -> (u32, u32) {
    let [_, width, channels] = comptime!(gather.source());
    let pixels = row * comptime!(width as u32) + column;
    let bits = (1u32 << row) | (FIRST_COLUMN << column);
    (coordinate(channel, pixels * comptime!(channels as u32), gather), bits)
}

/// Loads the right panel, `[K][N]`, from a matrix of `columns` vectors a row: from `first_row` and `first_column` on. Past
/// the last column are zeros.
#[cube]
fn load_weights(
    weights: &[Vec4],
    right: &mut Shared<[Vec4]>,
    first_row: u32,
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
            let (row, column) = (first_row + place / n, first_column + place % n);
            let exists = column < comptime!(columns as u32);
            let from = row * comptime!(columns as u32) + column;
            let value = weights[select(exists, from, 0u32) as usize];
            right[place as usize] = select(exists, value, Vec4::new(0.0));
        }
    }
}

/// `output[pixel][column] = Σ source[window of the pixel] · weights[tap, channel][column]`, plus a bias, for each student.
///
/// `weights` is `[taps · source channels][target channels]`. One workgroup makes one tile ([`tile_of_workgroup`]). Each student
/// has `batch` images and `tiles` tiles of rows; what a tile computes does not depend on how many students there are.
#[cube(launch_unchecked)]
pub(super) fn gathered_product<I: Size, O: Size>(
    source: &[Vector<f32, I>],
    weights: &[Vec4],
    bias: &[Vector<f32, O>],
    output: &mut [Vector<f32, O>],
    students: u32,
    batch: u32,
    tiles: u32,
    #[comptime] gather: Gather,
    #[comptime] tile: Tile,
    #[comptime] has_bias: bool,
) {
    let [_, _, channels] = comptime!(gather.source());
    let [target_height, target_width, columns] = comptime!(gather.target());
    let (m, n) = comptime!((tile.m() as u32, tile.n() as u32));
    let (student, number, pixels) = tile_of_workgroup(students, batch, tiles, gather);
    let (first_row, first_image) = (number * m * 4, student * batch);
    let first_column = CUBE_POS_X * n;
    let unit = UNIT_POS;
    let (row, column) = (unit / comptime!(tile.across as u32), unit % comptime!(tile.across as u32));

    let mut left = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * (tile.m() + tile.pad())));
    let mut right = Shared::<[Vec4]>::new_slice(comptime!(tile.depth * 4 * tile.n()));
    let mut sums = Array::<Vec4>::new(comptime!(tile.rows * 4 * tile.columns));
    clear(&mut sums, tile);

    // Each invocation gathers squares of four pixels by four channels and turns them, so that both panels are `[K][..]`.
    // Neighbours take neighbouring channels, so that together they read whole lines of memory. The windows of an invocation's
    // pixels are found once.
    let squares = comptime!(tile.depth * tile.m());
    let turns = comptime!(squares.div_ceil(tile.units()));
    let mut places = Array::<u32>::new(comptime!(turns * 4));
    let mut beyond = Array::<u32>::new(comptime!(turns * 4));
    #[unroll]
    for turn in 0..turns {
        let group = (unit + comptime!((turn * tile.units()) as u32)) / comptime!(tile.depth as u32);
        #[unroll]
        for i in 0..4usize {
            let pixel = first_row + group * 4 + comptime!(i as u32);
            let (place, taps) = window(pixel, pixels, first_image, batch, gather);
            places[comptime!(turn * 4 + i)] = place + unit % comptime!(tile.depth as u32);
            beyond[comptime!(turn * 4 + i)] = taps;
        }
    }
    let runs = comptime!((channels / tile.depth) as u32);
    let last_row = select(first_row + m * 4 < pixels, first_row + m * 4, pixels);
    let taps = taps_of_pixels(first_row, last_row, batch, gather);
    let taps_across = taps.right - taps.left;
    // One loop of taps, and one of channels in which nothing is divided. Not one of rows of taps, too: SwiftShader takes longer with
    // every loop around a barrier.
    for place in 0..(taps.bottom - taps.top) * taps_across {
        // There may be none, and compilers refuse to divide by a zero that they know.
        let across = taps_across.max(1u32);
        let (tap_y, tap_x) = (taps.top + place / across, taps.left + place % across);
        let spread = comptime!(gather.spread() as u32);
        let kernel_y = tap_y * spread + comptime!(gather.first_tap(0) as u32);
        let kernel_x = tap_x * spread + comptime!(gather.first_tap(1) as u32);
        let tap = kernel_y * comptime!(gather.shape.kernel as u32) + kernel_x;
        for run in 0..runs {
            let (offset, bits) = tap_of_window(tap_y, tap_x, run * comptime!(tile.depth as u32), gather);
            // Where the weights of this tap and run begin.
            let first_weight = (student * comptime!((gather.shape.taps() * channels * 4) as u32))
                + (tap * runs + run) * comptime!((tile.depth * 4) as u32);
            #[unroll]
            for turn in 0..turns {
                let square = unit + comptime!((turn * tile.units()) as u32);
                if comptime!(squares.is_multiple_of(tile.units())) || square < comptime!(squares as u32) {
                    let (group, k) =
                        (square / comptime!(tile.depth as u32), square % comptime!(tile.depth as u32));
                    let pitch = comptime!((tile.m() + tile.pad()) as u32);
                    let mut values = Array::<Vec4>::new(4usize);
                    #[unroll]
                    for i in 0..4usize {
                        let known = comptime!(turn * 4 + i);
                        let inside = beyond[known] & bits == 0;
                        let value = vector_of(
                            source,
                            select(inside, places[known] + offset, 0u32),
                            comptime!(gather.source_channels()),
                        );
                        values[i] = select(inside, value, Vec4::new(0.0));
                    }
                    #[unroll]
                    for lane in 0..4usize {
                        let mut turned = Vec4::new(values[0].extract(lane));
                        #[unroll]
                        for i in 1..4usize {
                            turned.insert(i, values[i].extract(lane));
                        }
                        left[((k * 4 + comptime!(lane as u32)) * pitch + group) as usize] = turned;
                    }
                }
            }
            load_weights(weights, &mut right, first_weight, first_column, columns, tile);
            sync_cube();
            accumulate(&left, &right, &mut sums, row, column, comptime!(tile.pad()), tile);
            sync_cube();
        }
    }

    #[unroll]
    for i in 0..tile.rows {
        #[unroll]
        for lane in 0..4usize {
            let group = row + comptime!((i * tile.down) as u32);
            let pixel = first_row + group * 4 + comptime!(lane as u32);
            let (image, row, column_of) = place_of(pixel, batch, gather);
            let y = row * comptime!(gather.spread() as u32) + comptime!(gather.phase[0] as u32);
            let x = column_of * comptime!(gather.spread() as u32) + comptime!(gather.phase[1] as u32);
            let to = ((first_image + image) * comptime!(target_height as u32) + y)
                * comptime!(target_width as u32)
                + x;
            #[unroll]
            for j in 0..tile.columns {
                let vector = first_column + column + comptime!((j * tile.across) as u32);
                if pixel < pixels && vector < comptime!(columns as u32) {
                    let mut value = sums[comptime!((i * 4 + lane) * tile.columns + j)];
                    if has_bias {
                        value += vector_of(
                            bias,
                            student * comptime!(columns as u32) + vector,
                            comptime!(gather.target_channels()),
                        );
                    }
                    put_vector(
                        output,
                        to * comptime!(columns as u32) + vector,
                        value,
                        comptime!(gather.target_channels()),
                    );
                }
            }
        }
    }
}
