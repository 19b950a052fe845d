//! Score: EL2N and the other training dynamics of every sample.
//!
//! A proxy trains on the full training set; [`Dynamics`] are taken from the logits of its forward
//! passes and collected in a [`TrainingLog`], one entry for each sample and epoch. A [`ScoreTable`]
//! sums them into one score a sample and is what is written as `scores.csv`; a table made elsewhere
//! can take its place.
//!
//! Epochs are counted from 0 in code, windows are half-open (`0..10`). In files and in messages they
//! are counted from 1 and both ends belong (`1..10`), as in the literature.

mod cells;
mod dynamics;
mod error;
mod log;
mod metric;
mod paths;
mod suspects;
mod table;
mod table_csv;
mod tie;
mod window;

pub use cells::CellError;
pub use dynamics::Dynamics;
pub use error::ScoreError;
pub use log::TrainingLog;
pub use metric::Metric;
pub use suspects::{Suspect, SuspectRule};
pub use table::{ScoreRow, ScoreTable};
pub use window::{parse_window, window_text};

pub(crate) use cells::{Cells, place};
pub(crate) use paths::find_all;
pub(crate) use tie::{keys, path_places};
