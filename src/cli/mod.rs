//! The command line.

pub mod dataset;
