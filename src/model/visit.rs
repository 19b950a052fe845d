//! The tensors of a network, one by one.

use burn::module::Param;
use burn::tensor::Tensor;

/// Visits the tensors of a network in the order and under the names of its PyTorch twin.
pub(crate) trait StateVisitor {
    /// A tensor that PyTorch keeps in the same layout.
    fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>);
    /// BatchNorm's count of batches. Only PyTorch keeps it, and reads it only when momentum is `None`.
    fn batch_counter(&mut self, name: &str);
}
