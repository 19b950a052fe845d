//! Several tensors read back from their device at once.

use burn::tensor::Tensor;

use super::copy::joined;
use super::reshape::reshape;
use crate::device::{DeviceError, read};

/// The values of several tensors, one after the other, in one transfer.
///
/// # Errors
/// As [`read`].
///
/// # Panics
/// Without any.
pub async fn read_all<const D: usize>(tensors: Vec<Tensor<D>>) -> Result<Vec<f32>, DeviceError> {
    let vector = |tensor: Tensor<D>| {
        let length = tensor.shape().num_elements();
        reshape(tensor, [length])
    };
    read(joined(tensors.into_iter().map(vector).collect())).await
}
