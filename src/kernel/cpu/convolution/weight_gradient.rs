//! The gradient of the weights: for every tap, the product of the input there with the gradient of the values,
//! summed over all pixels.

use super::super::buffer::Buffer;
use super::super::isa::Kernels;
use super::super::scratch::with_scratch;
use super::super::threads::{Shared, for_each};
use super::super::tile::{Outer, Pixel};
use super::Convolution;
use super::correlate::{Chunk, Correlation};

/// Pixels whose inputs and gradients are used for all tiles before the next ones.
const BLOCK: usize = 128;
/// Partial sums of the whole gradient that are kept at once, each for its own share of the images.
const SHARES: usize = 8;
/// Pieces that the rows of a large gradient are cut into.
const ROW_PIECES: usize = 32;

/// `gradient = d loss / d weights`, from the images and the gradient of the values.
pub(crate) fn weight_gradient(
    kernels: &Kernels,
    shape: &Convolution,
    images: &[f32],
    values: &[f32],
    gradient: &mut [f32],
) {
    shape.check(images.len(), values.len(), gradient.len());
    for group in 0..shape.groups {
        Work::new(kernels, shape, group).run(images, values, gradient);
    }
}

struct Work<'a> {
    kernels: &'a Kernels,
    shape: &'a Convolution,
    windows: Correlation,
    chunks: Vec<Chunk>,
    /// Rows of the gradient as a matrix: taps times input channels.
    depth: usize,
    panels: usize,
    /// Tiles of rows along one run.
    tiles: usize,
}

impl<'a> Work<'a> {
    fn new(kernels: &'a Kernels, shape: &'a Convolution, group: usize) -> Self {
        let windows = shape.windows(group);
        let run = shape.kernel * windows.channels[1];
        Self {
            kernels,
            shape,
            windows,
            chunks: windows.chunks(),
            depth: shape.kernel * run,
            panels: windows.columns[1].div_ceil(kernels.panel),
            tiles: run.div_ceil(kernels.rows),
        }
    }

    /// Floats of the gradient in panels.
    fn packed_len(&self) -> usize {
        self.panels * self.depth * self.kernels.panel
    }

    fn run(&self, images: &[f32], values: &[f32], gradient: &mut [f32]) {
        // Where the gradient is small beside the images, each share of the images has sums of its own. Where it
        // is large, all pieces read all images, and each has its own rows.
        let small = SHARES * self.packed_len() <= self.shape.input_len().max(self.shape.output_len());
        let shares = if small { SHARES.min(self.chunks.len()) } else { 1 };
        let mut sums = Buffer::new(shares * self.packed_len());
        sums.fill(0.0);
        if small {
            self.by_images(images, values, shares, &mut sums);
        } else {
            self.by_rows(images, values, &mut sums);
        }
        self.unpack(&sums, gradient);
    }

    fn by_images(&self, images: &[f32], values: &[f32], shares: usize, sums: &mut [f32]) {
        let (len, sums) = (self.packed_len(), Shared::new(sums));
        let most = self.chunks.iter().map(|chunk| self.source_len(chunk)).max().unwrap_or(0);
        for_each(shares, |share| {
            // SAFETY: each share has its own sums.
            let sums = unsafe { sums.slice(share * len..(share + 1) * len) };
            with_scratch(most, |scratch, pixels| {
                let mine = share * self.chunks.len() / shares..(share + 1) * self.chunks.len() / shares;
                for chunk in &self.chunks[mine] {
                    self.prepare(images, values, chunk, scratch);
                    self.accumulate(values, chunk, scratch, pixels, 0..self.row_tiles(), sums.as_mut_ptr());
                }
            });
        });
    }

    fn by_rows(&self, images: &[f32], values: &[f32], sums: &mut [f32]) {
        let starts: Vec<usize> = self
            .chunks
            .iter()
            .scan(0, |next, chunk| {
                let start = *next;
                *next += self.source_len(chunk);
                Some(start)
            })
            .collect();
        let mut all = Buffer::new(self.chunks.iter().map(|chunk| self.source_len(chunk)).sum());
        let sources = Shared::new(&mut all);
        for_each(self.chunks.len(), |c| {
            let chunk = &self.chunks[c];
            // SAFETY: each chunk has its own place.
            let to = unsafe { sources.slice(starts[c]..starts[c] + self.source_len(chunk)) };
            self.prepare(images, values, chunk, to);
        });
        let sums = Shared::new(sums);
        let pieces = ROW_PIECES.min(self.row_tiles());
        for_each(pieces, |piece| {
            let tiles = piece * self.row_tiles() / pieces..(piece + 1) * self.row_tiles() / pieces;
            with_scratch(0, |_, pixels| {
                for (chunk, &start) in self.chunks.iter().zip(&starts) {
                    let source = &all[start..start + self.source_len(chunk)];
                    self.accumulate(values, chunk, source, pixels, tiles.clone(), sums.at(0));
                }
            });
        });
    }

