//! The layers the networks are made of, with PyTorch's semantics.

mod batch_norm;
mod conv;
mod instance_norm;
mod linear;
mod mode;

pub(crate) use batch_norm::{BatchNorm, Then, block};
pub(crate) use conv::Conv;
pub(crate) use instance_norm::{InstanceNorm, instance_block};
pub(crate) use linear::{Linear, global_average};
pub(crate) use mode::Mode;
