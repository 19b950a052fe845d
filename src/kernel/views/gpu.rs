//! The GPU implementation.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_cubecl::CubeBackend;

use super::{BUFFERS, Views};
use crate::kernel::gpu::{empty, views::views};

impl Views for CubeBackend {
    fn views(
        first: IntTensor<Self>,
        second: IntTensor<Self>,
        third: IntTensor<Self>,
        fourth: IntTensor<Self>,
        plan: IntTensor<Self>,
        constants: FloatTensor<Self>,
        shape: [usize; 4],
        stored: usize,
        each: usize,
    ) -> FloatTensor<Self> {
        let output = empty(&constants, shape);
        let buffers: [_; BUFFERS] = [first, second, third, fourth];
        views(buffers, plan, constants, &output, stored, each);
        output
    }
}
