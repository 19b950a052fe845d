//! Problems with a user's data.

use crate::fault::{Fault, Faulty, too_many_open};

/// A problem with the data a user gave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Pixels that do not have the shape they should have.
    #[error("{bytes} bytes are not an RGB image of {width}x{height} pixels")]
    Shape {
        /// Expected width in pixels.
        width: u32,
        /// Expected height in pixels.
        height: u32,
        /// Number of bytes given.
        bytes: usize,
    },
    /// No file lies in a class folder.
    #[error(
        "no class found among {files} files: images belong in <class>/ folders, or in train/<class>/ \
         and val/<class>/"
    )]
    NoClass {
        /// Number of files looked at.
        files: usize,
    },
    /// A single class; at least two are needed.
    #[error(
        "'{class}' is the only class{}: at least two are needed; give the folder that holds the class \
         folders",
        if empty.is_empty() { String::new() } else { format!(" ({} without any image)", quoted(empty)) }
    )]
    SingleClass {
        /// Name of the class.
        class: String,
        /// Folders beside it that hold no image.
        empty: Vec<String>,
    },
    /// Images that are not sorted into classes.
    #[error(
        "{} hold images that are not sorted into classes: images belong in <class>/ folders, or in train/<class>/ and \
         val/<class>/",
        quoted(folders)
    )]
    Unsorted {
        /// The folders with images.
        folders: Vec<String>,
    },
    /// A tree that can be read in two ways.
    #[error("{tree}: either {one}; or {other}")]
    TwoReadings {
        /// What is seen of it.
        tree: String,
        /// The one reading, and what to do.
        one: String,
        /// The other, and what to do.
        other: String,
    },
    /// Folders named after splits, without the class folders of a split.
    #[error(
        "{} look like splits, but there is no train/ with class folders in it: arrange the images as \
         train/<class>/ and, if there is a validation set, val/<class>/",
        quoted(folders)
    )]
    NoTrain {
        /// The folders named after splits.
        folders: Vec<String>,
    },
    /// Both readings of the tree are possible.
    #[error(
        "{train}/ holds class folders, but {} beside it hold images as a class would: either they are classes as well: move \
         them into {train}/; or they are not meant: move them out of the data folder; or '{train}' is a class itself: put its \
         images directly into it",
        quoted(folders)
    )]
    AmbiguousLayout {
        /// The training split.
        train: String,
        /// The folders beside it.
        folders: Vec<String>,
    },
    /// Validation images that are not sorted into classes.
    #[error(
        "{folder}/ holds {images} images but no class folders: sort them into {folder}/<class>/, or move {folder}/ out \
         of the data folder to hold images to learn from out instead"
    )]
    FlatVal {
        /// The validation split.
        folder: String,
        /// Number of its images.
        images: usize,
    },
    /// The validation set knows a class that cannot be learned.
    #[error(
        "val/ holds {}, which train/ lacks: the two must name their classes alike; rename or remove them",
        quoted(classes)
    )]
    ValClassUnknown {
        /// Classes of `val` without a counterpart in `train`.
        classes: Vec<String>,
    },
    /// The classes are not those of an earlier stage.
    #[error(
        "the classes are not those of the earlier stage{}{}: labels would be mixed up; use the same data \
         folder for every stage, or run the earlier stage again",
        named("missing", missing),
        named("new", added)
    )]
    ClassesDiffer {
        /// Classes of the earlier stage that are gone.
        missing: Vec<String>,
        /// Classes the earlier stage did not have.
        added: Vec<String>,
    },
    /// A class list whose order does not give the numbers that were meant.
    #[error(
        "the class list has '{second}' after '{first}': classes are listed once each in the byte order of \
         their names, because their place is their number"
    )]
    ClassOrder {
        /// The name that comes first in the list.
        first: String,
        /// The name that follows it and should not.
        second: String,
    },
    /// A file that cannot be used, where that is not tolerated.
    #[error("'{path}' cannot be used: {reason}; repair or remove it, or pass `on-error` skip")]
    File {
        /// Path relative to the data folder.
        path: String,
        /// Problem with it.
        reason: String,
    },
    /// A file that is no longer what it was when the run began.
    #[error(
        "'{path}' was changed while it was used: everything so far is about the file as it was; restore it and give the same \
         command again, or start the run anew"
    )]
    Changed {
        /// Path relative to the data folder.
        path: String,
    },
    /// A file that was read when the run began and cannot be read again.
    #[error(
        "'{path}' was read before and cannot be read again: {why}; {} and give the same command again",
        if too_many_open(why) { "allow more open files (ulimit -n), or lower `threads`," } else { "restore it" }
    )]
    Lost {
        /// Path relative to the data folder.
        path: String,
        /// The file system's reason.
        why: std::io::Error,
    },
}

/// Names for a message: each quoted, the first few of many.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("'{name}'")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A part of a message that is there only if there are names for it.
fn named(what: &str, names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; {what}: {}", quoted(names)) }
}

impl Faulty for DataError {
    fn fault(&self) -> Fault {
        match self {
            // What the data's owner can mend; anything else is the machine's.
            Self::Lost { why, .. } => match why.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::NotFound => Fault::Data,
                _ => Fault::Run,
            },
            _ => Fault::Data,
        }
    }
}
