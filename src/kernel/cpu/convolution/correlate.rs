//! What a forward pass and an input gradient have in common: outputs on a grid, each the product of a bordered
//! window of the source with packed weights.

use core::ops::Range;

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::scratch::with_scratch;
use super::super::shared::Shared;
use super::super::tile::{Multiply, Pixel};
use super::pack::{Order, pack};
use super::winograd::Winograd;
use crate::parallel::for_each;

/// Floats of a source, with its border, and of results that are worked on at a time: half of a small second-level
/// cache.
const CACHED: usize = 32 * 1024;
/// Pixels of a strip, over which a panel of weights is used before the next one takes its place.
const STRIP: usize = 96;
/// The most outputs of an image that are worth a list of their own each.
const SMALL: usize = 16;
/// Pieces of work that a call is cut into at least, if its shape allows.
const PIECES: usize = 8;

/// One image's worth of geometry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correlation {
    pub(super) batch: usize,
    /// Height and width of the source, and its channels.
    pub(super) source: [usize; 2],
    pub(super) channels: usize,
    /// Rows and columns of the window.
    pub(super) window: [usize; 2],
    /// Where the first window begins, in source rows and columns.
    pub(super) origin: [isize; 2],
    pub(super) stride: usize,
    /// Rows and columns of outputs.
    pub(super) count: [usize; 2],
    /// Height and width of the destination, and its channels: the columns of the product.
    pub(super) destination: [usize; 2],
    pub(super) columns: usize,
    /// First row and column written, and the steps to the next.
    pub(super) first: [usize; 2],
    pub(super) step: usize,
}

/// A number of images, or some rows of outputs of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) image: usize,
    pub(super) images: usize,
    pub(super) row: usize,
    pub(super) rows: usize,
}

/// Cuts a batch of images of `rows` rows of outputs into chunks of about `cached` floats at `row_floats` a row, of at
/// least so many pixels at `row_pixels` a row.
pub(super) fn chunks(
    batch: usize,
    rows: usize,
    (row_pixels, least): (usize, usize),
    (row_floats, cached): (usize, usize),
) -> Vec<Chunk> {
    let fit = (cached / row_floats.max(1)).max(least.div_ceil(row_pixels.max(1))).max(1);
    if fit >= rows {
        let images = (fit / rows.max(1)).clamp(1, batch.max(1));
        let first = (0..batch).step_by(images);
        first.map(|image| Chunk { image, images: images.min(batch - image), row: 0, rows }).collect()
    } else {
        // Bands of nearly equal height.
        let bands = rows.div_ceil(fit);
        let band = |b: usize| b * rows / bands;
        let of = |image| {
            (0..bands).map(move |b| Chunk { image, images: 1, row: band(b), rows: band(b + 1) - band(b) })
        };
        (0..batch).flat_map(of).collect()
    }
}

impl Correlation {
    /// Rows and columns of the bordered source of a chunk's image.
    pub(super) fn bordered(&self, chunk: &Chunk) -> [usize; 2] {
        [(chunk.rows - 1) * self.stride + self.window[0], (self.count[1] - 1) * self.stride + self.window[1]]
    }

    /// Floats of a chunk's bordered source.
    pub(super) fn bordered_len(&self, chunk: &Chunk) -> usize {
        let [rows, columns] = self.bordered(chunk);
        chunk.images * rows * columns * self.channels
    }

    /// The chunks of outputs that [`Correlation::run`] computes, in squares or not.
    pub(super) fn chunks(&self) -> Vec<Chunk> {
        if let Some(winograd) = Winograd::of(self) {
            return winograd.chunks();
        }
        let row_source = self.stride * (self.count[1] * self.stride + self.window[1]) * self.channels;
        let row_result = self.count[1] * self.columns;
        let row_floats = row_source.max(row_result);
        chunks(self.batch, self.count[0], (self.count[1], STRIP), (row_floats, CACHED))
    }

