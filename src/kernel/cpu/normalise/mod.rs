//! The inner kernels of normalisation: moments, scale and shift with ReLU and pool, and their gradients.
//!
//! All work on rows of pixels, channels last. Nothing but the convolution's output is kept for the backward pass:
//! where ReLU and max pool let a gradient through is computed again from it, by the same instructions,
//! which costs less than writing it down and reading it back.

mod backward;
mod forward;
mod jobs;
mod moments;

pub(super) use backward::{backward, sums};
pub(super) use forward::forward;
pub(crate) use jobs::Plane;
pub(super) use jobs::{Backward, Forward, Incoming, Moments, Sums};
pub(super) use moments::moments;
