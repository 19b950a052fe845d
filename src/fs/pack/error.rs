//! Reasons for which packing ended.

use crate::fault::{Fault, Faulty};
use crate::fs::{FolderError, OutputError, SourceError};
use crate::pipeline::PipelineError;
use crate::run::{RunError, ShareError, StorageError};

/// Reason why nothing was packed, or what was packed is not as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The images cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Shards cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The output cannot be used.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A file could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A file could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The run was stopped.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The result cannot be put into words.
    #[error("the result cannot be written: {0}")]
    Text(String),
    /// What was packed has changed, or is not whole.
    #[error("'{place}': {why}; remove it and its table in index/, and pack again with the same command")]
    Changed {
        /// The file.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// Shares that are no whole.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// A folder that is no finished share of a pack.
    #[error(
        "'{place}' holds no finished shard of a pack: give the command that began it, with its `shard`, once more"
    )]
    NoPart {
        /// The folder.
        place: String,
    },
    /// A folder in which nothing was packed to its end.
    #[error(
        "'{place}' holds no finished pack, as it has no _info.json: give the command that began it once more"
    )]
    Unfinished {
        /// The folder.
        place: String,
    },
}

impl PackError {
    pub(super) fn json(why: serde_json::Error) -> Self {
        Self::Text(why.to_string())
    }
}

impl Faulty for PackError {
    fn fault(&self) -> Fault {
        match self {
            Self::Folder(error) => error.fault(),
            Self::Source(error) => error.fault(),
            Self::Pipeline(error) => error.fault(),
            Self::Output(error) => error.fault(),
            Self::Storage(error) => error.fault(),
            Self::Run(error) => error.fault(),
            Self::Share(error) => error.fault(),
            Self::Text(_) => Fault::Run,
            Self::NoPart { .. } | Self::Changed { .. } | Self::Unfinished { .. } => Fault::Data,
        }
    }
}
