//! The numbers of a profile.

use serde::Serialize;

use crate::device::Precision;
use crate::kernel::probe::Record;
use crate::model::Stem;

/// The whole result; what is printed with `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Profile {
    pub(super) model: String,
    pub(super) width: Option<usize>,
    /// First layers of a ResNet; none of other networks.
    pub(super) stem: Option<Stem>,
    pub(super) image_size: usize,
    pub(super) batch: usize,
    pub(super) students: usize,
    pub(super) threads: usize,
    pub(super) device: String,
    pub(super) precision: Precision,
    /// Wall time of a step of one student; of a cohort, divided by the steps that all made.
    pub(super) train_step_ms: Spread,
    /// The same of a cohort on a GPU whose students take turns, where they are otherwise stacked in the same launches.
    pub(super) in_turns_ms: Option<Spread>,
    /// On the CPU, as are the operators.
    pub(super) ceilings: Option<Ceilings>,
    pub(super) operators: Vec<Row>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Ceilings {
    pub(super) instructions: &'static str,
    pub(super) gflops: f64,
    pub(super) gb_per_s: f64,
}

/// Steps whose operators were recorded.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) records: Vec<Record>,
    /// Milliseconds of each step.
    pub(super) ms: Vec<f64>,
}

/// An operator on one shape, in numbers a step.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) operator: &'static str,
    pub(super) shape: String,
    pub(super) calls: f64,
    pub(super) ms: f64,
    /// Milliseconds of burn's operator for the same, where it was asked.
    pub(super) burn_ms: Option<f64>,
    /// Share of the mean step.
    pub(super) share: f64,
    pub(super) gflop: f64,
    pub(super) megabytes: f64,
    /// Share of the nearer of the two ceilings.
    pub(super) of_ceiling: f64,
}
