//! tilepress compresses labelled image folders by *Prune, Combine, Augment* (PCA; never principal
//! components) and measures, with hard labels only, what the small set still teaches.
//!
//! The modules follow the data: [`data`] → [`score`] → [`prune`] → [`combine`] → [`augment`] →
//! `model` → `train` → [`evaluate`] → [`report`]. The surfaces, `cli` and `web`, stand on top and
//! nothing below knows them.
//!
//! Without a device feature (`flex`, `wgpu`, `vulkan`, `metal`, `cuda`) the crate is the *edge layer*:
//! everything that needs no training engine, small enough for an edge worker. With one, `model`,
//! `train`, `kernel` and the proxy of [`score`] come in, built on burn.
//!
//! The method is that of "Rethinking Large-scale Dataset Compression: Shifting Focus From Labels to
//! Images" (arXiv 2502.06434).

pub mod augment;
pub mod combine;
pub mod data;
pub mod evaluate;
pub mod fault;
mod parallel;
pub mod prune;
mod quantity;
pub mod random;
pub mod report;
pub mod score;
mod words;

#[cfg(feature = "engine")]
pub mod device;
#[cfg(feature = "engine")]
pub mod kernel;
/// The CPU's kernels alone, for tests that need no engine: Miri and the sanitizers run them.
#[cfg(all(test, not(feature = "engine")))]
#[expect(dead_code, unreachable_pub, unused_imports, reason = "who calls them is not there")]
mod kernel {
    mod constants;
    mod cpu;
    mod pooling;
}
#[cfg(feature = "engine")]
pub mod model;
#[cfg(feature = "engine")]
pub mod train;

#[cfg(all(feature = "cli", not(target_family = "wasm")))]
pub mod cli;
#[cfg(any(feature = "web", target_family = "wasm"))]
pub mod web;
