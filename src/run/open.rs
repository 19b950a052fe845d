//! The one place where a run's device is chosen and opened.

use super::{Observer, RunError};
use crate::device::{DeviceChoice, DeviceError, Opened, Precision};
use crate::train::self_check;

/// Opens a device, tells the observer its name, and checks that it has the precision and that a GPU computes correctly.
///
/// # Errors
/// [`RunError::Device`] when it cannot be opened, computes wrongly, or lacks the precision.
pub fn open(choice: DeviceChoice, precision: Precision, observer: &dyn Observer) -> Result<Opened, RunError> {
    let opened = pollster::block_on(crate::device::open(choice))?;
    observer.say(&format!("device: {}", opened.name));
    precision.on(&opened.device)?;
    if !opened.is_cpu {
        let check = pollster::block_on(self_check(&opened.device, precision))
            .map_err(|why| DeviceError::Open { choice, why: why.to_string() })?;
        if !check.ok {
            let why = format!("its numbers are wrong ({check:?}); `device` cpu always works");
            return Err(DeviceError::Open { choice, why }.into());
        }
    }
    Ok(opened)
}
