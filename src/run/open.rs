//! The one place where a run's devices are chosen and opened.

use super::{Devices, Observer, RunError};
use crate::device::{DeviceChoice, DeviceError, DeviceList, Opened, Precision, cuda_count};
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

/// Opens all devices of a list, each as [`open`] does.
///
/// # Errors
/// [`RunError::Device`] for the first that fails.
pub fn open_all(
    list: &DeviceList,
    precision: Precision,
    observer: &dyn Observer,
) -> Result<Devices, RunError> {
    let choices = choices(list)?;
    let opened = choices.into_iter().map(|choice| open(choice, precision, observer));
    Ok(Devices::of(opened.collect::<Result<Vec<_>, _>>()?))
}

/// Opens the device of one of the ranks on this machine: they take those of the list in turns.
///
/// # Errors
/// [`RunError::Device`] when it cannot be opened.
pub fn open_own(
    list: &DeviceList,
    own: usize,
    precision: Precision,
    observer: &dyn Observer,
) -> Result<Devices, RunError> {
    let choices = choices(list)?;
    Ok(open(choices[own % choices.len()], precision, observer)?.into())
}

/// The devices of a list, at least one.
fn choices(list: &DeviceList) -> Result<Vec<DeviceChoice>, DeviceError> {
    match list {
        DeviceList::Named(choices) => Ok(choices.clone()),
        DeviceList::AllCuda => Ok((0..cuda_count()?).map(|place| DeviceChoice::Cuda(Some(place))).collect()),
    }
}
