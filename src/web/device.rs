//! Opening a device by the name that JavaScript gives it.

#[cfg(feature = "wgpu")]
use std::cell::RefCell;

use burn::tensor::Device;

use super::error::{Code, WebError};

#[cfg(feature = "wgpu")]
thread_local! {
    /// The GPU device: it may be initialised once only in the life of the module.
    static WEBGPU: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// Opens `flex` or `webgpu`, where this package was built with it.
pub(super) async fn open(name: &str) -> Result<Device, WebError> {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        "webgpu" => open_webgpu().await,
        _ => Err(WebError::new(
            Code::Usage,
            &format_args!(
                "there is no device {name:?} in this package; it takes \"flex\" (the CPU) or \"webgpu\""
            ),
        )),
    }
}

#[cfg(feature = "wgpu")]
async fn open_webgpu() -> Result<Device, WebError> {
    if let Some(device) = WEBGPU.with_borrow(Clone::clone) {
        return Ok(device);
    }
    let device = Device::wgpu_options().init_async().await.map_err(|error| {
        WebError::new(
            Code::Device,
            &format_args!("WebGPU cannot be used here: {error}. The device \"flex\" works in every browser"),
        )
    })?;
    WEBGPU.set(Some(device.clone()));
    Ok(device)
}
