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

use super::{CrossEntropy, Shares};

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
        sum += (logits[start + class] - max).exp();
    }
    sum
}

#[cube(launch_unchecked)]
fn forward(
    logits: &Tensor<f32>,
    labels: &Tensor<i32>,
    others: &Tensor<i32>,
    losses: &mut Tensor<f32>,
    classes: usize,
    own: f32,
    other: f32,
) {
    if ABSOLUTE_POS >= losses.len() {
        terminate!();
    }
    let start = ABSOLUTE_POS * classes;
    let max = row_max(logits, start, classes);
    let sum = row_sum(logits, start, classes, max);
    let total = max + sum.ln();
    let label = u32::cast_from(labels[ABSOLUTE_POS]) as usize;
    let mixed_in = u32::cast_from(others[ABSOLUTE_POS]) as usize;
    losses[ABSOLUTE_POS] = own * (total - logits[start + label]) + other * (total - logits[start + mixed_in]);
}

#[cube(launch_unchecked)]
fn backward(
    logits: &Tensor<f32>,
    labels: &Tensor<i32>,
    others: &Tensor<i32>,
    gradient: &Tensor<f32>,
    out: &mut Tensor<f32>,
    classes: usize,
    own: f32,
    other: f32,
) {
    if ABSOLUTE_POS >= gradient.len() {
        terminate!();
    }
    let start = ABSOLUTE_POS * classes;
    let max = row_max(logits, start, classes);
    let g = gradient[ABSOLUTE_POS];
    let scale = g * (own + other) / row_sum(logits, start, classes, max);
    for class in 0..classes {
        out[start + class] = (logits[start + class] - max).exp() * scale;
    }
    let label = u32::cast_from(labels[ABSOLUTE_POS]) as usize;
    out[start + label] -= g * own;
    let mixed_in = u32::cast_from(others[ABSOLUTE_POS]) as usize;
    out[start + mixed_in] -= g * other;
}

impl CrossEntropy for CubeBackend {
    fn cross_entropy(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self> {
        let (logits, labels, others) =
            (into_contiguous(logits), into_contiguous(labels), into_contiguous(others));
        check_types(&logits, [&labels, &others]);
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
                labels.into_tensor_arg(),
                others.into_tensor_arg(),
                losses.clone().into_tensor_arg(),
                classes,
                shares.own,
                shares.other,
            );
        }
        losses
    }

    fn cross_entropy_backward(
        logits: FloatTensor<Self>,
        labels: IntTensor<Self>,
        others: IntTensor<Self>,
        gradient: FloatTensor<Self>,
        shares: Shares,
    ) -> FloatTensor<Self> {
        let (logits, gradient) = (into_contiguous(logits), into_contiguous(gradient));
        let (labels, others) = (into_contiguous(labels), into_contiguous(others));
        check_types(&logits, [&labels, &others]);
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
                labels.into_tensor_arg(),
                others.into_tensor_arg(),
                gradient.into_tensor_arg(),
                out.clone().into_tensor_arg(),
                classes,
                shares.own,
                shares.other,
            );
        }
        out
    }
}

fn check_types(logits: &CubeTensor, labels: [&CubeTensor; 2]) {
    assert_eq!(logits.dtype, DType::F32, "logits are 32-bit floats");
    for labels in labels {
        assert_eq!(labels.dtype, DType::I32, "labels are 32-bit integers");
        assert_eq!(logits.shape()[0], labels.shape()[0], "one label for each row of logits");
    }
}

fn empty_like(tensor: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(tensor.client.clone(), tensor.device.clone(), shape, tensor.dtype)
}
