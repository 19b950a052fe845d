//! A check that could not be made.

use crate::device::DeviceError;
use crate::fault::{Fault, Faulty};
use crate::model::ModelError;

/// A check that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The device did not answer.
    #[error("the device did not answer: {}", .0.reason())]
    Device(DeviceError),
    /// The network of the check cannot be made.
    #[error("the device did not answer: no network: {0}")]
    Network(ModelError),
}

impl From<DeviceError> for CheckError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl Faulty for CheckError {
    fn fault(&self) -> Fault {
        Fault::Device
    }
}
