//! The CPU implementation: the moments change in place when nobody else holds them.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::{AdamW, AdamWStep, Running, Sgd, SgdStep, Update};
use crate::kernel::cpu::{Buffer, kernels, update};
use crate::kernel::flex::{self, floats, own, tensor};
use crate::kernel::probe::{Work, span};

/// Work of one step on all parameters, for a profile.
fn work(length: usize, flops: usize, floats: usize) -> Work {
    Work { shape: String::new(), flops: (flops * length) as f64, floats: floats * length }
}

impl Update for Flex {
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        constants: AdamW,
    ) -> AdamWStep<Self> {
        let length = parameter.shape()[0];
        let _span = span("AdamW", || work(length, 14, 7));
        let (mut first, mut second) = (own(first), own(second));
        let mut output = Buffer::new(length);
        update::adamw(
            kernels(),
            constants,
            &floats(&parameter),
            &floats(&gradient),
            first.storage_mut(),
            second.storage_mut(),
            &mut output,
        );
        AdamWStep { parameter: tensor(output, [length]), first, second }
    }

    fn sgd(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        constants: Sgd,
    ) -> SgdStep<Self> {
        let length = parameter.shape()[0];
        let _span = span("SGD", || work(length, 6, 5));
        let mut velocity = own(velocity);
        let mut output = Buffer::new(length);
        let (parameter, gradient) = (floats(&parameter), floats(&gradient));
        update::sgd(kernels(), constants, &parameter, &gradient, velocity.storage_mut(), &mut output);
        SgdStep { parameter: tensor(output, [length]), velocity }
    }

    fn running(
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        batch_mean: FloatTensor<Self>,
        batch_variance: FloatTensor<Self>,
        keep: f32,
        take: (f32, f32),
    ) -> Running<Self> {
        let blend = |own: FloatTensor<Self>, batch: FloatTensor<Self>, take: f32| {
            let (own, batch) = (floats(&own), floats(&batch));
            assert_eq!(own.len(), batch.len());
            flex::vector(own.iter().zip(&*batch).map(|(own, batch)| keep * own + take * batch).collect())
        };
        Running { mean: blend(mean, batch_mean, take.0), variance: blend(variance, batch_variance, take.1) }
    }
}
