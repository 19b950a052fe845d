//! The purpose of a pass through a layer.

/// Purpose of a pass, which decides the statistics that BatchNorm normalises by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Training: normalises by the statistics of the batch, each student of a stacked network by those of its own images.
    Train { students: usize },
    /// Evaluation: normalises by the running statistics.
    Eval,
    /// Evaluation by the statistics of the batch; the running ones stay as they are.
    Adapted,
}

impl Mode {
    /// Number of students in a stacked network.
    pub(super) fn students(self) -> usize {
        match self {
            Self::Train { students } => students,
            Self::Eval | Self::Adapted => 1,
        }
    }
}
