//! Reasons for which a folder cannot be listed or read.

use std::path::PathBuf;

use super::super::tree::SourceError;
use crate::data::{DataError, Problem};
use crate::fault::{Fault, Faulty, too_many_open};
use crate::pipeline::LeftOut;
use crate::report::words::bytes as in_words;

/// A folder that could not be listed, or images that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder cannot be opened.
    #[error("cannot read the folder '{}': {why}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The file system's reason.
        why: std::io::Error,
    },
    /// A file where a folder should be.
    #[error("'{}' is a file; give the folder that holds the class folders, a .tar, or an _info.json", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A share to hold out, where there are validation images.
    #[error(
        "`val-fraction` has no effect: {} has a {val}/ folder to measure on; leave the option out, or move the folder \
         away to have images held out",
        folder.display()
    )]
    ValIsThere {
        /// The folder.
        folder: PathBuf,
        /// The folder in it that holds the validation images.
        val: String,
    },
    /// Something that cannot be read although it is there: no word on whether it is an image.
    #[error("'{}' cannot be read: {why}{}", path.display(), remedy(why))]
    ReadFailed {
        /// The file or folder.
        path: PathBuf,
        /// The file system's reason.
        why: std::io::Error,
    },
    /// A link to nothing.
    #[error("'{}' is a link to '{}', which is not there; restore it, or remove the link", path.display(), to.display())]
    BrokenLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        to: PathBuf,
    },
    /// A folder whose name is not UTF-8.
    #[error("the name of the folder '{path}' is not UTF-8; rename it")]
    FolderName {
        /// Its path, escaped.
        path: String,
    },
    /// Classes none of whose training images can be read.
    #[error("{}", unreadable(classes))]
    EmptyClass {
        /// Name of each class, and its files that were left out.
        classes: Vec<(String, LeftOut)>,
        /// All files that were left out.
        problems: Vec<Problem>,
    },
    /// More images than there is memory for, even if none of their pixels are kept.
    #[error(
        "the names and hashes of {images} images take {} of memory, and {} are free; free some, or give fewer images",
        in_words(*least),
        in_words(*free)
    )]
    Memory {
        /// Number of images.
        images: usize,
        /// Bytes that they take at least.
        least: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The files are not images of classes, or one of them cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Archives or lists that cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The caller asked to stop.
    #[error("reading was stopped before all images were read")]
    Stopped,
}

impl Faulty for FolderError {
    fn fault(&self) -> Fault {
        match self {
            Self::ValIsThere { .. } => Fault::Usage,
            Self::Unreadable { .. }
            | Self::NotAFolder { .. }
            | Self::EmptyClass { .. }
            | Self::BrokenLink { .. }
            | Self::FolderName { .. } => Fault::Data,
            // What the data's owner can mend; anything else is the machine's.
            Self::ReadFailed { why, .. } => match why.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::NotFound => Fault::Data,
                _ => Fault::Run,
            },
            Self::Memory { .. } => Fault::Usage,
            Self::Data(error) => error.fault(),
            Self::Source(error) => error.fault(),
            Self::Stopped => Fault::Stopped,
        }
    }
}

impl FolderError {
    /// The files that were left out before the reading was given up, for `problems.csv`.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::EmptyClass { problems, .. } => problems,
            _ => &[],
        }
    }
}

/// What to do about an error of the file system.
fn remedy(why: &std::io::Error) -> &'static str {
    match why.kind() {
        _ if too_many_open(why) => "; allow more open files (ulimit -n), or lower `threads`",
        std::io::ErrorKind::PermissionDenied => "; allow reading it, or move it out of the folder",
        _ => "; nothing is known about what is in it, so it is not skipped",
    }
}

fn unreadable(classes: &[(String, LeftOut)]) -> String {
    const SHOWN: usize = 10;
    let one = |(class, left): &(String, LeftOut)| match left.files {
        0 => format!("class '{class}' has no image left to learn from"),
        _ => format!("class '{class}' has no training image that can be read: {left}"),
    };
    let shown: Vec<String> = classes.iter().take(SHOWN).map(one).collect();
    let more = classes.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more such classes") } else { String::new() };
    format!("{}{more}. Remove these folders or repair their files", shown.join("; "))
}
