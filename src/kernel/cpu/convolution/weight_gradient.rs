//! The gradient of the weights: for every tap, the product of the input there with the gradient of the values,
//! summed over all pixels.
//!
//! A tile is a few input channels at one tap (rows) by a panel of output channels. With few channels it may reach over
//! the taps of a kernel row, which lie side by side in the bordered images. With many, a pixel's channels
//! are spread over so many cache lines that the images are brought into blocks of as many channels as a
//! tile has rows, and the gradients into panels.

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::scratch::with_scratch;
use super::super::shared::Shared;
use super::super::tile::{Outer, Pixel};
use super::geometry::{Chunk, Correlation};
use super::pack::unpack;
use super::shape::Convolution;
use super::winograd::{self, Winograd};
use crate::parallel::for_each;

/// Pixels whose inputs and gradients are used for all tiles before the next ones: what fits the first-level cache.
const BLOCK: usize = 128;
/// The same where images and gradients are in blocks.
const BLOCK_OF_BLOCKS: usize = 256;
/// Partial sums of the whole gradient that are kept at once, each for its own share of the images.
const SHARES: usize = 8;
/// The same where the gradients of values are made on the way, which is most of the work.
const SHARES_OF_IMAGES: usize = 16;
/// Pieces that the rows of a large gradient are cut into.
const ROW_PIECES: usize = 32;
/// The most floats of bordered images in a chunk when all pieces read all chunks.
const WHOLE: usize = 1 << 24;

/// `gradient = d loss / d weights`, from the images and the gradient of the values.
pub(crate) fn weight_gradient(
    kernels: &Kernels,
    shape: &Convolution,
    images: &[f32],
    values: &[f32],
    gradient: &mut [f32],
) {
    shape.check(images.len(), values.len(), gradient.len());
    let places: Vec<usize> = (0..shape.kernel * shape.kernel).collect();
    let order = shape.order(&places);
    if let Some(winograd) = Winograd::of(&shape.correlation()) {
        winograd::weight_gradient(kernels, &winograd, &order, (images, values), gradient);
        return;
    }
    let sums = Work::new(kernels, shape).run(images, values);
    unpack(kernels.panel, &order, &sums, gradient);
}

/// The same of a gradient that is made image by image and not kept: `of_values` writes that of an image of this number.
/// Not in squares.
pub(crate) fn weight_gradient_by_image(
    kernels: &Kernels,
    shape: &Convolution,
    images: &[f32],
    of_values: impl Fn(usize, &mut [f32]) + Sync,
    gradient: &mut [f32],
) {
    shape.check(images.len(), shape.output_len(), gradient.len());
    let places: Vec<usize> = (0..shape.kernel * shape.kernel).collect();
    let order = shape.order(&places);
    let one = Convolution { batch: 1, ..*shape };
    let work = Work::of(kernels, &one, true);
    let shares = SHARES_OF_IMAGES.min(shape.batch);
    let mut sums = Buffer::new(shares * work.packed_len());
    sums.fill(0.0);
    work.run_shares(shares, &mut sums, |share, scratch, pixels, sums| {
        let mut values = Buffer::new(one.output_len());
        for image in share * shape.batch / shares..(share + 1) * shape.batch / shares {
            of_values(image, &mut values);
            let images = &images[image * one.input_len()..][..one.input_len()];
            for chunk in &work.chunks {
                work.add(images, &values, chunk, scratch, pixels, sums);
            }
        }
    });
    unpack(kernels.panel, &order, &sums, gradient);
}

struct Work<'a> {
    kernels: &'a Kernels,
    shape: &'a Convolution,
    windows: Correlation,
    chunks: Vec<Chunk>,
    /// Rows of the gradient as a matrix: taps times input channels.
    depth: usize,
    panels: usize,
    /// `true` where images are in blocks of channels.
    blocked: bool,
    /// `true` where every share of the images has sums of its own. Otherwise all pieces read all images, and each
    /// has its own rows of the one gradient.
    by_images: bool,
}

/// Some rows of a tile: their place in a chunk's source, their first row in the sums, and their number.
struct Tile {
    source: usize,
    row: usize,
    rows: usize,
}

impl<'a> Work<'a> {
    fn new(kernels: &'a Kernels, shape: &'a Convolution) -> Self {
        let packed = shape.output.next_multiple_of(kernels.panel) * shape.weight_len() / shape.output;
        Self::of(kernels, shape, SHARES * packed <= shape.input_len().max(shape.output_len()))
    }

