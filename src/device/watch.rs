//! Reports of a GPU's driver outside of any call: a refused shader, memory that ran out, a lost device.
//!
//! cubecl panics on it, which ends a program without a word to its user and kills a WebAssembly module for good. Here the
//! first fault is kept, and whoever reads from the device next is told.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::wgpu::wgpu;

use super::error::DeviceError;

static FAULT: Mutex<Option<String>> = Mutex::new(None);

/// The device of the tests, for them to break.
#[cfg(test)]
static WATCHED: Mutex<Option<wgpu::Device>> = Mutex::new(None);

/// Takes the place of cubecl's handler of errors that no call returns. (That of a lost device stays: it makes every later
/// call an error.)
pub(super) fn watch(device: &wgpu::Device) {
    #[cfg(test)]
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).replace(device.clone());
    device.on_uncaptured_error(Arc::new(|error: wgpu::Error| {
        let what = match &error {
            wgpu::Error::OutOfMemory { .. } => super::report::MEMORY,
            wgpu::Error::Validation { .. } => "it refused a kernel",
            wgpu::Error::Internal { .. } => "its driver failed",
        };
        record(format!("{what} ({error})"));
    }));
}

fn slot() -> std::sync::MutexGuard<'static, Option<String>> {
    FAULT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the first fault: those that follow are its consequences.
fn record(what: String) {
    log::error!("the GPU reported: {what}");
    slot().get_or_insert(what);
}

/// The fault of the GPU, if it had one. Its results are not to be believed from then on.
pub(super) fn check() -> Result<(), DeviceError> {
    slot().clone().map_or(Ok(()), |what| Err(DeviceError::Failed(what)))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use pollster::block_on;

    use super::*;
    use crate::device::read;

    #[test]
    fn a_refused_shader_is_an_error_of_the_next_reading_from_that_gpu() {
        let Some(device) = crate::device::testing::wgpu() else { return };
        let on_gpu = || block_on(read(Tensor::<1>::ones([3], &*device)));
        assert!(on_gpu().is_ok());
        let watched =
            WATCHED.lock().unwrap_or_else(PoisonError::into_inner).clone().expect("the GPU is watched");
        let _refused = watched.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl("fn broken( {".into()),
        });
        record("a consequence".to_owned());
        let why = on_gpu();
        *slot() = None;
        let why = why.expect_err("a shader was refused").to_string();
        assert!(why.contains("refused a kernel"), "{why}");
        assert!(on_gpu().is_ok());
    }

    #[test]
    #[cfg(feature = "flex")]
    fn a_fault_of_the_gpu_is_none_of_the_cpu() {
        let Some(_turn) = crate::device::testing::wgpu() else { return };
        record("gone".to_owned());
        let read = block_on(read(Tensor::<1>::ones([3], &burn::tensor::Device::flex())));
        *slot() = None;
        assert!(read.is_ok());
    }
}
