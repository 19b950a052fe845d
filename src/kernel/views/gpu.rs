//! The GPU implementation.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_cubecl::CubeBackend;

use super::{BUFFERS, Views};
use crate::kernel::gpu::views::views;

impl Views for CubeBackend {
    fn views(
        first: IntTensor<Self>,
        second: IntTensor<Self>,
        third: IntTensor<Self>,
        fourth: IntTensor<Self>,
        plan: IntTensor<Self>,
        constants: FloatTensor<Self>,
        batch: FloatTensor<Self>,
        first_view: usize,
        stored: usize,
        each: usize,
    ) -> FloatTensor<Self> {
        let buffers: [_; BUFFERS] = [first, second, third, fourth];
        views(buffers, plan, constants, &batch, first_view, [stored, each]);
        batch
    }
}
