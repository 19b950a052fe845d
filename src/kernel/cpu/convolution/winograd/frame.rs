//! A correlation cut into squares, and how their numbers lie at the points.

use super::super::super::shared::Shared;
use super::super::super::tile::Pixel;
use super::super::super::transform::Squares;
use super::super::geometry::{Chunk, Correlation, chunks};

/// Outputs along a side of a square.
pub(super) const SIDE: usize = 4;
/// Points along an axis, which is also the pixels that a square of outputs depends on.
pub(super) const AXIS: usize = 6;
/// Points of a square.
pub(super) const POINTS: usize = AXIS * AXIS;
/// Floats between the end of one point's numbers and the next point's: a cache line, without which
/// the 36 places that a square is written to would often share one set of the first-level cache.
const GAP: usize = 16;
/// The fewest channels, on either side, for which the maps cost less than they save.
const CHANNELS: usize = 16;

/// A correlation whose outputs are computed in squares.
pub(in super::super) struct Winograd {
    pub(super) correlation: Correlation,
    /// The correlation with whole squares of outputs.
    pub(super) frame: Correlation,
    /// Rows and columns of squares.
    pub(super) squares: [usize; 2],
}

impl Winograd {
    /// The squares of a correlation that this file's method can compute and that it pays for.
    pub(in super::super) fn of(correlation: &Correlation) -> Option<Self> {
        let Correlation { window, stride, step, channels, columns, count, .. } = *correlation;
        let squares = count.map(|count| count.div_ceil(SIDE));
        // Less than half of the outputs of squares exist in images of 2×2 and 5×5.
        let exist = 2 * count[0] * count[1] >= SIDE * SIDE * squares[0] * squares[1];
        let fits = window == [3, 3] && stride == 1 && step == 1;
        (fits && exist && channels.min(columns) >= CHANNELS).then(|| Self {
            correlation: *correlation,
            frame: Correlation { count: squares.map(|squares| squares * SIDE), ..*correlation },
            squares,
        })
    }

    /// Cuts the batch into rows of squares, of about so many floats at `square` a square.
    pub(super) fn cut(&self, square: usize, cached: usize, least: usize) -> Vec<Chunk> {
        let [rows, columns] = self.squares;
        chunks(self.frame.batch, rows, (columns, least), (columns * square, cached))
    }

    /// The rows of pixels of some rows of squares, past the end of the image too.
    fn frame_rows(chunk: &Chunk) -> Chunk {
        Chunk { row: chunk.row * SIDE, rows: chunk.rows * SIDE, ..*chunk }
    }

    /// The rows of outputs of some rows of squares.
    pub(super) fn existing(&self, chunk: &Chunk) -> Chunk {
        let row = chunk.row * SIDE;
        Chunk { row, rows: (chunk.rows * SIDE).min(self.correlation.count[0] - row), ..*chunk }
    }

    /// Squares of a chunk.
    pub(super) fn squares_of(&self, chunk: &Chunk) -> usize {
        chunk.images * chunk.rows * self.squares[1]
    }

    /// Maps the squares of a chunk of a frame's source to points, to the places from `first` of a layout. `border` is
    /// [`Winograd::border_len`] long.
    pub(super) fn spread(
        &self,
        map: unsafe fn(&Squares),
        frame: &Correlation,
        (source, chunk): (&[f32], &Chunk),
        border: &mut [f32],
        layout: Layout,
        (to, first): (Shared<'_, f32>, usize),
    ) {
        let pixels = Self::frame_rows(chunk);
        let [_, columns] = frame.bordered(&pixels);
        let channels = frame.channels;
        let (from, image) = if has_no_border(frame) {
            let [height, width] = frame.source;
            let start = (chunk.image * height + pixels.row) * width * channels;
            (&source[start..], height * width * channels)
        } else {
            frame.border(source, &pixels, border);
            (&*border, frame.bordered_len(&pixels) / chunk.images)
        };
        for row in 0..chunk.images * chunk.rows {
            let start = row / chunk.rows * image + row % chunk.rows * SIDE * columns * channels;
            let square = first + row * self.squares[1];
            for (panel, channel) in (0..channels).step_by(layout.width).enumerate() {
                // SAFETY: a row of squares of the source with its border; places in the layout that
                // are this chunk's.
                unsafe {
                    map(&Squares {
                        squares: self.squares[1],
                        channels: layout.width.min(channels - channel),
                        from: from[start + channel..].as_ptr(),
                        from_step: [SIDE * channels, columns * channels, channels],
                        to: to.at(panel * layout.panel() + square * layout.width),
                        to_step: [layout.width, AXIS * layout.point(), layout.point()],
                        exist: [usize::MAX; 2],
                        bias: core::ptr::null(),
                    });
                }
            }
        }
    }

    /// Floats of memory that [`Winograd::spread`] takes for a chunk.
    pub(super) fn border_len(frame: &Correlation, chunk: &Chunk) -> usize {
        if has_no_border(frame) { 0 } else { frame.bordered_len(&Self::frame_rows(chunk)) }
    }
}

/// `true` where the squares of a frame's source can be read in place, without a border around them.
fn has_no_border(frame: &Correlation) -> bool {
    frame.window == [1, 1] && frame.source == frame.count
}

/// Numbers at the points of squares, in panels of channels: `[panels, POINTS, squares, width]`, with gaps between points.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) squares: usize,
    pub(super) width: usize,
}

impl Layout {
    /// Floats from one point to the next.
    pub(super) fn point(self) -> usize {
        self.squares * self.width + GAP
    }

    /// Floats of a panel.
    pub(super) fn panel(self) -> usize {
        POINTS * self.point()
    }

    /// The squares of a panel as the tiles take them: read at their places, written to the same.
    pub(super) fn pixels(self, to: &mut Vec<Pixel>) {
        to.clear();
        to.extend(
            (0..self.squares * self.width)
                .step_by(self.width)
                .map(|at| Pixel { input: at as u32, output: at as u32 }),
        );
    }
}
