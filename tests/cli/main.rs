//! The program as a user runs it: real processes on small folders that the tests draw themselves.
#![cfg(all(feature = "cli", feature = "flex"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod by_hand;
mod compare;
mod compress;
mod crops;
mod effect;
mod faults;
mod forms;
mod going_on;
mod looking;
mod nothing_lost;
mod options;
mod plan;
mod ranks;
mod refusals;
mod rotation;
mod same_bytes;
mod shards;
mod streaming;
mod trees;
mod views;
mod watching;
mod world;
