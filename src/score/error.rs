//! Problems with logits, training logs and score tables.

use super::CellError;
use crate::fault::{Fault, Faulty};

/// A problem with a training log or a score table. Epochs in the messages are counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// Logits that are no `[B, C]` block, or not as many labels as rows.
    #[error("{logits} logits are not {labels} rows of {classes} classes")]
    Shape {
        /// Number of logits given.
        logits: usize,
        /// Number of labels given.
        labels: usize,
        /// Classes in a row.
        classes: usize,
    },
    /// A label that is no class.
    #[error("row {row}: the label {label} is none of the {classes} classes")]
    Label {
        /// Row in the batch.
        row: usize,
        /// The label given.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// Logits that are NaN or infinite.
    #[error(
        "row {row}: the proxy's logits are not finite; training diverged, lower its learning rate (`lr`)"
    )]
    NotFinite {
        /// Row in the batch.
        row: usize,
    },
    /// An epoch or a sample that the log has no room for, or arguments of unequal length.
    #[error("the training log holds {epochs} epochs of {samples} samples; {what} does not fit")]
    OutOfRange {
        /// Epochs the log has room for.
        epochs: u32,
        /// Samples the log has room for.
        samples: usize,
        /// The epoch, sample or lengths that were given.
        what: String,
    },
    /// A sample recorded for the second time in one epoch.
    #[error("epoch {}: sample {sample} was recorded twice", epoch + 1)]
    RecordedTwice {
        /// Epoch, from 0.
        epoch: u32,
        /// Index of the sample.
        sample: u32,
    },
    /// An epoch that lacks samples.
    #[error("epoch {}: {missing} of {samples} samples were not recorded, the first is sample {first}", epoch + 1)]
    Incomplete {
        /// Epoch, from 0.
        epoch: u32,
        /// Number of samples without a record.
        missing: usize,
        /// Samples of the log.
        samples: usize,
        /// The first sample without a record.
        first: u32,
    },
    /// Runs that cannot be averaged.
    #[error("training logs cannot be averaged: {0}")]
    Average(String),
    /// Bytes that hold no training log.
    #[error("the saved training log cannot be read: {0}; delete it to score from the start")]
    Bytes(&'static str),
    /// A window that is empty or reaches past the recorded epochs.
    #[error(
        "`window` {given} does not lie in the {epochs} epochs that were recorded; give a..b with 1 <= a <= b"
    )]
    Window {
        /// The window as it was given.
        given: String,
        /// Recorded epochs.
        epochs: u32,
    },
    /// A score table that is not readable as CSV, or could not be written.
    #[error("the score table is not readable CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A score table without a column that it needs.
    #[error("the score table has no column {needs}; its columns are: {has}")]
    Column {
        /// The missing column.
        needs: &'static str,
        /// The columns it has.
        has: String,
    },
    /// A cell that cannot be used.
    #[error("score table, {0}")]
    Cell(#[from] CellError),
    /// Samples the table does not know.
    #[error(
        "the score table lacks {missing} of {samples} training images, among them {}; \
         score this data folder, or give the table made from it{}",
        first.join(", "),
        if table.is_empty() { String::new() } else { format!(" (its first image is '{table}')") }
    )]
    Missing {
        /// Number of samples without a row.
        missing: usize,
        /// Number of samples.
        samples: usize,
        /// The first few of them.
        first: Vec<String>,
        /// The first path of the table, as it is written there.
        table: String,
    },
    /// Rows whose class is not that of the image's folder.
    #[error(
        "the score table disagrees with the data folder about the class of {count} images, \
         among them {path} ('{table}' in the table, '{folder}' in the folder); \
         use a table of this data, or one without a 'class' column"
    )]
    Class {
        /// Number of such images.
        count: usize,
        /// The first of them.
        path: String,
        /// Its class in the table.
        table: String,
        /// Its class in the data folder.
        folder: String,
    },
    /// Images that changed after they were scored.
    #[error(
        "{count} images are not the ones that were scored (content hash), among them {path}; score again"
    )]
    Changed {
        /// Number of such images.
        count: usize,
        /// The first of them.
        path: String,
    },
}

impl Faulty for ScoreError {
    fn fault(&self) -> Fault {
        match self {
            Self::NotFinite { .. } => Fault::Run,
            Self::Window { .. } => Fault::Usage,
            _ => Fault::Data,
        }
    }
}
