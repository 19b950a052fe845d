//! The outputs of a correlation: in squares where that pays, else by the tile over its bordered windows.

use core::ops::Range;

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::scratch::with_scratch;
use super::super::shared::Shared;
use super::super::tile::{Multiply, Pixel};
use super::geometry::{Chunk, Correlation, chunks};
use super::pack::{Order, pack};
use super::winograd::Winograd;
use crate::parallel::for_each;

/// Floats of a source, with its border, and of results that are worked on at a time: half of a small second-level
/// cache.
const CACHED: usize = 32 * 1024;
/// Pixels of a strip, over which a panel of weights is used before the next one takes its place.
const STRIP: usize = 96;
/// Pieces of work that a call is cut into at least, if its shape allows.
const PIECES: usize = 8;

impl Correlation {
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
