//! Train: one loop of our own for native and wasm, written for a cohort of students.
//!
//! A [`Student`] is a resumable object: it advances some steps and can be saved. A GPU, or the one thread of a browser, has a
//! [`Cohort`] of them, which make their steps together where that is faster, otherwise in turns; on a CPU each core has one
//! student. Nothing here reads a device inside a step: losses are gathered on the device and read once in [`READ_EVERY`]
//! steps, which also bounds a browser's queue.

mod batch;
mod checkpoint;
mod cohort;
mod config;
pub(crate) mod dynamics;
mod error;
mod eval;
mod evaluator;
mod optimizer;
mod progress;
mod proxy;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod ranks;
mod resident;
mod self_check;
#[cfg(not(target_family = "wasm"))]
mod shards;
#[cfg(not(target_family = "wasm"))]
mod shared_log;
mod softmax;
mod student;
mod synthetic;
mod task;
mod trial;

pub use checkpoint::CheckpointError;
pub use cohort::Cohort;
pub use config::{Decay, Length, Optimizer, Preset, Schedule, Settings, TrainConfig};
pub use error::TrainError;
pub use eval::{Confusion, Evaluation, Statistics, evaluate};
pub use evaluator::{Answers, Evaluator};
pub use progress::{CurvePoint, Progress, Times};
pub use proxy::{Proxy, ProxyError, ScoringPass};
#[cfg(not(target_family = "wasm"))]
pub use ranks::{Ranks, RanksError};
#[cfg(not(target_family = "wasm"))]
pub use resident::lies_on_gpu;
pub use self_check::{CheckError, SelfCheck, self_check};
pub use softmax::SoftmaxLog;
pub use student::{READ_EVERY, Step, Student};
pub use synthetic::synthetic_student;
pub use task::Task;
pub use trial::step_seconds;