    /// Copies a chunk's source with its border.
    pub(super) fn border(&self, source: &[f32], chunk: &Chunk, to: &mut [f32]) {
        let ([height, width], channels) = (self.source, self.channels);
        let [rows, columns] = self.bordered(chunk);
        // Columns of the copy that exist in the source.
        let left = self.origin[1].min(0).unsigned_abs().min(columns);
        let from = self.origin[1].max(0) as usize;
        let existing = width.saturating_sub(from).min(columns - left);
        let images =
            to[..chunk.images * rows * columns * channels].chunks_exact_mut(rows * columns * channels);
        for (image, to) in images.enumerate() {
            let len = height * width * channels;
            let source = &source[(chunk.image + image) * len..][..len];
            for (r, to) in to.chunks_exact_mut(columns * channels).enumerate() {
                let row = self.origin[0] + (chunk.row * self.stride + r) as isize;
                if row < 0 || row >= height as isize || existing == 0 {
                    to.fill(0.0);
                    continue;
                }
                let (zeros, to) = to.split_at_mut(left * channels);
                let (middle, rest) = to.split_at_mut(existing * channels);
                zeros.fill(0.0);
                rest.fill(0.0);
                let start = (row as usize * width + from) * channels;
                middle.copy_from_slice(&source[start..][..existing * channels]);
            }
        }
    }

    /// Offsets of a chunk's pixels: in its bordered source, and in the destination from the chunk's first image.
    pub(super) fn pixels(&self, chunk: &Chunk, to: &mut Vec<Pixel>) {
        self.pixels_at(chunk, [0..chunk.rows, 0..self.count[1]], to);
    }

    /// The same of the pixels in some of a chunk's rows and columns.
    pub(super) fn pixels_at(&self, chunk: &Chunk, [ys, xs]: [Range<usize>; 2], to: &mut Vec<Pixel>) {
        let [rows, columns] = self.bordered(chunk);
        let (channels, [height, width]) = (self.channels, self.destination);
        to.clear();
        for image in 0..chunk.images {
            for y in ys.clone() {
                let output_row = self.first[0] + (chunk.row + y) * self.step;
                for x in xs.clone() {
                    let input = ((image * rows + y * self.stride) * columns + x * self.stride) * channels;
                    let column = self.first[1] + x * self.step;
                    let output = ((image * height + output_row) * width + column) * self.columns;
                    to.push(Pixel { input: input as u32, output: output as u32 });
                }
            }
        }
    }

    /// The taps along an axis at which an output meets the source, not its border.
    fn taps(&self, axis: usize, output: usize) -> Range<usize> {
        let first = self.origin[axis] + (output * self.stride) as isize;
        let tap = |place: isize| (place - first).clamp(0, self.window[axis] as isize) as usize;
        tap(0)..tap(self.source[axis] as isize)
    }

    /// The outputs along an axis that meet the source at a tap.
    pub(super) fn meet(&self, axis: usize, tap: usize) -> Range<usize> {
        let meets = |&output: &usize| self.taps(axis, output).contains(&tap);
        let start = (0..self.count[axis]).find(meets).unwrap_or(0);
        start..start + (0..self.count[axis]).filter(meets).count()
    }

    /// Whether images are so small that a quarter of all products or more are with the border. Then the outputs at one place
    /// in their images are computed together, and only from the taps that they meet.
    pub(super) fn is_mostly_border(&self) -> bool {
        if self.count[0] * self.count[1] > SMALL {
            return false;
        }
        let [rows, columns] = [0, 1]
            .map(|axis| (0..self.count[axis]).map(|output| self.taps(axis, output).len()).sum::<usize>());
        let all = self.count.iter().chain(&self.window).product::<usize>();
        4 * rows * columns <= 3 * all
    }

