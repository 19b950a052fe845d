//! The GPU of the tests.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use burn::tensor::Device;

use super::choice::DeviceChoice;
use super::open::open;
use super::precision::MatrixUnits;

/// A turn on the GPU: one test at a time, as a fault of the device is one for all.
pub(crate) struct Gpu {
    device: Device,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Gpu {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.device
    }
}

/// A device through wgpu, opened once for all tests of the process, as burn allows no more. `None` where there is no
/// adapter; `cargo xtask test` installs a software one and then says that there must be one.
pub(crate) fn wgpu() -> Option<Gpu> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = DEVICE.get_or_init(|| match pollster::block_on(open(DeviceChoice::Wgpu(None))) {
        Ok(opened) => Some(opened.device),
        Err(why) => {
            assert!(std::env::var_os("TILEPRESS_NEEDS_WGPU").is_none(), "no wgpu adapter: {why}");
            eprintln!("no wgpu adapter here, nothing tested: {why}");
            None
        }
    });
    device.clone().map(|device| Gpu { device, _turn: turn })
}

/// The same device and its matrix units. `None` where it has none; `TILEPRESS_NEEDS_MATRIX_UNITS` says that it must.
pub(crate) fn matrix_units() -> Option<(Gpu, MatrixUnits)> {
    let gpu = wgpu();
    let units = gpu.as_deref().and_then(MatrixUnits::of);
    if units.is_none() {
        assert!(std::env::var_os("TILEPRESS_NEEDS_MATRIX_UNITS").is_none(), "no matrix units");
        eprintln!("no matrix units here, nothing tested");
    }
    gpu.zip(units)
}
