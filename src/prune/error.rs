//! Problems with a request to prune, and with a selection that is read back.

use crate::fault::{Fault, Faulty};
use crate::score::CellError;

/// A problem with a request to prune or with a selection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// A request for 0 images.
    #[error("0 images a class were asked for; give `ipc` 1 or more")]
    Nothing,
    /// Slices that do not belong to the same samples.
    #[error("{what}: {given} for {samples} images")]
    Length {
        /// Name of the slice.
        what: &'static str,
        /// Its length.
        given: usize,
        /// Number of samples.
        samples: usize,
    },
    /// A rule that needs scores was given none.
    #[error("the rule '{0}' needs scores; score the images first, or use `rule` random")]
    NoScores(&'static str),
    /// A score that is not a finite number.
    #[error("the score of {path} is {score}; score the images again")]
    Score {
        /// The image.
        path: String,
        /// Its score.
        score: f64,
    },
    /// A window that leaves nothing.
    #[error("`window-start` is {0}; give the share of each class to skip, at least 0 and less than 1")]
    WindowStart(f64),
    /// A class with fewer images than are needed.
    #[error("{}", too_small(self))]
    TooSmall {
        /// Name of the class.
        class: String,
        /// Images there are to choose from.
        has: usize,
        /// Images that are needed.
        needs: usize,
        /// Images of the class that the window skips.
        skipped: usize,
        /// Images of the class that were left out before.
        left_out: usize,
        /// Number of other classes that are too small as well.
        others: usize,
    },
    /// A selection that is not readable as CSV, or could not be written.
    #[error("the selection is not readable CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A selection without a column that it needs.
    #[error("the selection has no column 'path'; its columns are: {0}")]
    Column(String),
    /// A cell that cannot be used.
    #[error("selection, {0}")]
    Cell(#[from] CellError),
    /// Rows of images that are not there.
    #[error(
        "{missing} of {rows} images of the selection are not in the data folder, among them {}; \
         give the folder the selection was made from (`data`), whose first image is here '{ours}'",
        first.join(", ")
    )]
    Missing {
        /// Number of rows without an image.
        missing: usize,
        /// Number of rows.
        rows: usize,
        /// The first few of them, as the selection writes them.
        first: Vec<String>,
        /// The first image of the data folder.
        ours: String,
    },
    /// A row whose class is not that of the image's folder.
    #[error(
        "selection, line {line}: {path} is of class '{selection}' there and '{folder}' in the data folder"
    )]
    Class {
        /// Line of the file, from 1.
        line: u64,
        /// The image.
        path: String,
        /// Its class in the selection.
        selection: String,
        /// Its class in the data folder.
        folder: String,
    },
    /// An image that changed after it was selected.
    #[error("selection, line {line}: {path} is not the image that was selected (content hash); select again")]
    Changed {
        /// Line of the file, from 1.
        line: u64,
        /// The image.
        path: String,
    },
    /// An image selected twice.
    #[error(
        "selection, line {line}: {path} was selected in line {first} already; \
         remove one, or number the copies in a column 'repeat'"
    )]
    Twice {
        /// Line of the file, from 1.
        line: u64,
        /// The line that selected it first.
        first: u64,
        /// The image.
        path: String,
    },
    /// Classes of unequal size.
    #[error(
        "the selection holds {has} images of class '{class}' and {needs} of class '{other}'; \
         every class needs the same number"
    )]
    Unbalanced {
        /// The class with the fewest.
        class: String,
        /// Images it has.
        has: usize,
        /// The class with the most.
        other: String,
        /// Images that one has.
        needs: usize,
    },
}

fn too_small(error: &PruneError) -> String {
    let PruneError::TooSmall { class, has, needs, skipped, left_out, others } = error else {
        return String::new();
    };
    let images = |n: usize| format!("{n} image{}", if n == 1 { "" } else { "s" });
    let mut text = format!("class '{class}' has {} to choose from and needs {needs}", images(*has));
    if *skipped > 0 {
        text += &format!(" ({} skipped by `window-start`)", images(*skipped));
    }
    if *left_out > 0 {
        text += &format!(" ({} left out by `dedup`)", images(*left_out));
    }
    match others {
        0 => {}
        1 => text += "; one other class is too small as well",
        _ => text += &format!("; {others} other classes are too small as well"),
    }
    text += ". Lower `ipc`, take a smaller `grid`";
    if *has > 0 {
        text += ", or re-use images with `fill` cycle";
    }
    text
}

impl Faulty for PruneError {
    fn fault(&self) -> Fault {
        match self {
            Self::Nothing | Self::NoScores(_) | Self::WindowStart(_) => Fault::Usage,
            _ => Fault::Data,
        }
    }
}
