//! The geometry of what a forward pass and an input gradient have in common: outputs on a grid, each the product of a
//! bordered window of the source with packed weights.

use core::ops::Range;

use super::super::tile::Pixel;

/// The most outputs of an image that are worth a list of their own each.
const SMALL: usize = 16;

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
    pub(super) fn taps(&self, axis: usize, output: usize) -> Range<usize> {
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

    /// `true` where images are so small that a quarter or more of all products are with the border. Then the outputs at one
    /// place in their images are computed together, and only from the taps that lie inside the image.
    pub(super) fn is_mostly_border(&self) -> bool {
        if self.count[0] * self.count[1] > SMALL {
            return false;
        }
        let [rows, columns] = [0, 1]
            .map(|axis| (0..self.count[axis]).map(|output| self.taps(axis, output).len()).sum::<usize>());
        let all = self.count.iter().chain(&self.window).product::<usize>();
        4 * rows * columns <= 3 * all
    }
}
