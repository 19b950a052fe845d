//! Our own operations on the device, each with its own autodiff node.
//!
//! burn composes a network from general operators; where that costs, an operation of ours takes its
//! place through burn's extension mechanism: one trait, implemented for Flex (CPU), for CubeCL (one
//! `#[cube]` kernel gives WGSL, SPIR-V and CUDA) and for `Autodiff` over either. Nothing above this
//! module knows which one runs.

mod cross_entropy;
mod self_check;

pub use cross_entropy::cross_entropy;
pub use self_check::{KernelError, SelfCheck, self_check};

#[cfg(not(any(feature = "flex", feature = "cube")))]
compile_error!(
    "the engine needs a device: enable at least one of the features flex, wgpu, vulkan, metal, cuda"
);
