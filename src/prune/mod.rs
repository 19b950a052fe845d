//! Prune: keep the easiest images, strictly the same number in each class.
//!
//! [`select`] ranks the images of each class by a [`Rule`] and takes the first; the result is a
//! [`Selection`], which is written as `selection.csv` and is of use without copying a pixel. With
//! [`duplicates_to_leave_out`] copies are left out beforehand, and [`Findings`] tells what a person
//! should look at in the images that were kept.

mod choose;
mod copies;
mod dedup;
mod error;
mod rule;
mod select;
mod selection;

pub use choose::{Chosen, choose};
pub use copies::{Copies, SharedCopy};
pub use dedup::{Findings, Named, NamedShared, NamedSuspect, duplicates_to_leave_out};
pub use error::PruneError;
pub use rule::{DEFAULT_WINDOW_START, Fill, Rule};
pub use select::{PruneRequest, preference, select};
pub use selection::{Pick, Selection, SelectionRow};
