//! Between Flex's tensors and the slices of the kernels.

use core::mem::MaybeUninit;
use std::borrow::Cow;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata as _};
use burn::tensor::{Bytes, DType, Shape, TensorData};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};

use super::cpu::Buffer;

/// The values of a tensor, last dimension fastest; copied only where they do not lie so.
pub(crate) fn floats(tensor: &FloatTensor<Flex>) -> Cow<'_, [f32]> {
    match tensor.as_slice::<f32>() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(tensor.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// A buffer as a tensor; it goes back to the store with the last clone of the tensor.
pub(crate) fn tensor<const D: usize>(values: Buffer, shape: [usize; D]) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(data(values, shape))
}

/// A vector as a tensor.
pub(crate) fn vector(values: Vec<f32>) -> FloatTensor<Flex> {
    let length = values.len();
    FloatTensor::<Flex>::from_data(TensorData::new(values, [length]))
}

/// A vector that may be written: this one, or a copy when its values are shared or lie elsewhere.
pub(crate) fn own(vector: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let length = vector.shape()[0];
    if vector.is_unique() && vector.is_contiguous() && vector.storage::<f32>().len() == length {
        return vector;
    }
    let mut copy = Buffer::new(length);
    copy.copy_from_slice(&floats(&vector));
    tensor(copy, [length])
}

/// A buffer as data for a tensor of any device.
pub(crate) fn data<const D: usize>(values: Buffer, shape: [usize; D]) -> TensorData {
    assert_eq!(values.len(), shape.iter().product::<usize>());
    let length = size_of_val::<[f32]>(&values);
    // SAFETY: the controller's memory is the buffer, whose floats are all initialised.
    let bytes = unsafe { Bytes::from_controller(Box::new(Held(values)), length) };
    TensorData::from_bytes(bytes, Shape::from(shape.to_vec()), DType::F32)
}

/// A buffer in the hands of a tensor.
struct Held(Buffer);

impl AllocationController for Held {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(&mut self, _policy: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let length = size_of_val::<[f32]>(&self.0);
        // SAFETY: any bytes are valid floats, and floats are initialised bytes.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), length) })
    }

    fn memory(&self, _policy: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let length = size_of_val::<[f32]>(&self.0);
        // SAFETY: floats are initialised bytes.
        Ok(unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), length) })
    }
}
