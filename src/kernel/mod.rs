//! Our own operations on the device, each with its own autodiff node.
//!
//! burn composes a network from general operators; where that costs, an operation of ours takes its
//! place through burn's extension mechanism: one trait, implemented for Flex (CPU), for CubeCL (one
//! `#[cube]` kernel gives WGSL, SPIR-V and CUDA) and for `Autodiff` over either. Nothing above this
//! module knows which one runs.

pub(crate) mod average_pool;
pub(crate) mod block;
mod constants;
pub(crate) mod convolution;
pub(crate) mod copy;
#[cfg(feature = "flex")]
mod cpu;
pub(crate) mod cross_entropy;
pub(crate) mod dynamics;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "cube")]
mod gpu;
pub(crate) mod max_pool;
mod pooling;
pub mod probe;
mod read;
pub(crate) mod reshape;
pub(crate) mod update;
pub(crate) mod views;

#[cfg(feature = "flex")]
pub use cpu::{MatrixCeiling, MemoryCeiling};
pub use cross_entropy::cross_entropy;
pub use read::read_all;

/// Data of this shape for a tensor of any device, filled in place, in memory that is used again where the CPU trains.
pub(crate) fn pixels<const D: usize>(
    shape: [usize; D],
    fill: impl FnOnce(&mut [f32]),
) -> burn::tensor::TensorData {
    let length = shape.iter().product();
    #[cfg(feature = "flex")]
    {
        let mut values = cpu::Buffer::new(length);
        fill(&mut values);
        flex::data(values, shape)
    }
    #[cfg(not(feature = "flex"))]
    {
        let mut values = vec![0.0f32; length];
        fill(&mut values);
        burn::tensor::TensorData::new(values, shape)
    }
}

#[cfg(not(any(feature = "flex", feature = "cube")))]
compile_error!(
    "the engine needs a device: enable at least one of the features flex, wgpu, vulkan, metal, cuda"
);
