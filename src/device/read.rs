//! Numbers of a device, for the host.

use burn::tensor::Tensor;

use super::error::DeviceError;
#[cfg(feature = "wgpu")]
use super::open::is_cpu;
use super::report::reason;

/// The values of a tensor, last dimension fastest: one transfer.
///
/// # Errors
/// [`DeviceError::Failed`] when the device does not answer, or has reported a fault by now: what it computed since is worth
/// nothing.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceError> {
    let failed = DeviceError::Failed;
    #[cfg(feature = "wgpu")]
    let on_gpu = !is_cpu(&tensor.device());
    let data = tensor.into_data_async().await.map_err(|why| failed(reason(&format!("{why:?}"))))?;
    #[cfg(feature = "wgpu")]
    if on_gpu {
        super::watch::check()?;
    }
    data.try_to_vec::<f32>().map_err(|why| failed(format!("{why:?}")))
}
