//! Who can mend a failure: the user's request, the data, the device, or nobody but the run itself.
//!
//! The program's exit codes and the `code` of a JavaScript error tell these four apart, by one rule.

use crate::augment::AugmentError;
use crate::combine::{CombineError, ManifestError, MetadataError};
use crate::data::{DataError, DecodeError};
use crate::prune::PruneError;
use crate::score::ScoreError;

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request means nothing.
    Usage,
    /// Images or files that cannot be used.
    Data,
    /// A device that is not there or does not work.
    Device,
    /// Anything that went wrong under way.
    Run,
}

impl Fault {
    /// The kind of an error of this crate; `None` of any other.
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if error.is::<AugmentError>() {
            return Some(Self::Usage);
        }
        if error.is::<DataError>()
            || error.is::<DecodeError>()
            || error.is::<ManifestError>()
            || error.is::<MetadataError>()
        {
            return Some(Self::Data);
        }
        if let Some(error) = error.downcast_ref() {
            return Some(match error {
                PruneError::Nothing | PruneError::NoScores(_) | PruneError::WindowStart(_) => Self::Usage,
                _ => Self::Data,
            });
        }
        if let Some(error) = error.downcast_ref() {
            return Some(match error {
                CombineError::NoImages
                | CombineError::UnevenSources { .. }
                | CombineError::TooMany { .. }
                | CombineError::Side { .. }
                | CombineError::Quality { .. }
                | CombineError::QualityOfPng => Self::Usage,
                _ => Self::Data,
            });
        }
        if let Some(error) = error.downcast_ref() {
            return Some(match error {
                ScoreError::NotFinite { .. } => Self::Run,
                ScoreError::Window { .. } => Self::Usage,
                _ => Self::Data,
            });
        }
        Self::of_the_engine(error)
    }

    #[cfg(feature = "engine")]
    fn of_the_engine(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        use crate::device::DeviceError;
        use crate::model::{ModelError, StateError};
        use crate::score::ProxyError;
        use crate::train::{CheckpointError, TrainError};

        if let Some(error) = error.downcast_ref() {
            return Some(match error {
                ModelError::Device(_) => Self::Device,
                _ => Self::Usage,
            });
        }
        if error.is::<StateError>() {
            return Some(Self::Data);
        }
        if error.is::<DeviceError>() {
            return Some(Self::Device);
        }
        if let Some(error) = error.downcast_ref() {
            return Some(match error {
                TrainError::Device(_) => Self::Device,
                TrainError::Model(error) => return Self::of(error),
                TrainError::Augment(_) => Self::Usage,
                TrainError::Data(_) | TrainError::Empty => Self::Data,
                TrainError::Diverged { .. } => Self::Run,
            });
        }
        if let Some(error) = error.downcast_ref() {
            return match error {
                ProxyError::Train(error) => Self::of(error),
                ProxyError::Score(error) => Self::of(error),
                ProxyError::Checkpoint(error) => Self::of(error),
            };
        }
        if let Some(error) = error.downcast_ref() {
            return match error {
                CheckpointError::Train(error) => Self::of(error),
                _ => Some(Self::Data),
            };
        }
        None
    }

    #[cfg(not(feature = "engine"))]
    fn of_the_engine(_error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_cannot_be_is_told_from_data_that_cannot_be_used() {
        assert_eq!(Fault::of(&CombineError::NoImages), Some(Fault::Usage));
        assert_eq!(Fault::of(&PruneError::Nothing), Some(Fault::Usage));
        assert_eq!(Fault::of(&DecodeError::Empty), Some(Fault::Data));
        assert_eq!(Fault::of(&DataError::NoClass { files: 3 }), Some(Fault::Data));
        assert_eq!(Fault::of(&ScoreError::NotFinite { row: 0 }), Some(Fault::Run));
        assert_eq!(Fault::of(&std::fmt::Error), None);
    }

    #[test]
    #[cfg(feature = "engine")]
    fn a_precision_that_a_device_lacks_is_the_devices_fault_wherever_it_is_noticed() {
        use crate::device::DeviceError::NoMatrixUnits;
        use crate::model::ModelError;
        use crate::train::TrainError;
        assert_eq!(Fault::of(&NoMatrixUnits), Some(Fault::Device));
        assert_eq!(Fault::of(&TrainError::Model(ModelError::Device(NoMatrixUnits))), Some(Fault::Device));
        assert_eq!(Fault::of(&TrainError::Model(ModelError::Empty)), Some(Fault::Usage));
    }
}