    /// Computes all outputs, in squares where that pays. The weights are those of an order, `bias` is as long as all
    /// panels are wide. `done` is told, within the piece of work that computed them, which columns of which of
    /// [`Correlation::chunks`] are there, and may read them.
    pub(super) fn run(
        &self,
        kernels: &Kernels,
        source: &[f32],
        weights: (&Order<'_>, &[f32]),
        bias: &[f32],
        destination: Shared<'_, f32>,
        done: impl Fn(usize, Range<usize>) + Sync,
    ) {
        if self.count.contains(&0) || self.batch == 0 {
            return;
        }
        if let Some(winograd) = Winograd::of(self) {
            winograd.run(kernels, source, weights, bias, destination, done);
            return;
        }
        let packed = self.packed(kernels, weights);
        let chunks = self.chunks();
        let panels = self.columns.div_ceil(kernels.panel);
        let parts = PIECES.div_ceil(chunks.len()).min(panels);
        for_each(chunks.len() * parts, |piece| {
            let (chunk, part) = (&chunks[piece / parts], piece % parts);
            let mine = part * panels / parts..(part + 1) * panels / parts;
            // SAFETY: pieces write different pixels or different columns.
            unsafe { self.compute(kernels, source, (&packed, bias), chunk, mine.clone(), destination) };
            let columns = mine.start * kernels.panel..self.columns.min(mine.end * kernels.panel);
            done(piece / parts, columns);
        });
    }

    /// Weights in panels, as [`Correlation::compute`] reads them.
    pub(super) fn packed(&self, kernels: &Kernels, (order, weights): (&Order<'_>, &[f32])) -> Buffer {
        let mut packed = Buffer::new(order.packed(kernels.panel));
        pack(kernels.panel, order, weights, &mut packed);
        packed
    }

    /// Computes some panels of columns of a chunk's outputs, not in squares.
    ///
    /// # Safety
    /// Nobody else reads or writes them meanwhile.
    pub(super) unsafe fn compute(
        &self,
        kernels: &Kernels,
        source: &[f32],
        (packed, bias): (&[f32], &[f32]),
        chunk: &Chunk,
        panels: Range<usize>,
        destination: Shared<'_, f32>,
    ) {
        let depth = self.window[0] * self.window[1] * self.channels;
        let image = self.destination[0] * self.destination[1] * self.columns;
        with_scratch(self.bordered_len(chunk), |bordered, pixels| {
            self.border(source, chunk, bordered);
            let (row, channels) = (self.bordered(chunk)[1] * self.channels, self.channels);
            let multiply = |pixels: &[Pixel], panel: usize, [rows, columns]: [Range<usize>; 2]| {
                let column = panel * kernels.panel;
                let weights = &packed[column * depth..][..depth * kernels.panel];
                let first = (rows.start * self.window[1] + columns.start) * channels * kernels.panel;
                // SAFETY: the offsets were made for this bordered source and this destination; panels are packed
                // `depth` rows deep, of which some taps' are read.
                unsafe {
                    (kernels.multiply)(&Multiply {
                        pixels,
                        input: bordered[rows.start * row + columns.start * channels..].as_ptr(),
                        run_stride: row,
                        runs: rows.len(),
                        run: columns.len() * channels,
                        weights: weights[first..].as_ptr(),
                        weight_stride: self.window[1] * channels * kernels.panel,
                        bias: bias[column..][..kernels.panel].as_ptr(),
                        output: destination.at(chunk.image * image + column),
                        columns: kernels.panel.min(self.columns - column),
                    });
                }
            };
            if self.is_mostly_border() {
                for panel in panels {
                    for place in 0..self.count[1] * chunk.rows {
                        let (y, x) = (place / self.count[1], place % self.count[1]);
                        self.pixels_at(chunk, [y..y + 1, x..x + 1], pixels);
                        multiply(pixels, panel, [self.taps(0, chunk.row + y), self.taps(1, x)]);
                    }
                }
            } else {
                self.pixels(chunk, pixels);
                for strip in pixels.chunks(STRIP) {
                    for panel in panels.clone() {
                        multiply(strip, panel, self.window.map(|taps| 0..taps));
                    }
                }
            }
        });
    }
}
