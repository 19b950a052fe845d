//! Who can mend a failure: the user's request, the data, the device, or nobody but the run itself.
//!
//! Every error type of the crate says which kind it is. The program's exit codes and the `code` of a JavaScript error tell
//! the kinds apart.

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
    /// The user stopped the run.
    Stopped,
}

/// An error that knows its own kind.
pub trait Faulty: std::error::Error + Send + Sync + 'static {
    /// The kind of this failure.
    fn fault(&self) -> Fault;
}

/// Failures of writers and readers that the caller brought.
macro_rules! of_the_run {
    ($($error:ty),+) => {
        $(impl Faulty for $error {
            fn fault(&self) -> Fault {
                Fault::Run
            }
        })+
    };
}

of_the_run!(std::io::Error, std::fmt::Error, std::string::FromUtf8Error, serde_json::Error, csv::Error);

/// `true` where the system has no room for a further open file, which says nothing about the file itself.
pub(crate) fn too_many_open(why: &std::io::Error) -> bool {
    // EMFILE and ENFILE on Linux, macOS and the BSDs.
    cfg!(unix) && matches!(why.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::CombineError;
    use crate::data::{DataError, DecodeError};
    use crate::prune::PruneError;
    use crate::score::ScoreError;

    #[test]
    fn a_wish_that_cannot_be_is_told_from_data_that_cannot_be_used() {
        assert_eq!(CombineError::NoImages.fault(), Fault::Usage);
        assert_eq!(PruneError::Nothing.fault(), Fault::Usage);
        assert_eq!(DecodeError::Empty.fault(), Fault::Data);
        assert_eq!(DataError::NoClass { files: 3 }.fault(), Fault::Data);
        assert_eq!(ScoreError::NotFinite { row: 0 }.fault(), Fault::Run);
        assert_eq!(std::fmt::Error.fault(), Fault::Run);
    }

    #[test]
    #[cfg(feature = "engine")]
    fn a_precision_that_a_device_lacks_is_the_devices_fault_wherever_it_is_noticed() {
        use crate::device::DeviceError::NoMatrixUnits;
        use crate::model::ModelError;
        use crate::train::TrainError;
        assert_eq!(NoMatrixUnits.fault(), Fault::Device);
        assert_eq!(TrainError::Model(ModelError::Device(NoMatrixUnits)).fault(), Fault::Device);
        assert_eq!(TrainError::Model(ModelError::Empty).fault(), Fault::Usage);
    }
}
