//! Numbers of the host as tensors on a device.
//!
//! burn's `Tensor::from_data` converts from any type of number to any other: two hundred kilobytes of code that a browser
//! would load. Ours are what they are.

use burn::backend::Dispatch;
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// A tensor of 32-bit floats, last dimension fastest.
///
/// # Panics
/// For data of another type, or of other than `D` dimensions.
pub(crate) fn floats<const D: usize>(data: TensorData, device: &Device) -> Tensor<D> {
    assert_eq!((data.dtype(), data.shape().num_dims()), (DType::F32, D), "what is uploaded");
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

/// A vector of 32-bit words.
pub(crate) fn words(words: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = words.len();
    let data = TensorData::new(words, [length]);
    Tensor::from_dispatch(Dispatch::int_from_data(data, device.as_dispatch()))
}
