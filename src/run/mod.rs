//! Run: handles devices, threads and files while proxies and students train, and continues a run that was stopped.
//!
//! A run reports to an [`Observer`] and keeps its results in a [`Storage`]; the caller provides both. [`lanes`] gives each
//! core a job on the CPU, and a GPU has its share of the students at once as a [`Cohort`](crate::train::Cohort).

#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod devices;
mod error;
mod kept;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub mod lanes;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod meter;
mod observer;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod open;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod pace;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod proxies;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod room;
#[cfg(any(test, all(feature = "engine", not(target_family = "wasm"))))]
mod rotation;
mod share;
mod storage;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod students;
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod training;

#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub use devices::Devices;
pub use error::{KeptError, RunError};
pub use kept::{Kept, SEALED};
pub use observer::{Observer, Reading, Silent, Stage};
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub use open::{open, open_all, open_own};
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub use proxies::{ProxyJob, log_name, train_proxies};
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub use room::Training;
pub use share::{Share, ShareError, in_order};
#[cfg(test)]
pub(crate) use storage::memory;
pub use storage::{NewFolder, Storage, StorageError};
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub use students::{Job, Trained, train_all};
#[cfg(all(feature = "engine", not(target_family = "wasm")))]
pub use training::Keep;
