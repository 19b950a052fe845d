//! Training that cannot go on.

use crate::augment::AugmentError;
use crate::bounds::BoundError;
use crate::data::DataError;
use crate::device::DeviceError;
use crate::fault::{Fault, Faulty};
use crate::model::ModelError;

/// Training that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The network cannot be made.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The views cannot be made.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// An image cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A number of the config is outside its range.
    #[error(transparent)]
    Bound(#[from] BoundError),
    /// There is nothing to train on.
    #[error("the training set is empty")]
    Empty,
    /// The device did not answer.
    #[error("the device failed in training: {}", .0.reason())]
    Device(DeviceError),
    /// Ranks cannot go on together.
    #[cfg(not(target_family = "wasm"))]
    #[error(transparent)]
    Ranks(#[from] super::ranks::RanksError),
    /// The loss is not a number any more.
    #[error("the loss became {loss} by step {step}; lower `lr`")]
    Diverged {
        /// Number of steps made.
        step: usize,
        /// The loss that was read.
        loss: f32,
    },
}

impl From<DeviceError> for TrainError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl Faulty for TrainError {
    fn fault(&self) -> Fault {
        match self {
            Self::Device(error) => error.fault(),
            Self::Model(error) => error.fault(),
            Self::Data(error) => error.fault(),
            Self::Augment(error) => error.fault(),
            Self::Bound(error) => error.fault(),
            #[cfg(not(target_family = "wasm"))]
            Self::Ranks(error) => error.fault(),
            Self::Empty => Fault::Data,
            Self::Diverged { .. } => Fault::Run,
        }
    }
}
