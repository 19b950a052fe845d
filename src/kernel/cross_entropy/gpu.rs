//! The GPU implementation: one `#[cube]` source for WGSL, SPIR-V, MSL and CUDA.
//!
//! One invocation a sample. A batch has at most a few hundred rows of at most a few thousand logits,
//! so a step spends next to nothing here; no shared memory, no subgroup operations.

use burn::backend::TensorMetadata;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{CrossEntropy, WORDS};
use crate::kernel::gpu::elementary::{exp, ln};

#[cube]
fn row_max(logits: &Tensor<f32>, start: usize, classes: usize) -> f32 {
    let mut max = logits[start];
    for class in 1..classes {
        let z = logits[start + class];
        if z > max {
            max = z;
        }
    }
    max
}

#[cube]
fn row_sum(logits: &Tensor<f32>, start: usize, classes: usize, max: f32) -> f32 {
    let mut sum = 0.0f32;
    for class in 0..classes {
        sum += exp(logits[start + class] - max);
    }
    sum
}

/// The labels of a sample and their shares in its loss.
#[cube]
fn target_of(targets: &Tensor<i32>, sample: usize) -> (usize, usize, f32, f32) {
    let at = sample * comptime!(WORDS);
    (
        u32::cast_from(targets[at]) as usize,
        u32::cast_from(targets[at + 1]) as usize,
        f32::reinterpret(targets[at + 2]),
        f32::reinterpret(targets[at + 3]),
    )
}

#[cube(launch_unchecked)]
fn forward(logits: &Tensor<f32>, targets: &Tensor<i32>, losses: &mut Tensor<f32>, classes: usize) {
    if ABSOLUTE_POS >= losses.len() {
        terminate!();
    }
    let start = ABSOLUTE_POS * classes;
    let max = row_max(logits, start, classes);
    let sum = row_sum(logits, start, classes, max);
    let total = max + ln(sum);
    let (label, mixed_in, own, other) = target_of(targets, ABSOLUTE_POS);
    losses[ABSOLUTE_POS] = own * (total - logits[start + label]) + other * (total - logits[start + mixed_in]);
}

#[cube(launch_unchecked)]
fn backward(
    logits: &Tensor<f32>,
    targets: &Tensor<i32>,
    gradient: &Tensor<f32>,
    out: &mut Tensor<f32>,
    classes: usize,
) {
    if ABSOLUTE_POS >= gradient.len() {
        terminate!();
    }
    let start = ABSOLUTE_POS * classes;
    let max = row_max(logits, start, classes);
    let g = gradient[ABSOLUTE_POS];
    let (label, mixed_in, own, other) = target_of(targets, ABSOLUTE_POS);
    let scale = g * (own + other) / row_sum(logits, start, classes, max);
    for class in 0..classes {
        out[start + class] = exp(logits[start + class] - max) * scale;
    }
    out[start + label] -= g * own;
    out[start + mixed_in] -= g * other;
}

impl CrossEntropy for CubeBackend {
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, targets) = (into_contiguous(logits), into_contiguous(targets));
        check_types(&logits, &targets);
        let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
        let losses = empty_like(&logits, Shape::new([batch]));
        let cube_dim = CubeDim::new(&logits.client, batch);
        // SAFETY: every index is below the lengths that `check_types` and the shapes establish; the
        // kernel returns early past the last row.
        unsafe {
            forward::launch_unchecked(
                &losses.client,
                calculate_cube_count_elemwise(&losses.client, batch, cube_dim),
                cube_dim,
                logits.into_tensor_arg(),
                targets.into_tensor_arg(),
                losses.clone().into_tensor_arg(),
                classes,
            );
        }
        losses
    }

    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (logits, gradient) = (into_contiguous(logits), into_contiguous(gradient));
        let targets = into_contiguous(targets);
        check_types(&logits, &targets);
        let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
        let out = empty_like(&logits, logits.shape());
        let cube_dim = CubeDim::new(&logits.client, batch);
        // SAFETY: as in `cross_entropy`; `out` has the shape of the logits.
        unsafe {
            backward::launch_unchecked(
                &out.client,
                calculate_cube_count_elemwise(&out.client, batch, cube_dim),
                cube_dim,
                logits.into_tensor_arg(),
                targets.into_tensor_arg(),
                gradient.into_tensor_arg(),
                out.clone().into_tensor_arg(),
                classes,
            );
        }
        out
    }
}

fn check_types(logits: &CubeTensor, targets: &CubeTensor) {
    assert_eq!(logits.dtype, DType::F32, "logits are 32-bit floats");
    assert_eq!(targets.dtype, DType::I32, "targets are 32-bit words");
    assert_eq!(logits.shape()[0] * WORDS, targets.shape()[0], "one target for each row of logits");
}

fn empty_like(tensor: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(tensor.client.clone(), tensor.device.clone(), shape, tensor.dtype)
}
