//! A request that cannot be carried out.

use crate::fault::{Fault, Faulty};
use crate::run::{RunError, StorageError};

/// Reason why a request gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The request is invalid.
    #[error("{0}")]
    Usage(String),
    /// The images, or files of an earlier run, are not what they should be.
    #[error("{0}")]
    Input(String),
    /// The output already holds something else.
    #[error("`out` {place}: {why}; name another folder, or replace this one by `force`")]
    Occupied {
        /// Place of the output.
        place: String,
        /// Description of what it holds.
        why: String,
    },
    /// The output holds files that tilepress did not write.
    #[error(
        "`out` {place}: it is not empty, and tilepress did not write {files} of it ({named}); `force` replaces only what \
         tilepress wrote, and nothing was deleted: name another folder, or move what is yours away"
    )]
    NotOurs {
        /// Place of the output.
        place: String,
        /// Number of these files, in words.
        files: String,
        /// Names of the first of them.
        named: String,
    },
    /// The run ended early.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A result could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The set could not be made.
    #[error(transparent)]
    Set(#[from] super::set::SetError),
    /// See [`AugmentError`](crate::augment::AugmentError).
    #[error(transparent)]
    Augment(#[from] crate::augment::AugmentError),
    /// See [`DataError`](crate::data::DataError).
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// See [`DecodeError`](crate::data::DecodeError).
    #[error(transparent)]
    Decode(#[from] crate::data::DecodeError),
    /// See [`CombineError`](crate::combine::CombineError).
    #[error(transparent)]
    Combine(#[from] crate::combine::CombineError),
    /// See [`MetadataError`](crate::combine::MetadataError).
    #[error(transparent)]
    Metadata(#[from] crate::combine::MetadataError),
    /// See [`PruneError`](crate::prune::PruneError).
    #[error(transparent)]
    Prune(#[from] crate::prune::PruneError),
    /// See [`ScoreError`](crate::score::ScoreError).
    #[error(transparent)]
    Score(#[from] crate::score::ScoreError),
    /// Shares that are no whole.
    #[error(transparent)]
    Share(#[from] crate::run::ShareError),
    /// A result could not be written down.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A table could not be written.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A text could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Faulty for PipelineError {
    fn fault(&self) -> Fault {
        match self {
            Self::Usage(_) => Fault::Usage,
            Self::Input(_) | Self::Occupied { .. } | Self::NotOurs { .. } => Fault::Data,
            Self::Run(error) => error.fault(),
            Self::Storage(error) => error.fault(),
            Self::Set(error) => error.fault(),
            Self::Augment(error) => error.fault(),
            Self::Data(error) => error.fault(),
            Self::Decode(error) => error.fault(),
            Self::Combine(error) => error.fault(),
            Self::Metadata(error) => error.fault(),
            Self::Prune(error) => error.fault(),
            Self::Score(error) => error.fault(),
            Self::Share(error) => error.fault(),
            Self::Json(_) | Self::Csv(_) | Self::Io(_) => Fault::Run,
        }
    }
}
