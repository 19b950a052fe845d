//! The same numbers in other dimensions.
//!
//! burn's own would do; but its way back also undoes broadcasts, and so links reductions for every device into a browser's module.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind, unary};

/// Operations that a backend implements to run [`reshape`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
    Autodiff,
)]
pub(crate) trait Reshape: Backend {
    /// The same numbers in dimensions of the same product.
    fn reshaped(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self>;
}

/// A tensor's numbers in other dimensions of the same product. Differentiable once.
pub(crate) fn reshape<const D: usize, const E: usize>(tensor: Tensor<D>, shape: [usize; E]) -> Tensor<E> {
    let (count, wanted) = (tensor.shape().num_elements(), shape.iter().product::<usize>());
    assert_eq!(count, wanted, "{:?} has no room for {shape:?}", tensor.dims());
    Tensor::from_dispatch(<Dispatch as Reshape>::reshaped(tensor.into_dispatch(), Shape::from(shape)))
}

#[cfg(feature = "flex")]
impl Reshape for burn::backend::Flex {
    fn reshaped(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        <Self as burn::backend::ops::FloatTensorOps<Self>>::float_reshape(tensor, shape)
    }
}

#[cfg(feature = "cube")]
impl Reshape for burn_cubecl::CubeBackend {
    fn reshaped(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        <Self as burn::backend::ops::FloatTensorOps<Self>>::float_reshape(tensor, shape)
    }
}

/// The autodiff node: keeps the shape alone.
#[derive(Debug)]
struct Node;

impl<B: Reshape> Backward<B, 1> for Node {
    type State = Shape;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::reshaped(gradient, ops.state));
    }
}

impl<B: Backend + Reshape, C: CheckpointStrategy> Reshape for Autodiff<B, C> {
    fn reshaped(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        let parent = tensor.node();
        let tensor = tensor.into_primitive();
        let before = tensor.shape();
        let output = B::reshaped(tensor, shape);
        match Node.prepare::<C>([parent]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(before, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};
    use pollster::block_on;

    use super::*;
    use crate::device::read;

    fn check(device: &Device) {
        let device = device.clone().autodiff();
        let tensor = |values: Vec<f32>| {
            Tensor::<2>::from_data(TensorData::new(values, [2, 6]), (&device, DType::F32)).require_grad()
        };
        let values: Vec<f32> = (0..12u8).map(f32::from).collect();
        let factors = tensor(values.iter().map(|value| value * value).collect());
        let before = tensor(values.clone());
        let after: Tensor<3> = reshape(before.clone(), [3, 1, 4]);
        assert_eq!(after.dims(), [3, 1, 4]);
        let gradients = (after.clone() * reshape(factors.clone(), [3, 1, 4])).sum().backward();
        let gradient = before.grad(&gradients).expect("it is tracked");
        assert_eq!(gradient.dims(), [2, 6]);
        let read = |tensor: Tensor<2>| block_on(read(tensor)).expect("the device answers");
        assert_eq!(block_on(crate::device::read(after)).expect("the device answers"), values);
        assert_eq!(read(gradient), read(factors));
    }

    #[test]
    #[cfg(feature = "flex")]
    fn numbers_keep_their_order_there_and_back_on_the_cpu() {
        check(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn numbers_keep_their_order_there_and_back_on_a_gpu() {
        if let Some(device) = crate::device::testing::wgpu() {
            check(&device);
        }
    }
}
