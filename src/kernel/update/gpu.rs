//! The GPU implementation: one `#[cube]` kernel for each optimiser, one invocation a vector of elements.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{AdamW, AdamWStep, Running, Sgd, SgdStep, Update};
use crate::kernel::copy::Copy;
use crate::kernel::gpu::{elementwise, empty, ready, span};
use crate::kernel::probe::Work;

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, reason = "the operands of the operation")]
fn adamw<N: Size>(
    parameter: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    first: &mut [Vector<f32, N>],
    second: &mut [Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    count: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    keep: f32,
    rate: f32,
    correction: f32,
) {
    let i = ABSOLUTE_POS;
    if i >= count as usize {
        terminate!();
    }
    let g = gradient[i];
    let m = first[i] + Vector::new(1.0 - beta1) * (g - first[i]);
    let v = Vector::new(beta2) * second[i] + Vector::new(1.0 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    let size = v.sqrt() * Vector::new(correction) + Vector::new(epsilon);
    output[i] = Vector::new(keep) * parameter[i] - Vector::new(rate) * m / size;
}

#[cube(launch_unchecked)]
fn sgd<N: Size>(
    parameter: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    velocity: &mut [Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    count: u32,
    momentum: f32,
    decay: f32,
    rate: f32,
) {
    let i = ABSOLUTE_POS;
    if i >= count as usize {
        terminate!();
    }
    let p = parameter[i];
    let v = Vector::new(momentum) * velocity[i] + gradient[i] + Vector::new(decay) * p;
    velocity[i] = v;
    output[i] = p - Vector::new(rate) * v;
}

#[cube(launch_unchecked)]
fn running(
    mean: &[f32],
    variance: &[f32],
    batch_mean: &[f32],
    batch_variance: &[f32],
    new_mean: &mut [f32],
    new_variance: &mut [f32],
    count: u32,
    keep: f32,
    take_mean: f32,
    take_variance: f32,
) {
    let i = ABSOLUTE_POS;
    if i >= count as usize {
        terminate!();
    }
    new_mean[i] = keep * mean[i] + take_mean * batch_mean[i];
    new_variance[i] = keep * variance[i] + take_variance * batch_variance[i];
}

/// A tensor of floats that may be written: this one, or a copy when it is shared.
fn own(tensor: CubeTensor) -> CubeTensor {
    let tensor = ready(tensor);
    if tensor.can_mut() {
        return tensor;
    }
    let (copy, count) = (empty(&tensor, tensor.shape()), tensor.shape().num_elements());
    <CubeBackend as Copy>::copy(tensor, 0, copy, 0, count)
}

/// Number of elements that one invocation updates.
fn vector_size(count: usize) -> usize {
    if count.is_multiple_of(4) { 4 } else { 1 }
}

impl Update for CubeBackend {
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        constants: AdamW,
    ) -> AdamWStep<Self> {
        let (parameter, gradient) = (ready(parameter), ready(gradient));
        let (first, second) = (own(first), own(second));
        let output = empty(&parameter, parameter.shape());
        let count = parameter.shape().num_elements();
        let _span = span(&output, "AdamW", || Work {
            shape: String::new(),
            flops: (12 * count) as f64,
            floats: 7 * count,
        });
        let at_once = vector_size(count);
        let (cubes, dim) = elementwise(count / at_once);
        // SAFETY: all tensors have one length; the kernel returns early past it.
        unsafe {
            adamw::launch_unchecked(
                &output.client,
                cubes,
                dim,
                at_once,
                parameter.into_buffer_arg(),
                gradient.into_buffer_arg(),
                first.clone().into_buffer_arg(),
                second.clone().into_buffer_arg(),
                output.clone().into_buffer_arg(),
                (count / at_once) as u32,
                constants.beta1,
                constants.beta2,
                constants.epsilon,
                constants.keep,
                constants.rate,
                constants.correction,
            );
        }
        AdamWStep { parameter: output, first, second }
    }

    fn sgd(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        constants: Sgd,
    ) -> SgdStep<Self> {
        let (parameter, gradient) = (ready(parameter), ready(gradient));
        let velocity = own(velocity);
        let output = empty(&parameter, parameter.shape());
        let count = parameter.shape().num_elements();
        let _span = span(&output, "SGD", || Work {
            shape: String::new(),
            flops: (6 * count) as f64,
            floats: 5 * count,
        });
        let at_once = vector_size(count);
        let (cubes, dim) = elementwise(count / at_once);
        // SAFETY: as in `adamw`.
        unsafe {
            sgd::launch_unchecked(
                &output.client,
                cubes,
                dim,
                at_once,
                parameter.into_buffer_arg(),
                gradient.into_buffer_arg(),
                velocity.clone().into_buffer_arg(),
                output.clone().into_buffer_arg(),
                (count / at_once) as u32,
                constants.momentum,
                constants.decay,
                constants.rate,
            );
        }
        SgdStep { parameter: output, velocity }
    }

    fn running(
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        batch_mean: FloatTensor<Self>,
        batch_variance: FloatTensor<Self>,
        keep: f32,
        take: (f32, f32),
    ) -> Running<Self> {
        let own = [mean, variance].map(ready);
        let batch = [batch_mean, batch_variance].map(ready);
        let count = own[0].shape().num_elements();
        assert!(own.iter().chain(&batch).all(|tensor| tensor.shape().num_elements() == count));
        let found = Running::<Self> {
            mean: empty(&own[0], own[0].shape()),
            variance: empty(&own[1], own[1].shape()),
        };
        let (cubes, dim) = elementwise(count);
        let ([mean, variance], [batch_mean, batch_variance]) = (own, batch);
        // SAFETY: as in `adamw`.
        unsafe {
            running::launch_unchecked(
                &found.mean.client,
                cubes,
                dim,
                mean.into_buffer_arg(),
                variance.into_buffer_arg(),
                batch_mean.into_buffer_arg(),
                batch_variance.into_buffer_arg(),
                found.mean.clone().into_buffer_arg(),
                found.variance.clone().into_buffer_arg(),
                count as u32,
                keep,
                take.0,
                take.1,
            );
        }
        found
    }
}
