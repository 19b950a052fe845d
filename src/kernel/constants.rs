//! The constants of one step of an optimiser.

/// AdamW's constants of one step (Loshchilov and Hutter 2019), as PyTorch applies them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamW {
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) epsilon: f32,
    /// `1 - lr * weight decay`.
    pub(crate) keep: f32,
    /// `lr / (1 - beta1^t)`.
    pub(crate) rate: f32,
    /// `1 / sqrt(1 - beta2^t)`.
    pub(crate) correction: f32,
}

/// SGD's constants of one step: momentum without dampening, decay added to the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sgd {
    pub(crate) momentum: f32,
    pub(crate) decay: f32,
    pub(crate) rate: f32,
}
