//! Updates of parameters (AdamW, SGD) and of running moments, each in one pass over its tensors.

#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::Tensor;

pub(crate) use super::constants::{AdamW, Sgd};

/// A parameter and AdamW's two moments after a step.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct AdamWStep<B: Backend> {
    pub(crate) parameter: FloatTensor<B>,
    pub(crate) first: FloatTensor<B>,
    pub(crate) second: FloatTensor<B>,
}

/// A parameter and its velocity after a step of SGD.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct SgdStep<B: Backend> {
    pub(crate) parameter: FloatTensor<B>,
    pub(crate) velocity: FloatTensor<B>,
}

/// Running moments that have taken in those of a batch.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Running<B: Backend> {
    pub(crate) mean: FloatTensor<B>,
    pub(crate) variance: FloatTensor<B>,
}

/// Operations that a backend implements to run [`adamw`], [`sgd`] and [`running`]. All tensors are vectors of one length.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
)]
pub(crate) trait Update: Backend {
    /// A step of AdamW.
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        constants: AdamW,
    ) -> AdamWStep<Self>;

    /// A step of SGD.
    fn sgd(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        constants: Sgd,
    ) -> SgdStep<Self>;

    /// Running moments, which keep a share of what they are and take a share of a batch's mean and of its variance.
    fn running(
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        batch_mean: FloatTensor<Self>,
        batch_variance: FloatTensor<Self>,
        keep: f32,
        take: (f32, f32),
    ) -> Running<Self>;
}

/// `keep · running + take · batch`, for mean and variance `[N]`. All off the autodiff graph.
pub(crate) fn running(
    [mean, variance]: [Tensor<1>; 2],
    [batch_mean, batch_variance]: [Tensor<1>; 2],
    keep: f32,
    take: (f32, f32),
) -> [Tensor<1>; 2] {
    let found = <Dispatch as Update>::running(
        mean.into_dispatch(),
        variance.into_dispatch(),
        batch_mean.into_dispatch(),
        batch_variance.into_dispatch(),
        keep,
        take,
    );
    [Tensor::from_dispatch(found.mean), Tensor::from_dispatch(found.variance)]
}

/// The parameter `[N]` and its moments after a step of AdamW. All off the autodiff graph.
pub(crate) fn adamw(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    [first, second]: [Tensor<1>; 2],
    constants: AdamW,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    let step = <Dispatch as Update>::adamw(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        constants,
    );
    let moments = [Tensor::from_dispatch(step.first), Tensor::from_dispatch(step.second)];
    (Tensor::from_dispatch(step.parameter), moments)
}

/// The parameter `[N]` and its velocity after a step of SGD. All off the autodiff graph.
pub(crate) fn sgd(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Tensor<1>,
    constants: Sgd,
) -> (Tensor<1>, Tensor<1>) {
    let step = <Dispatch as Update>::sgd(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        velocity.into_dispatch(),
        constants,
    );
    (Tensor::from_dispatch(step.parameter), Tensor::from_dispatch(step.velocity))
}
