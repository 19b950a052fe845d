//! A plan says how one training view is cut; executing it is another matter, so that a CPU, a GPU, the
//! page and tests can all run, or draw, the same plan.

use crate::combine::Rect;

/// How one training view is made from one stored image of `side` × `side` pixels.
///
/// Order of execution: patch shuffle, crop, antialiased bilinear resize to `side` × `side`, flip,
/// normalise, cutout, mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Which image of the set.
    pub image: u32,
    /// RDED's `ShufflePatches`: strip `i` of the shuffled image is strip `columns[i]` (then row
    /// `rows[i]`) of the stored one. `None` leaves the image as it is.
    pub shuffle: Option<PatchOrder>,
    /// The crop, in pixels of the (shuffled) image.
    pub crop: Rect,
    /// Mirror left and right after the resize.
    pub flip: bool,
    /// A box of the finished view that is set to 0 after normalisation (the mean colour).
    pub cutout: Option<Rect>,
    /// What is mixed into the finished view.
    pub mix: Option<Mix>,
}

/// The order of column strips and row strips of a shuffled composite; entries past the grid's size are
/// unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchOrder {
    /// Source strip of each column strip.
    pub columns: [u8; 8],
    /// Source strip of each row strip.
    pub rows: [u8; 8],
}

/// Another view of the same batch mixed into this one; the loss is
/// `lambda * CE(own label) + (1 - lambda) * CE(other's label)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Place of the other view in the batch. What is mixed in is that view before its own mixing.
    pub other: u32,
    /// Weight of this view's own label, in `[0, 1]`. For CutMix exactly the share of pixels kept.
    pub lambda: f32,
    /// CutMix: the box that is replaced. `None` is Mixup: all pixels blended by `lambda`.
    pub region: Option<Rect>,
}
