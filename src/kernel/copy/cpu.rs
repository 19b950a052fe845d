//! The CPU implementation.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;

use super::Copy;
use crate::kernel::flex::{floats, own};

impl Copy for Flex {
    fn copy(
        from: FloatTensor<Self>,
        first: usize,
        into: FloatTensor<Self>,
        place: usize,
        count: usize,
    ) -> FloatTensor<Self> {
        let mut into = own(into);
        let values: &mut [f32] = into.storage_mut();
        values[place..place + count].copy_from_slice(&floats(&from)[first..first + count]);
        into
    }
}
