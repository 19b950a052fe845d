//! Evaluate: train students from scratch on hard labels and compare methods fairly.

mod correct;
mod holm;
mod method;
mod noise;
pub mod stats;
pub mod verdict;

pub use correct::Correct;
pub use holm::{Adjusted, holm};
pub use method::{METHODS, Method, NamedMethod};
pub(crate) use noise::Estimate;
pub use noise::Noise;
