//! What goes wrong with a device, before a run and in it.

use super::choice::DeviceChoice;
use crate::fault::{Fault, Faulty};

/// A device that cannot be used, or that fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The program was built without it.
    #[error("`device` {choice}: this build has no {feature}; rebuild with `--features {feature}`")]
    NotBuilt {
        /// The device asked for.
        choice: DeviceChoice,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// It does not open.
    #[error("`device` {choice} cannot be opened: {why}; `tilepress doctor` lists what there is")]
    Open {
        /// The device asked for.
        choice: DeviceChoice,
        /// The driver's reason.
        why: String,
    },
    /// It did not answer, or it has reported a fault.
    #[error("the device failed: {0}")]
    Failed(String),
    /// It cannot compute in the precision asked for.
    #[error(
        "`precision` mixed: the device has no matrix units for half operands, or its API does not offer them; give \
         `precision` full, or a GPU that has them through `device` cuda or `device` vulkan (`tilepress doctor` says which)"
    )]
    NoMatrixUnits,
}

impl DeviceError {
    /// Why, without the flag of the command line.
    pub fn reason(&self) -> String {
        match self {
            Self::NotBuilt { feature, .. } => format!("it was built without {feature}"),
            Self::Open { why, .. } | Self::Failed(why) => why.clone(),
            Self::NoMatrixUnits => "it has no matrix units for half operands".to_owned(),
        }
    }
}

impl Faulty for DeviceError {
    fn fault(&self) -> Fault {
        Fault::Device
    }
}
