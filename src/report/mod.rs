//! Report: the measurement as JSON, CSV and one self-contained HTML page.
//!
//! The stages fill a [`Report`]; this module only writes it. The JSON has the numbers, the page the numbers, the charts and
//! the pictures of the [`Gallery`].

mod answers;
mod composites;
mod csv;
mod gallery;
#[cfg(feature = "cli")]
mod html;
mod model;
mod naming;
mod result;
#[cfg(test)]
mod sample;
#[cfg(feature = "cli")]
mod svg;
#[cfg(feature = "cli")]
mod table;
pub mod words;
pub use naming::Naming;

pub use answers::write_answers;
pub use csv::write_csv;
pub use gallery::{ClassPictures, CompositePicture, Gallery, Picture};
#[cfg(feature = "cli")]
pub use html::html;
pub use model::{
    Compressed, Cost, DataFindings, DataSummary, Duplicate, Found, Histogram, Kept, Loading, Report, Scoring,
    SharedWithVal, Spending, SuspectedLabel, ValOrigin,
};
pub use result::{Accuracy, ClassAccuracy, Curve, IntervalOf, MethodResult, RunOutcome, Setting};
#[cfg(feature = "cli")]
pub(crate) use table::align;
#[cfg(feature = "cli")]
pub use table::table;
