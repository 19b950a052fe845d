//! The optimisers, with the same steps as PyTorch's.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::config::{Decay, Optimizer, TrainConfig};
use crate::kernel::reshape::reshape;
use crate::kernel::update::{AdamW, Sgd, adamw, sgd};
use crate::model::Network;

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
const MOMENTUM: f64 = 0.9;

/// An optimiser and its state for each parameter.
pub(super) struct OptimizerState {
    optimizer: Optimizer,
    weight_decay: f64,
    decay: Decay,
    steps: i32,
    kept: HashMap<ParamId, Kept>,
}

/// The optimiser's state for one parameter, as vectors.
#[expect(
    clippy::large_enum_variant,
    reason = "one run holds one kind only, and a box would be allocated each step"
)]
enum Kept {
    /// The two moments.
    AdamW([Tensor<1>; 2]),
    /// The velocity.
    Sgd(Tensor<1>),
}

impl OptimizerState {
    pub(super) fn new(config: &TrainConfig) -> Self {
        let TrainConfig { optimizer, weight_decay, decay, .. } = *config;
        Self { optimizer, weight_decay, decay, steps: 0, kept: HashMap::new() }
    }

    /// The network after a step at learning rate `rate`.
    pub(super) fn step(&mut self, rate: f64, network: Network, gradients: GradientsParams) -> Network {
        self.steps += 1;
        network.map(&mut Step { state: self, gradients, rate })
    }

    /// Number of steps made.
    pub(super) fn steps(&self) -> i32 {
        self.steps
    }

    /// The state of a parameter, in a fixed order; empty before its first step.
    pub(super) fn kept(&self, id: ParamId) -> Vec<Tensor<1>> {
        match self.kept.get(&id) {
            None => Vec::new(),
            Some(Kept::AdamW(moments)) => moments.to_vec(),
            Some(Kept::Sgd(velocity)) => vec![velocity.clone()],
        }
    }

    /// Restores the state that [`kept`](Self::kept) returned after `steps` steps. Returns `false`, with nothing changed, when a
    /// parameter does not have as many tensors as this optimiser keeps.
    pub(super) fn restore(&mut self, steps: i32, kept: Vec<(ParamId, Vec<Tensor<1>>)>) -> bool {
        let one = |(id, tensors): (ParamId, Vec<Tensor<1>>)| {
            let kept = match self.optimizer {
                Optimizer::AdamW => Kept::AdamW(tensors.try_into().ok()?),
                Optimizer::Sgd => Kept::Sgd(<[Tensor<1>; 1]>::try_from(tensors).ok()?.into_iter().next()?),
            };
            Some((id, kept))
        };
        let Some(kept) = kept.into_iter().map(one).collect() else { return false };
        self.kept = kept;
        self.steps = steps;
        true
    }
}

struct Step<'a> {
    state: &'a mut OptimizerState,
    gradients: GradientsParams,
    rate: f64,
}

impl Step<'_> {
    fn update(&mut self, id: ParamId, parameter: Tensor<1>, gradient: Tensor<1>, decay: f64) -> Tensor<1> {
        let state = &mut *self.state;
        let kept = state.kept.remove(&id).unwrap_or_else(|| {
            let zeros = || Tensor::zeros(parameter.dims(), (&parameter.device(), parameter.dtype()));
            match state.optimizer {
                Optimizer::AdamW => Kept::AdamW([zeros(), zeros()]),
                Optimizer::Sgd => Kept::Sgd(zeros()),
            }
        });
        let (parameter, kept) = match kept {
            Kept::AdamW(moments) => {
                let [beta1, beta2] = BETAS;
                let constants = AdamW {
                    beta1: beta1 as f32,
                    beta2: beta2 as f32,
                    epsilon: EPSILON as f32,
                    keep: (1.0 - self.rate * decay) as f32,
                    rate: (self.rate / (1.0 - beta1.powi(state.steps))) as f32,
                    correction: (1.0 / (1.0 - beta2.powi(state.steps)).sqrt()) as f32,
                };
                let (parameter, moments) = adamw(parameter, gradient, moments, constants);
                (parameter, Kept::AdamW(moments))
            }
            Kept::Sgd(velocity) => {
                let constants =
                    Sgd { momentum: MOMENTUM as f32, decay: decay as f32, rate: self.rate as f32 };
                let (parameter, velocity) = sgd(parameter, gradient, velocity, constants);
                (parameter, Kept::Sgd(velocity))
            }
        };
        state.kept.insert(id, kept);
        parameter
    }
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let id = param.id;
        let value = param.val().inner();
        let shape = value.dims();
        let length = shape.iter().product::<usize>();
        let decay = if D > 1 || self.state.decay == Decay::All { self.state.weight_decay } else { 0.0 };
        let new = self.update(id, reshape(value, [length]), reshape(gradient, [length]), decay);
        Param::initialized(id, Tensor::from_inner(reshape(new, shape)).require_grad())
    }
}
