//! The command line.

pub mod folder;
pub mod output;
