//! Reasons for which images in archives cannot be used.

use std::io;
use std::path::PathBuf;

use crate::fault::{Fault, Faulty};

/// A source of images that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing is there.
    #[error("'{}' is not there; give a folder, a .tar, a pattern such as 'train-{{000..127}}.tar', or an _info.json", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A pattern that fits no file.
    #[error("no file fits the pattern '{}'; it stands for such names as '{example}'", pattern.display())]
    NoMatch {
        /// The pattern.
        pattern: PathBuf,
        /// A name that it would fit.
        example: String,
    },
    /// Some files of a set are not there.
    #[error(
        "{missing} of {all} files are missing, the first is '{first}': fetch them again, or leave them out of `data`"
    )]
    Incomplete {
        /// Number of files that are not there.
        missing: usize,
        /// Number of all.
        all: usize,
        /// The first of those that are not there.
        first: String,
    },
    /// A file that cannot be read.
    #[error("'{}' cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
    /// A compressed archive, in which nothing can be looked up.
    #[error("'{}' is compressed with {with}, so that single images in it cannot be read: unpack it first ({command}); images hardly get smaller by it", path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The name of the compression.
        with: &'static str,
        /// A command that undoes it.
        command: String,
    },
    /// A file of a kind that holds no images of classes.
    #[error("'{}' is {what}; give the folder that holds the class folders, a .tar, or an _info.json", path.display())]
    NotASource {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// An archive that ends too early.
    #[error("'{archive}' is cut off: {what}; fetch it again")]
    Truncated {
        /// The archive.
        archive: String,
        /// What is missing.
        what: String,
    },
    /// An archive that cannot be understood.
    #[error("'{archive}' is damaged, or no tar: {why}; fetch it again")]
    Damaged {
        /// The archive.
        archive: String,
        /// The reason.
        why: String,
    },
    /// A file in an archive that is stored with holes.
    #[error(
        "'{member}' in '{archive}' is stored as a sparse file, which is not read: make the archive without -S (--sparse)"
    )]
    Sparse {
        /// The archive.
        archive: String,
        /// The file in it.
        member: String,
    },
    /// A file that is there twice.
    #[error("'{path}' is there twice, in '{one}' and in '{other}': which of the two is meant?")]
    Twice {
        /// Its path, or its key.
        path: String,
        /// The first archive.
        one: String,
        /// The other.
        other: String,
    },
    /// Archives that do not belong together.
    #[error("{0}")]
    Mixed(String),
    /// Validation images whose classes nothing tells.
    #[error(
        "nothing tells the classes of the validation images in {images}: put one of these beside it: the devkit \
         (ILSVRC2012_devkit_t12.tar.gz, or its data/ILSVRC2012_validation_ground_truth.txt and data/meta.mat), \
         LOC_val_solution.csv, or a val.txt with lines of a file name and its class"
    )]
    NoLabels {
        /// What holds the images.
        images: String,
    },
    /// A list of classes that cannot be used.
    #[error("'{}': {why}", list.display())]
    Labels {
        /// The list.
        list: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A shard, or what describes it, that cannot be used.
    #[error("'{}': {why}", shard.display())]
    Shard {
        /// The file.
        shard: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl Faulty for SourceError {
    fn fault(&self) -> Fault {
        match self {
            Self::Unreadable { why, .. } => match why.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => Fault::Data,
                _ => Fault::Run,
            },
            _ => Fault::Data,
        }
    }
}
