//! The GPU of the tests.

use std::sync::OnceLock;

use burn::tensor::Device;

/// A device through wgpu, initialised once for all tests of the process, as burn allows no more. `None` where there is no
/// adapter; `cargo xtask test` installs a software one and then says that there must be one.
pub(crate) fn wgpu() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    DEVICE
        .get_or_init(|| match pollster::block_on(Device::wgpu_options().init_async()) {
            Ok(device) => Some(device),
            Err(why) => {
                assert!(std::env::var_os("TILEPRESS_NEEDS_WGPU").is_none(), "no wgpu adapter: {why:?}");
                eprintln!("no wgpu adapter here, nothing tested: {why:?}");
                None
            }
        })
        .clone()
}
