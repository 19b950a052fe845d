//! Pipeline: what a user asks for, from images to a report, in plain requests.
//!
//! `compress` makes one set, `compare` sets methods side by side, cell by cell (`cell`), `evaluate` measures a set that is
//! there. The surfaces translate what they are told into requests, and bring the images, a [`Storage`](crate::run::Storage)
//! and an [`Observer`](crate::run::Observer).
//!
//! Whatever has no training in it ([`set`], [`views`], [`data`], [`prune`]) is there without an engine, too. What trains needs
//! threads: a browser drives proxies and cohorts itself, turn by turn.

macro_rules! trained {
    ($($item:item)+) => { $(#[cfg(all(feature = "engine", not(target_family = "wasm")))] $item)+ };
}

pub mod data;
mod error;
#[cfg(feature = "engine")]
mod overrides;
pub mod prune;
pub mod set;
pub mod views;

trained! {
    pub mod cell;
    pub mod compare;
    pub mod compress;
    pub mod evaluate;
    mod findings;
    mod pictures;
    pub mod request;
    pub mod score;
}

#[cfg(all(test, feature = "flex"))]
mod testing;

pub use data::{Dataset, Originals, ReadError, Split};
pub use error::PipelineError;
#[cfg(feature = "engine")]
pub use overrides::{Overrides, TrainOverrides};
