//! Numbers that all of a plan rests on.

/// How many images there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Sizes {
    /// Images to learn from.
    pub train: usize,
    /// Images to measure on.
    pub val: usize,
    /// Classes.
    pub classes: usize,
}

/// The time of a training step.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct StepTime {
    /// Seconds of a step of the whole batch, its images in memory.
    pub seconds: f64,
    /// Images of a step that was timed; where they are fewer than a batch, `seconds` were scaled.
    pub tried: usize,
    /// Steps that were timed.
    pub steps: usize,
}
