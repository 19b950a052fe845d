//! The GPU implementation: one invocation a value.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use cubecl::prelude::*;

use super::Copy;
use crate::kernel::gpu::{elementwise, ready};

#[cube(launch_unchecked)]
fn copy_values(from: &[f32], into: &mut [f32], first: u32, place: u32, count: u32) {
    let index = ABSOLUTE_POS as u32;
    if index >= count {
        terminate!();
    }
    into[(place + index) as usize] = from[(first + index) as usize];
}

impl Copy for CubeBackend {
    fn copy(
        from: FloatTensor<Self>,
        first: usize,
        into: FloatTensor<Self>,
        place: usize,
        count: usize,
    ) -> FloatTensor<Self> {
        let from = ready(from);
        assert!(first + count <= from.shape().num_elements());
        assert!(place + count <= into.shape().num_elements());
        let (cubes, dim) = elementwise(count);
        // SAFETY: both ranges lie in their vectors; the kernel returns early past the last value.
        unsafe {
            copy_values::launch_unchecked(
                &into.client,
                cubes,
                dim,
                from.into_buffer_arg(),
                into.clone().into_buffer_arg(),
                first as u32,
                place as u32,
                count as u32,
            );
        }
        into
    }
}
