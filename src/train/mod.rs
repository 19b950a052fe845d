//! Train: one loop of our own for native and wasm, written for a cohort of students.
//!
//! A [`Student`] is a resumable object: it advances some steps and can be put aside. A GPU, or the one
//! thread of a browser, has a [`Cohort`] of them, which make their steps together where that pays, else in turns; on a CPU
//! the surface gives each core one student. Nothing here reads a device inside a step: losses are gathered on the
//! device and read once in [`READ_EVERY`] steps, which also bounds a browser's queue.

mod batch;
mod checkpoint;
mod cohort;
mod course;
pub(crate) mod dynamics;
mod eval;
mod exam;
mod noise;
mod optimizer;
mod recipe;
mod resident;
mod self_check;
mod student;
mod trial;

pub use checkpoint::CheckpointError;
pub use cohort::Cohort;
pub use course::{Course, CurvePoint};
pub(crate) use eval::eval_logits;
pub use eval::{Confusion, Evaluation, Statistics, evaluate};
pub use exam::{Answers, Exam};
pub use noise::on_noise;
pub use recipe::{Decay, Length, Optimizer, Preset, Recipe, Schedule, Settings};
pub use self_check::{CheckError, SelfCheck, self_check};
pub use student::{READ_EVERY, Step, Student, Task, TrainError};
pub use trial::step_seconds;
