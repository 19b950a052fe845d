//! Evaluate: train students from scratch on hard labels and compare methods fairly.

mod method;
pub mod stats;
pub mod verdict;

pub use method::{Method, unlike_views};
