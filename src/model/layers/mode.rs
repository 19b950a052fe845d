//! What a pass through a layer is for.

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Normalises by the statistics of the batch, each student of a stacked network by those of its own images.
    Train { students: usize },
    /// Normalises by the running statistics.
    Eval,
    /// Normalises by the statistics of the batch, and leaves the running ones as they are.
    Adapted,
}

impl Mode {
    /// Students of a stacked network.
    pub(super) fn students(self) -> usize {
        match self {
            Self::Train { students } => students,
            Self::Eval | Self::Adapted => 1,
        }
    }
}