    fn of(kernels: &'a Kernels, shape: &'a Convolution, by_images: bool) -> Self {
        let windows = shape.correlation();
        let channels = windows.channels;
        let depth = shape.kernel * shape.kernel * channels;
        let panels = windows.columns.div_ceil(kernels.panel);
        let mut chunks = windows.chunks();
        if !by_images {
            let one = image_rows(&windows);
            let images = (WHOLE / windows.bordered_len(&one)).clamp(1, shape.batch.max(1));
            let first = (0..shape.batch).step_by(images);
            chunks =
                first.map(|image| Chunk { image, images: images.min(shape.batch - image), ..one }).collect();
        }
        // Rows of the last block that do not exist are computed all the same: at most one in 25.
        let blocked = channels.next_multiple_of(kernels.rows) * 24 <= channels * 25;
        Self { kernels, shape, windows, chunks, depth, panels, blocked, by_images }
    }

    /// Floats of the gradient in panels.
    fn packed_len(&self) -> usize {
        self.panels * self.depth * self.kernels.panel
    }

    /// The gradient in panels, in one or several parts that are to be added up.
    fn run(&self, images: &[f32], values: &[f32]) -> Buffer {
        let shares = if self.by_images { SHARES.min(self.chunks.len()) } else { 1 };
        let mut sums = Buffer::new(shares * self.packed_len());
        sums.fill(0.0);
        if self.by_images {
            self.run_by_images(images, values, shares, &mut sums);
        } else {
            self.run_by_rows(images, values, &mut sums);
        }
        sums
    }

    fn run_by_images(&self, images: &[f32], values: &[f32], shares: usize, sums: &mut [f32]) {
        self.run_shares(shares, sums, |share, scratch, pixels, sums| {
            let mine = share * self.chunks.len() / shares..(share + 1) * self.chunks.len() / shares;
            for chunk in &self.chunks[mine] {
                self.add(images, values, chunk, scratch, pixels, sums);
            }
        });
    }

    /// Runs every share with what [`Work::add`] takes: memory, a list of pixels and its own sums.
    fn run_shares(
        &self,
        shares: usize,
        sums: &mut [f32],
        run: impl Fn(usize, &mut [f32], &mut Vec<Pixel>, &mut [f32]) + Sync,
    ) {
        let (len, sums) = (self.packed_len(), Shared::new(sums));
        for_each(shares, |share| {
            // SAFETY: each share has its own sums.
            let sums = unsafe { sums.slice(share * len..(share + 1) * len) };
            let most = |of: &dyn Fn(&Chunk) -> usize| self.chunks.iter().map(of).max().unwrap_or(0);
            let mut scratch = Buffer::new(most(&|chunk| self.source_len(chunk) + self.border_len(chunk)));
            let mut pixels = Vec::new();
            run(share, &mut scratch, &mut pixels, sums);
        });
    }

    /// Adds a chunk's part to the sums of a share.
    fn add(
        &self,
        images: &[f32],
        values: &[f32],
        chunk: &Chunk,
        scratch: &mut [f32],
        pixels: &mut Vec<Pixel>,
        sums: &mut [f32],
    ) {
        let (source, border) = scratch.split_at_mut(self.source_len(chunk));
        self.prepare(images, values, chunk, source, border);
        self.accumulate(values, chunk, source, pixels, 0..self.tiles(), sums.as_mut_ptr());
    }

    fn run_by_rows(&self, images: &[f32], values: &[f32], sums: &mut [f32]) {
        let sums = Shared::new(sums);
        for chunk in &self.chunks {
            let mut source = Buffer::new(self.source_len(chunk));
            self.prepare_in_parallel(images, values, chunk, &mut source);
            let pieces = ROW_PIECES.min(self.tiles());
            for_each(pieces, |piece| {
                let tiles = piece * self.tiles() / pieces..(piece + 1) * self.tiles() / pieces;
                with_scratch(0, |_, pixels| {
                    self.accumulate(values, chunk, &source, pixels, tiles, sums.at(0));
                });
            });
        }
    }

    /// Tiles of rows.
    fn tiles(&self) -> usize {
        let (kernel, channels) = (self.shape.kernel, self.windows.channels);
        if self.blocked {
            kernel * kernel * channels.div_ceil(self.kernels.rows)
        } else {
            kernel * (kernel * channels).div_ceil(self.kernels.rows)
        }
    }

