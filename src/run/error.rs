//! A run that cannot go on.

use super::storage::StorageError;
use crate::fault::{Fault, Faulty};

/// Reason why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The caller asked to stop.
    #[error("the run was stopped")]
    Stopped,
    /// A result could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file that an earlier run kept is not what it should be.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// A result could not be written down.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A saved training log, or a proxy's output, cannot be used.
    #[error(transparent)]
    Score(#[from] crate::score::ScoreError),
    /// The system gave no threads.
    #[error("threads cannot be started: {0}")]
    Threads(String),
    /// More memory than there is.
    #[error("{0}")]
    Memory(String),
    /// A device that cannot be opened, or cannot compute as asked.
    #[cfg(feature = "engine")]
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// A student that cannot be trained or measured.
    #[cfg(feature = "engine")]
    #[error(transparent)]
    Train(#[from] crate::train::TrainError),
    /// A proxy that cannot be trained.
    #[cfg(feature = "engine")]
    #[error(transparent)]
    Proxy(#[from] crate::train::ProxyError),
    /// The weights of a student cannot be read from the device.
    #[cfg(feature = "engine")]
    #[error(transparent)]
    State(#[from] crate::model::StateError),
    /// A saved training that cannot be continued.
    #[cfg(feature = "engine")]
    #[error("{file} cannot be continued; remove it to begin that training anew")]
    Checkpoint {
        /// The checkpoint.
        file: String,
        /// The reason.
        source: crate::train::ProxyError,
    },
}

impl Faulty for RunError {
    fn fault(&self) -> Fault {
        match self {
            Self::Stopped => Fault::Stopped,
            Self::Memory(_) => Fault::Usage,
            Self::Storage(error) => error.fault(),
            Self::Kept(error) => error.fault(),
            Self::Score(error) => error.fault(),
            Self::Json(_) | Self::Threads(_) => Fault::Run,
            #[cfg(feature = "engine")]
            Self::Device(error) => error.fault(),
            #[cfg(feature = "engine")]
            Self::Train(error) => error.fault(),
            #[cfg(feature = "engine")]
            Self::Proxy(error) => error.fault(),
            #[cfg(feature = "engine")]
            Self::State(error) => error.fault(),
            #[cfg(feature = "engine")]
            Self::Checkpoint { source, .. } => source.fault(),
        }
    }
}

/// A kept file that cannot be used. In all cases the file may be deleted: what it held is made again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// No seal, or one of another version.
    #[error(
        "'{file}' is no file that this version of tilepress keeps there: move it away or delete it, and what belongs there is \
         made again"
    )]
    Foreign {
        /// The file.
        file: String,
    },
    /// Bytes that are not those that were sealed.
    #[error(
        "'{file}' was changed or cut off since tilepress wrote it: delete it, and what it held is made again"
    )]
    Changed {
        /// The file.
        file: String,
    },
    /// A file under the name of another.
    #[error(
        "'{file}' was written as '{name}': give it back that name, or delete it, and what belongs there is made again"
    )]
    Swapped {
        /// The file.
        file: String,
        /// The name it was sealed with.
        name: String,
    },
    /// A file of another run.
    #[error(
        "'{file}' belongs to a run of other options or images: move it back to where it came from, or delete it, and what \
         belongs there is made again"
    )]
    OtherRun {
        /// The file.
        file: String,
    },
}

impl Faulty for KeptError {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}
