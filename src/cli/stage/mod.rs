//! The steps that commands are put together from, each with its files, progress and warnings.

pub(super) mod combine;
pub(super) mod data;
pub(super) mod findings;
pub(super) mod pictures;
pub(super) mod prune;
pub(super) mod score;
pub(super) mod students;
pub(super) mod tune;
pub(super) mod write;
