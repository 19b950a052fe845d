//! Pipeline: carries out a user's request, from images to a report.
//!
//! `compress` makes one set, `compare` sets methods side by side, cell by cell (`cell`), `evaluate` measures a set that is
//! there. The surfaces translate what they are told into requests, and bring the images, a [`Storage`](crate::run::Storage)
//! and an [`Observer`](crate::run::Observer).
//!
//! The parts without training ([`set`], [`views`], [`data`], [`prune`]) are available without an engine, too. The parts that
//! train need threads: a browser drives proxies and cohorts itself, turn by turn.

pub mod begin;
pub mod claim;
pub mod combine;
pub mod data;
mod error;
pub mod intact;
mod originals;
#[cfg(feature = "engine")]
mod overrides;
pub mod prune;
pub mod set;
pub mod views;

#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod cell;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod compare;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod compress;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod evaluate;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod findings;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod pictures;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod plan;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod request;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod score;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod scored;

#[cfg(all(test, feature = "flex"))]
mod testing;

pub use data::{Dataset, LeftOut, Skipped, Split};
pub use error::PipelineError;
pub use originals::{Changed, Originals, ReadError, TooManyOpen};
#[cfg(feature = "engine")]
pub use overrides::{Overrides, TrainOverrides};
