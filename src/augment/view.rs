//! The plan of one training view, kept apart from its execution, so that a CPU, a GPU, the page and tests can all run, or
//! draw, the same plan.

use crate::data::{Grid, Rect};

/// Plan of one training view of one image: of a stored square, or of an image as it was decoded (its [canvas](crate::data::Source::canvas)).
///
/// Order of execution: patch shuffle, crop, antialiased bilinear resize to the side of the view (usually
/// that of the stored image), flip, normalise, cutout, mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Index of the image in the set.
    pub image: u32,
    /// RDED's `ShufflePatches`: strip `i` of the shuffled image is strip `columns[i]` (then row
    /// `rows[i]`) of the stored one. `None` leaves the image as it is.
    pub shuffle: Option<PatchOrder>,
    /// The crop, in pixels of the (shuffled) image.
    pub crop: Rect,
    /// `true` where the view is mirrored left to right after the resize.
    pub flip: bool,
    /// A box of the finished view that is set to 0 after normalisation (the mean colour).
    pub cutout: Option<Rect>,
    /// The mixing of another view into the finished view.
    pub mix: Option<Mix>,
}

/// The order of column strips and row strips of a shuffled composite; entries past the grid's size are
/// unused. Strips keep their own widths, so uneven ones meet at other places than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchOrder {
    /// The grid whose columns and rows are shuffled.
    pub grid: Grid,
    /// Source strip of each column strip.
    pub columns: [u8; 8],
    /// Source strip of each row strip.
    pub rows: [u8; 8],
}

impl PatchOrder {
    /// The stored columns that the shuffled image shows at `from..from + len`, as runs of
    /// `(first stored column, number of columns)` from left to right, for an image of `width` pixels.
    pub fn column_runs(&self, width: u32, from: u32, len: u32) -> impl Iterator<Item = (u32, u32)> {
        let grid = self.grid;
        let strips = self.columns.into_iter().take(grid.columns() as usize).map(move |strip| {
            let tile = grid.tile_within((width, grid.rows()), u32::from(strip));
            (tile.x, tile.width)
        });
        runs(strips, from, len)
    }

    /// The stored rows that the shuffled image shows at `from..from + len`, as runs of
    /// `(first stored row, number of rows)` from top to bottom, for an image of `height` pixels.
    pub fn row_runs(&self, height: u32, from: u32, len: u32) -> impl Iterator<Item = (u32, u32)> {
        let grid = self.grid;
        let strips = self.rows.into_iter().take(grid.rows() as usize).map(move |strip| {
            let tile = grid.tile_within((grid.columns(), height), u32::from(strip) * grid.columns());
            (tile.y, tile.height)
        });
        runs(strips, from, len)
    }
}

/// The parts of consecutive strips `(source, len)` that fall on `from..from + len`.
fn runs(strips: impl Iterator<Item = (u32, u32)>, from: u32, len: u32) -> impl Iterator<Item = (u32, u32)> {
    let end = from + len;
    strips
        .scan(0, |place, (source, len)| {
            let at = *place;
            *place += len;
            Some((at, source, len))
        })
        .filter_map(move |(at, source, len)| {
            let (low, high) = (at.max(from), (at + len).min(end));
            (low < high).then(|| (source + (low - at), high - low))
        })
}

/// Another view of the same batch mixed into this one; the loss is
/// `lambda * CE(own label) + (1 - lambda) * CE(other's label)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Place of the other view in the batch. What is mixed in is that view before its own mixing.
    pub other: u32,
    /// Weight of this view's own label, in `[0, 1]`. For CutMix exactly the share of pixels kept.
    pub lambda: f32,
    /// CutMix: the box that is replaced, which may be empty. `None` is Mixup: all pixels blended by
    /// `lambda`.
    pub region: Option<Rect>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_follow_the_order_of_uneven_strips() {
        // Columns of 7 pixels in 3 strips: 0..3, 3..5, 5..7. Shuffled: 5 6 | 0 1 2 | 3 4.
        let order = PatchOrder {
            grid: "2x3".parse().expect("a valid grid"),
            columns: [2, 0, 1, 0, 0, 0, 0, 0],
            rows: [1, 0, 0, 0, 0, 0, 0, 0],
        };
        assert_eq!(order.column_runs(7, 0, 7).collect::<Vec<_>>(), [(5, 2), (0, 3), (3, 2)]);
        assert_eq!(order.column_runs(7, 1, 3).collect::<Vec<_>>(), [(6, 1), (0, 2)]);
        assert_eq!(order.column_runs(7, 3, 1).collect::<Vec<_>>(), [(1, 1)]);
        // Rows of 7 pixels in 2 strips: 0..4, 4..7. Shuffled: 4 5 6 | 0 1 2 3.
        assert_eq!(order.row_runs(7, 2, 3).collect::<Vec<_>>(), [(6, 1), (0, 2)]);
    }
}
