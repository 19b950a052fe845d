//! The gradient of the weights at the points: for every point, the product of the pixels there with the gradients there,
//! summed over all squares.

use super::super::super::buffer::Buffer;
use super::super::super::isa::Kernels;
use super::super::super::scratch::with_scratch;
use super::super::super::shared::Shared;
use super::super::super::tile::{Outer, Pixel};
use super::super::geometry::{Chunk, Correlation};
use super::super::pack::Order;
use super::frame::{Layout, POINTS, Winograd};
use super::pack;
use crate::parallel::for_each;

/// Floats at the points of a chunk's squares, pixels and gradients together.
const CACHED: usize = 128 * 1024;
/// The fewest squares of a chunk.
const LEAST: usize = 32;
/// Partial sums of the whole gradient that are kept at once, each for its own share of the images.
const SHARES: usize = 8;
/// Squares over which a tile of sums stays in registers, when all squares are there: their numbers stay in the
/// first-level cache.
const BLOCK: usize = 128;
/// The most floats at the points of a chunk when all squares are there.
const WHOLE: usize = 1 << 24;

/// Inputs that all pieces of a call share.
struct Work<'a> {
    kernels: &'a Kernels,
    winograd: &'a Winograd,
    /// The gradients as the source of squares without a border.
    gradients: Correlation,
    images: &'a [f32],
    values: &'a [f32],
}

/// `gradient = d loss / d weights`, from the images of a correlation and the gradient of its outputs.
pub(in super::super) fn weight_gradient(
    kernels: &Kernels,
    winograd: &Winograd,
    order: &Order<'_>,
    (images, values): (&[f32], &[f32]),
    gradient: &mut [f32],
) {
    let frame = &winograd.frame;
    let gradients = Correlation {
        source: frame.destination,
        channels: frame.columns,
        window: [1, 1],
        origin: [0, 0],
        ..*frame
    };
    let work = Work { kernels, winograd, gradients, images, values };
    let packed = pack::packed(kernels.panel, order);
    let gradient = Shared::new(gradient);
    let by_images = SHARES * packed <= 2 * images.len().max(values.len());
    let sums = if by_images { work.by_images(packed) } else { work.by_panels(packed) };
    pack::unpack(kernels, order, &sums, gradient);
}