    fn tile(&self, tile: usize, chunk: &Chunk) -> Tile {
        let (kernel, channels, most) = (self.shape.kernel, self.windows.channels, self.kernels.rows);
        let [rows, columns] = self.windows.bordered(chunk);
        if self.blocked {
            // The taps of a block follow one another: its images stay in the cache.
            let (block, tap) = (tile / (kernel * kernel), tile % (kernel * kernel));
            let place = block * chunk.images * rows * columns + tap / kernel * columns + tap % kernel;
            let first = block * most;
            Tile { source: place * most, row: tap * channels + first, rows: most.min(channels - first) }
        } else {
            let run = kernel * channels;
            let tiles = run.div_ceil(most);
            let (row, first) = (tile / tiles, tile % tiles * most);
            Tile {
                source: row * columns * channels + first,
                row: row * run + first,
                rows: most.min(run - first),
            }
        }
    }

    /// `true` where gradients are copied into panels.
    fn copies_values(&self) -> bool {
        self.blocked || !self.shape.output.is_multiple_of(self.kernels.panel)
    }

    fn chunk_pixels(&self, chunk: &Chunk) -> usize {
        chunk.images * chunk.rows * self.windows.count[1]
    }

    /// Floats of a chunk's images and of its copied gradients.
    fn source_len(&self, chunk: &Chunk) -> usize {
        let copied = if self.copies_values() { self.panels * self.kernels.panel } else { 0 };
        self.images_len(chunk) + self.chunk_pixels(chunk) * copied
    }

    /// Floats of a chunk's images as the tiles read them; where they are not in blocks, a little past their end.
    fn images_len(&self, chunk: &Chunk) -> usize {
        let (bordered, rows) = (self.windows.bordered_len(chunk), self.kernels.rows);
        let channels = self.windows.channels;
        if self.blocked { bordered / channels * channels.next_multiple_of(rows) } else { bordered + rows }
    }

    /// Floats of memory that bringing images into blocks takes besides.
    fn border_len(&self, chunk: &Chunk) -> usize {
        if self.blocked { self.windows.bordered_len(chunk) } else { 0 }
    }

    fn prepare(&self, images: &[f32], values: &[f32], chunk: &Chunk, to: &mut [f32], border: &mut [f32]) {
        let (source, copied) = to.split_at_mut(self.images_len(chunk));
        if self.blocked {
            self.windows.border(images, chunk, border);
            let places = self.windows.bordered_len(chunk) / self.windows.channels;
            self.block(&border[..self.border_len(chunk)], Shared::new(source), 0, places);
        } else {
            self.windows.border(images, chunk, source);
            source[self.windows.bordered_len(chunk)..].fill(0.0);
        }
        if self.copies_values() {
            self.copy_values(values, chunk, Shared::new(copied), 0..self.panels);
        }
    }

    /// The same for a large chunk, image by image and panel by panel.
    fn prepare_in_parallel(&self, images: &[f32], values: &[f32], chunk: &Chunk, to: &mut [f32]) {
        let (source, copied) = to.split_at_mut(self.images_len(chunk));
        let one = |image: usize| Chunk { image: chunk.image + image, images: 1, ..*chunk };
        let len = self.windows.bordered_len(&one(0));
        source[chunk.images * len..].fill(0.0);
        let (source, copied) = (Shared::new(source), Shared::new(copied));
        for_each(chunk.images, |image| {
            if self.blocked {
                let places = len / self.windows.channels;
                with_scratch(len, |border, _| {
                    self.windows.border(images, &one(image), border);
                    self.block(border, source, image * places, chunk.images * places);
                });
            } else {
                // SAFETY: each image has its own place.
                self.windows
                    .border(images, &one(image), unsafe { source.slice(image * len..(image + 1) * len) });
            }
        });
        if self.copies_values() {
            for_each(self.panels, |panel| self.copy_values(values, chunk, copied, panel..panel + 1));
        }
    }

    /// Brings bordered images into blocks `[blocks, all, rows]`, from place `first` of `all`.
    fn block(&self, bordered: &[f32], to: Shared<'_, f32>, first: usize, all: usize) {
        let (channels, rows) = (self.windows.channels, self.kernels.rows);
        for (place, pixel) in bordered.chunks_exact(channels).enumerate() {
            for (block, values) in pixel.chunks(rows).enumerate() {
                let start = (block * all + first + place) * rows;
                // SAFETY: each image is brought by one piece of work, to its own places.
                let to = unsafe { to.slice(start..start + rows) };
                to[..values.len()].copy_from_slice(values);
                to[values.len()..].fill(0.0);
            }
        }
    }