    fn row_tiles(&self) -> usize {
        self.shape.kernel * self.tiles
    }

    /// Whether gradients are copied into rows as wide as the panels.
    fn copies_values(&self) -> bool {
        !self.shape.output.is_multiple_of(self.kernels.panel) || self.shape.groups > 1
    }

    fn chunk_pixels(&self, chunk: &Chunk) -> usize {
        chunk.images * chunk.rows * self.windows.count[1]
    }

    /// Floats of a chunk's bordered images, read a little past their end, and of its copied gradients.
    fn source_len(&self, chunk: &Chunk) -> usize {
        let copied = if self.copies_values() { self.panels * self.kernels.panel } else { 0 };
        self.images_len(chunk) + self.chunk_pixels(chunk) * copied
    }

    fn images_len(&self, chunk: &Chunk) -> usize {
        self.windows.bordered_len(chunk) + self.kernels.rows
    }

    fn prepare(&self, images: &[f32], values: &[f32], chunk: &Chunk, to: &mut [f32]) {
        let (bordered, copied) = to.split_at_mut(self.images_len(chunk));
        self.windows.border(images, chunk, bordered);
        bordered[self.windows.bordered_len(chunk)..].fill(0.0);
        if self.copies_values() {
            let [first, columns] = self.windows.columns;
            let start = self.first_value(chunk);
            let pixels = values[start..].chunks_exact(self.shape.output).take(self.chunk_pixels(chunk));
            for (to, pixel) in copied.chunks_exact_mut(self.panels * self.kernels.panel).zip(pixels) {
                to[..columns].copy_from_slice(&pixel[first..first + columns]);
                to[columns..].fill(0.0);
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
        let kernels = self.kernels;
        let (gradient, stride) = if self.copies_values() {
            (&source[self.images_len(chunk)..], self.panels * kernels.panel)
        } else {
            (&values[self.first_value(chunk)..], self.shape.output)
        };
        self.windows.pixels(chunk, pixels);
        for (p, pixel) in pixels.iter_mut().enumerate() {
            pixel.output = (p * stride) as u32;
        }
        let run = self.shape.kernel * self.windows.channels[1];
        let row_floats = self.windows.bordered(chunk)[1] * self.windows.channels[1];
        for pixels in pixels.chunks(BLOCK) {
            for tile in tiles.clone() {
                let (kernel_row, first) = (tile / self.tiles, tile % self.tiles * kernels.rows);
                for panel in 0..self.panels {
                    let row = panel * self.depth + kernel_row * run + first;
                    // SAFETY: offsets of pixels lie in the bordered images, which are longer by a tile; the
                    // gradients are as wide as the panels; nobody else adds to these rows of these sums.
                    unsafe {
                        (kernels.outer)(&Outer {
                            pixels,
                            input: source.as_ptr().add(kernel_row * row_floats + first),
                            gradient: gradient.as_ptr().add(panel * kernels.panel),
                            sums: sums.add(row * kernels.panel),
                            rows: kernels.rows.min(run - first),
                        });
                    }
                }
            }
        }
    }

    /// Adds the shares in their order and brings the sums into the order of the weights.
    fn unpack(&self, sums: &[f32], gradient: &mut [f32]) {
        let (panel, depth) = (self.kernels.panel, self.depth);
        let (input, taps) = (self.windows.channels[1], self.shape.kernel * self.shape.kernel);
        let [first, columns] = self.windows.columns;
        let gradient = Shared::new(gradient);
        for_each(columns, |n| {
            // SAFETY: each output channel has its own weights.
            let to = unsafe { gradient.slice((first + n) * depth..(first + n + 1) * depth) };
            let column = n / panel * depth * panel + n % panel;
            for k in 0..depth {
                let all = sums.chunks_exact(self.packed_len());
                to[k % input * taps + k / input] = all.map(|sums| sums[column + k * panel]).sum();
            }
        });
    }
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
