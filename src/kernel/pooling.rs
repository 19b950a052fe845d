//! The pool at the end of a block.

/// A pool of 2×2 pixels, which leaves out an odd last row or column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Pooling {
    #[default]
    None,
    Max,
    Average,
}
