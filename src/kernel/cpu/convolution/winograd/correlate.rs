//! Forward passes and input gradients in squares.

use core::ops::Range;

use super::super::super::buffer::Buffer;
use super::super::super::isa::Kernels;
use super::super::super::scratch::with_scratch;
use super::super::super::shared::Shared;
use super::super::super::tile::{Multiply, Pixel};
use super::super::super::transform::Squares;
use super::super::geometry::Chunk;
use super::super::pack::Order;
use super::frame::{AXIS, Layout, POINTS, SIDE, Winograd};
use super::pack;
use crate::parallel::for_each;

/// Floats at the points of a chunk's squares: half of a second-level cache.
const CACHED: usize = 64 * 1024;
/// The fewest squares of a chunk, over which a panel of weights is used.
const LEAST: usize = 32;
/// The same where a chunk is the work of all threads.
const LEAST_TOGETHER: usize = 256;
/// Fewer chunks than these are worked on one after the other, each cut by panels.
const PIECES: usize = 8;

/// Inputs that all pieces of a call share.
struct Call<'a> {
    winograd: &'a Winograd,
    kernels: &'a Kernels,
    /// At the points, in panels.
    weights: &'a [f32],
    /// As long as all panels are wide.
    bias: &'a [f32],
    destination: Shared<'a, f32>,
}

impl Winograd {
    /// Division of the work of [`Winograd::run`]: chunks of rows of squares, and `true` where each chunk is one piece of work.
    fn plan(&self) -> (Vec<Chunk>, bool) {
        let square = POINTS * self.frame.channels;
        let chunks = self.cut(square, CACHED, LEAST);
        if chunks.len() < PIECES { (self.cut(square, CACHED, LEAST_TOGETHER), false) } else { (chunks, true) }
    }

    /// The chunks of outputs that [`Winograd::run`] computes.
    pub(in super::super) fn chunks(&self) -> Vec<Chunk> {
        self.plan().0.iter().map(|chunk| self.existing(chunk)).collect()
    }

    /// Computes all outputs. `weights` are those of `order`, `bias` is as long as all panels are wide. `done` is told,
    /// within the piece of work that computed them, which columns of which of [`Winograd::chunks`] are there, and may
    /// read them.
    pub(in super::super) fn run(
        &self,
        kernels: &Kernels,
        source: &[f32],
        (order, weights): (&Order<'_>, &[f32]),
        bias: &[f32],
        destination: Shared<'_, f32>,
        done: impl Fn(usize, Range<usize>) + Sync,
    ) {
        let mut packed = Buffer::new(pack::packed(kernels.panel, order));
        pack::pack(kernels, order, weights, &mut packed);
        let call = Call { winograd: self, kernels, weights: &packed, bias, destination };
        let panels = self.correlation.columns.div_ceil(kernels.panel);
        let layout = |chunk: &Chunk| Layout { squares: self.squares_of(chunk), width: self.frame.channels };
        let (chunks, alone) = self.plan();
        if alone {
            for_each(chunks.len(), |piece| {
                let chunk = &chunks[piece];
                let (points, border) = (layout(chunk).panel(), Self::border_len(&self.frame, chunk));
                with_scratch(points + border.max(call.products(chunk).panel()), |scratch, pixels| {
                    // The bordered source is needed no more when there are products.
                    let (points, rest) = scratch.split_at_mut(points);
                    let to = (Shared::new(points), 0);
                    self.spread(kernels.pixels, &self.frame, (source, chunk), rest, layout(chunk), to);
                    (0..panels).for_each(|panel| call.panel(chunk, panel, points, rest, pixels));
                });
                done(piece, 0..self.correlation.columns);
            });
            return;
        }
        for (place, chunk) in chunks.iter().enumerate() {
            let mut points = Buffer::new(layout(chunk).panel());
            let to = Shared::new(&mut points);
            for_each(chunk.images, |image| {
                let one = Chunk { image: chunk.image + image, images: 1, ..*chunk };
                with_scratch(Self::border_len(&self.frame, &one), |border, _| {
                    let to = (to, image * self.squares_of(&one));
                    self.spread(kernels.pixels, &self.frame, (source, &one), border, layout(chunk), to);
                });
            });
            for_each(panels, |panel| {
                with_scratch(call.products(chunk).panel(), |products, pixels| {
                    call.panel(chunk, panel, &points, products, pixels);
                });
                let columns =
                    panel * kernels.panel..self.correlation.columns.min((panel + 1) * kernels.panel);
                done(place, columns);
            });
        }
    }
}

impl Call<'_> {
    /// Products of one panel of weights with a chunk's squares.
    fn products(&self, chunk: &Chunk) -> Layout {
        Layout { squares: self.winograd.squares_of(chunk), width: self.kernels.panel }
    }

    /// Multiplies a chunk at its points with a panel of weights, and maps the products to outputs.
    fn panel(
        &self,
        chunk: &Chunk,
        panel: usize,
        points: &[f32],
        products: &mut [f32],
        pixels: &mut Vec<Pixel>,
    ) {
        let (kernels, winograd) = (self.kernels, self.winograd);
        let (channels, width) = (winograd.frame.channels, kernels.panel);
        let (source, result) =
            (Layout { squares: winograd.squares_of(chunk), width: channels }, self.products(chunk));
        pixels.clear();
        let pixel =
            |square: usize| Pixel { input: (square * channels) as u32, output: (square * width) as u32 };
        pixels.extend((0..source.squares).map(pixel));
        let weights = &self.weights[panel * POINTS * channels * width..][..POINTS * channels * width];
        let zeros = [0.0; 64];
        for point in 0..POINTS {
            // SAFETY: the layouts hold all squares at every point; a panel of weights is `channels` deep.
            unsafe {
                (kernels.multiply)(&Multiply {
                    pixels,
                    input: points[point * source.point()..].as_ptr(),
                    run_stride: 0,
                    runs: 1,
                    run: channels,
                    weights: weights[point * channels * width..].as_ptr(),
                    weight_stride: 0,
                    bias: zeros[..width].as_ptr(),
                    output: products[point * result.point()..].as_mut_ptr(),
                    columns: width,
                });
            }
        }
        let [height, columns] = winograd.correlation.destination;
        let (first, all) = (panel * width, winograd.correlation.columns);
        for row in 0..chunk.images * chunk.rows {
            let (image, y) = (chunk.image + row / chunk.rows, (chunk.row + row % chunk.rows) * SIDE);
            let place = (image * height + y) * columns * all + first;
            // SAFETY: pieces write different rows of squares or different columns of channels, and only what exists.
            unsafe {
                (kernels.outputs)(&Squares {
                    squares: winograd.squares[1],
                    channels: width.min(all - first),
                    from: products[row * winograd.squares[1] * width..].as_ptr(),
                    from_step: [width, AXIS * result.point(), result.point()],
                    to: self.destination.at(place),
                    to_step: [SIDE * all, columns * all, all],
                    exist: [winograd.correlation.count[0] - y, winograd.correlation.count[1]],
                    bias: self.bias[first..][..width].as_ptr(),
                });
            }
        }
    }
}
