//! The GPU implementation.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn_cubecl::CubeBackend;

use super::TrainingDynamics;
use crate::kernel::gpu::dynamics::dynamics;

impl TrainingDynamics for CubeBackend {
    fn dynamics(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        dynamics(logits, labels)
    }
}
