//! The GPU's kernels: `#[cube]` functions, compiled to WGSL, SPIR-V, MSL or CUDA when they are first used.
//!
//! They keep to WebGPU's default limits (256 invocations, 16 KiB of shared memory, seven buffers) and use no subgroup
//! operations, so that every browser runs them.

pub(super) mod convolution;
pub(super) mod dynamics;
pub(super) mod elementary;
pub(super) mod normalise;
pub(super) mod pool;
mod reduce;
pub(super) mod sums;
pub(super) mod views;

use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::{Client, CubeCount, CubeDim};

use super::probe::{self, Work};

/// Invocations of a workgroup that has one for each element.
const UNITS: u32 = 64;

/// Workgroups in one dimension, at most.
const MAX_CUBES: u32 = 65_535;

/// Workgroups for one invocation an element, in two dimensions where one does not reach far enough.
pub(super) fn elementwise(count: usize) -> (CubeCount, CubeDim) {
    let cubes = (count as u32).div_ceil(UNITS).max(1);
    let far = cubes.div_ceil(MAX_CUBES);
    (CubeCount::Static(cubes.div_ceil(far), far, 1), CubeDim::new_1d(UNITS))
}

/// A tensor of floats on the device of another, to be written.
pub(super) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), DType::F32)
}

/// A tensor of floats, in memory one after the other.
pub(super) fn ready(tensor: CubeTensor) -> CubeTensor {
    assert_eq!(tensor.dtype, DType::F32, "kernels compute in 32-bit floats");
    into_contiguous(tensor)
}

/// Records what a GPU does from here until the span is dropped, and waits for it then; nothing unless a profiler said how.
#[must_use = "the call is recorded when the span is dropped"]
pub(super) fn span(on: &CubeTensor, operator: &'static str, work: impl FnOnce() -> Work) -> Option<Span> {
    let wait = probe::waiting()?;
    let span = probe::span(operator, work);
    Some(Span { client: on.client.clone(), wait, span })
}

/// A call under way on a GPU.
pub(super) struct Span {
    client: Client,
    wait: fn(probe::Pending),
    span: Option<probe::Span>,
}

#[cfg(feature = "beside-burn")]
impl Span {
    /// Leaves the call out.
    fn discard(mut self) {
        if let Some(span) = self.span.take() {
            span.discard();
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let done = self.client.sync();
        (self.wait)(Box::pin(async move {
            if let Err(why) = done.await {
                log::error!("the GPU did not answer its profiler: {why:?}");
            }
        }));
        self.span.take();
    }
}