impl Work<'_> {
    /// Panels of pixels' channels, and of gradients'.
    fn panels(&self) -> [usize; 2] {
        [self.winograd.frame.channels, self.gradients.channels].map(|all| all.div_ceil(self.kernels.panel))
    }

    /// Floats of a square at the points, pixels and gradients together.
    fn square(&self) -> usize {
        let [pixels, gradients] = self.panels();
        POINTS * (pixels + gradients) * self.kernels.panel
    }

    /// Sums of every share of the images: its own.
    fn by_images(&self, packed: usize) -> Buffer {
        let winograd = self.winograd;
        let chunks = winograd.cut(self.square(), CACHED, LEAST);
        let shares = SHARES.min(chunks.len());
        let mut sums = Buffer::new(shares * packed);
        let all = Shared::new(&mut sums);
        let [pixel_panels, gradient_panels] = self.panels();
        let border = |chunk: &Chunk| {
            let one = Winograd::border_len(&winograd.frame, chunk);
            one.max(Winograd::border_len(&self.gradients, chunk))
        };
        let layout =
            |chunk: &Chunk| Layout { squares: winograd.squares_of(chunk), width: self.kernels.panel };
        let most = chunks.iter().map(|chunk| layout(chunk).panel()).max().unwrap_or(0);
        let most_border = chunks.iter().map(border).max().unwrap_or(0);
        for_each(shares, |share| {
            // SAFETY: each share has its own sums.
            let sums = unsafe { all.slice(share * packed..(share + 1) * packed) };
            sums.fill(0.0);
            let mine = share * chunks.len() / shares..(share + 1) * chunks.len() / shares;
            with_scratch((pixel_panels + gradient_panels) * most + most_border, |scratch, list| {
                let (points, border) = scratch.split_at_mut((pixel_panels + gradient_panels) * most);
                for chunk in &chunks[mine] {
                    let layout = layout(chunk);
                    let (pixels, gradients) = points.split_at_mut(pixel_panels * layout.panel());
                    let to = [Shared::new(pixels), Shared::new(gradients)];
                    self.spread(chunk, border, layout, to, 0);
                    layout.pixels(list);
                    for panel in 0..gradient_panels {
                        for of in 0..pixel_panels {
                            self.add(layout, list, [pixels, gradients], [of, panel], sums.as_mut_ptr());
                        }
                    }
                }
            });
        });
        sums
    }

    /// Sums over all images in every piece of work, each for its own panels.
    fn by_panels(&self, packed: usize) -> Buffer {
        let winograd = self.winograd;
        let mut sums = Buffer::new(packed);
        sums.fill(0.0);
        let all = Shared::new(&mut sums);
        let [pixel_panels, gradient_panels] = self.panels();
        for chunk in winograd.cut(self.square(), WHOLE, 1) {
            let layout = Layout { squares: winograd.squares_of(&chunk), width: self.kernels.panel };
            let mut pixels = Buffer::new(pixel_panels * layout.panel());
            let mut gradients = Buffer::new(gradient_panels * layout.panel());
            let to = [Shared::new(&mut pixels), Shared::new(&mut gradients)];
            for_each(chunk.images, |image| {
                let one = Chunk { image: chunk.image + image, images: 1, ..chunk };
                let border = Winograd::border_len(&winograd.frame, &one);
                let border = border.max(Winograd::border_len(&self.gradients, &one));
                with_scratch(border, |border, _| {
                    self.spread(&one, border, layout, to, image * winograd.squares_of(&one));
                });
            });
            for_each(pixel_panels * gradient_panels, |piece| {
                let panels = [piece % pixel_panels, piece / pixel_panels];
                with_scratch(0, |_, list| {
                    layout.pixels(list);
                    self.add(layout, list, [&pixels, &gradients], panels, all.at(0));
                });
            });
        }
        sums
    }

    /// Maps a chunk's pixels and gradients to points, to the places from `first` of a layout.
    fn spread(
        &self,
        chunk: &Chunk,
        border: &mut [f32],
        layout: Layout,
        to: [Shared<'_, f32>; 2],
        first: usize,
    ) {
        let Work { kernels, winograd, .. } = self;
        let [pixels, gradients] = to;
        winograd.spread(
            kernels.pixels,
            &winograd.frame,
            (self.images, chunk),
            border,
            layout,
            (pixels, first),
        );
        winograd.spread(
            kernels.gradients,
            &self.gradients,
            (self.values, chunk),
            border,
            layout,
            (gradients, first),
        );
    }

    /// Adds the products of a panel of pixels with one of gradients to their sums, `[panels, POINTS, channels, panel]`.
    fn add(
        &self,
        layout: Layout,
        list: &[Pixel],
        [pixels, gradients]: [&[f32]; 2],
        [of, panel]: [usize; 2],
        sums: *mut f32,
    ) {
        let (width, rows) = (self.kernels.panel, self.kernels.even_rows);
        let channels = self.winograd.frame.channels;
        for point in 0..POINTS {
            let at = |panel: usize| panel * layout.panel() + point * layout.point();
            let (pixels, gradients) =
                (&pixels[at(of)..][..layout.point()], &gradients[at(panel)..][..layout.point()]);
            for list in list.chunks(BLOCK) {
                for row in (of * width..channels.min((of + 1) * width)).step_by(rows) {
                    // SAFETY: the layout holds these squares, with as many channels as a panel is wide, which the rows
                    // of a tile divide; the rows of the sums that exist are this piece's own.
                    unsafe {
                        (self.kernels.outer)(&Outer {
                            pixels: list,
                            input: pixels[row - of * width..].as_ptr(),
                            gradient: gradients.as_ptr(),
                            sums: sums.add(((panel * POINTS + point) * channels + row) * width),
                            rows: rows.min(channels - row),
                        });
                    }
                }
            }
        }
    }
}
