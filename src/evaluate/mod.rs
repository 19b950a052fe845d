//! Evaluate: train students from scratch on hard labels and compare methods fairly.

pub mod stats;
pub mod verdict;