    /// Copies gradients into panels `[panels, pixels, panel]`; columns past the last are zero.
    fn copy_values(
        &self,
        values: &[f32],
        chunk: &Chunk,
        to: Shared<'_, f32>,
        panels: core::ops::Range<usize>,
    ) {
        let (columns, width) = (self.shape.output, self.kernels.panel);
        let pixels = self.chunk_pixels(chunk);
        let values = &values[self.first_value(chunk)..];
        for panel in panels {
            // SAFETY: each panel is copied by one piece of work.
            let to = unsafe { to.slice(panel * pixels * width..(panel + 1) * pixels * width) };
            let existing = width.min(columns - panel * width);
            for (to, pixel) in to.chunks_exact_mut(width).zip(values.chunks_exact(columns)) {
                to[..existing].copy_from_slice(&pixel[panel * width..][..existing]);
                to[existing..].fill(0.0);
            }
        }
    }

    /// Where the gradients of a chunk begin.
    fn first_value(&self, chunk: &Chunk) -> usize {
        let [height, width] = self.windows.count;
        (chunk.image * height + chunk.row) * width * self.shape.output
    }

    /// Adds a chunk's part to the sums of some tiles of rows, for all panels.
    fn accumulate(
        &self,
        values: &[f32],
        chunk: &Chunk,
        source: &[f32],
        pixels: &mut Vec<Pixel>,
        tiles: core::ops::Range<usize>,
        sums: *mut f32,
    ) {
        let (kernels, count) = (self.kernels, self.chunk_pixels(chunk));
        let (gradient, pixel_stride, panel_stride) = if self.copies_values() {
            (&source[self.images_len(chunk)..], kernels.panel, count * kernels.panel)
        } else {
            (&values[self.first_value(chunk)..], self.shape.output, kernels.panel)
        };
        let add = |pixels: &[Pixel], tile: usize, panel: usize| {
            let tile = self.tile(tile, chunk);
            // SAFETY: offsets of pixels lie in the images, which are as long as the last tile reads, and in the gradients,
            // which are as wide as the panels; nobody else adds to these rows of these sums.
            unsafe {
                (kernels.outer)(&Outer {
                    pixels,
                    input: source.as_ptr().add(tile.source),
                    gradient: gradient.as_ptr().add(panel * panel_stride),
                    sums: sums.add((panel * self.depth + tile.row) * kernels.panel),
                    rows: tile.rows,
                });
            }
        };
        if !self.blocked {
            self.windows.pixels(chunk, pixels);
            place_gradients(pixels, pixel_stride);
            for pixels in pixels.chunks(BLOCK) {
                for tile in tiles.clone() {
                    (0..self.panels).for_each(|panel| add(pixels, tile, panel));
                }
            }
            return;
        }
        // Where images are mostly border, every tap has a list of its own.
        let (kernel, [rows, columns]) = (self.shape.kernel, self.windows.count);
        let taps = if self.windows.is_mostly_border() { kernel * kernel } else { 1 };
        for tap in 0..taps {
            self.windows.pixels(chunk, pixels);
            place_gradients(pixels, pixel_stride);
            for pixel in pixels.iter_mut() {
                pixel.input = pixel.input / self.windows.channels as u32 * kernels.rows as u32;
            }
            if taps > 1 {
                let (ys, xs) = (self.windows.meet(0, tap / kernel), self.windows.meet(1, tap % kernel));
                let mut place = 0..;
                pixels.retain(|_| {
                    let place = place.next().unwrap_or(0);
                    ys.contains(&(place / columns % rows)) && xs.contains(&(place % columns))
                });
            }
            let mine = tiles.clone().filter(|tile| tile % taps == tap);
            for pixels in pixels.chunks(BLOCK_OF_BLOCKS) {
                for panel in 0..self.panels {
                    mine.clone().for_each(|tile| add(pixels, tile, panel));
                }
            }
        }
    }
}

/// Writes down where the gradients of all pixels of a chunk lie: in their order.
fn place_gradients(pixels: &mut [Pixel], stride: usize) {
    for (n, pixel) in pixels.iter_mut().enumerate() {
        pixel.output = (n * stride) as u32;
    }
}

/// All rows of an image.
fn image_rows(windows: &Correlation) -> Chunk {
    Chunk { image: 0, images: 1, row: 0, rows: windows.count[0] }
}

/// Sums over all pixels of each of `channels` channels: the gradient of a bias.
pub(crate) fn channel_sums(values: &[f32], channels: usize, sums: &mut [f32]) {
    let mut double = vec![0.0f64; channels];
    for pixel in values.chunks_exact(channels) {
        for (sum, &value) in double.iter_mut().zip(pixel) {
            *sum += f64::from(value);
        }
    }
    for (to, sum) in sums.iter_mut().zip(double) {
        *to = sum as f32;
    }
}
