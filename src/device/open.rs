//! Opening a device.

use burn::tensor::Device;

use super::choice::DeviceChoice;
use super::error::DeviceError;

/// An opened device.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The plain device, without autodiff.
    pub device: Device,
    /// What it is, for people.
    pub name: String,
    /// Whether it is the CPU, where each student of a cohort gets a core.
    pub is_cpu: bool,
}

/// Opens a device.
///
/// # Errors
/// [`DeviceError`] when the build lacks it or the driver refuses. `auto` falls back to the CPU.
pub async fn open(choice: DeviceChoice) -> Result<Opened, DeviceError> {
    match choice {
        DeviceChoice::Auto => open_best().await,
        DeviceChoice::Cpu => cpu(choice),
        DeviceChoice::Wgpu(index) => wgpu(choice, index).await,
        DeviceChoice::Vulkan(index) => vulkan(choice, index).await,
        DeviceChoice::Cuda(index) => cuda(choice, index),
        DeviceChoice::Metal => metal(choice).await,
    }
}

async fn open_best() -> Result<Opened, DeviceError> {
    #[cfg(feature = "cuda")]
    if !Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec().is_empty() {
        match cuda(DeviceChoice::Cuda(None), None) {
            Ok(opened) => return Ok(opened),
            Err(error) => log::warn!("there is an NVIDIA GPU, but {}", error.reason()),
        }
    }
    #[cfg(feature = "wgpu")]
    if let Ok(opened) = wgpu(DeviceChoice::Wgpu(None), None).await
        && opened.device.identity().is_some_and(|identity| identity.physical.is_some())
    {
        return Ok(opened);
    }
    cpu(DeviceChoice::Auto)
}

#[cfg(feature = "flex")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn cpu(_choice: DeviceChoice) -> Result<Opened, DeviceError> {
    Ok(Opened { device: Device::flex(), name: "CPU (Flex)".to_owned(), is_cpu: true })
}

#[cfg(not(feature = "flex"))]
fn cpu(choice: DeviceChoice) -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt { choice, feature: "flex" })
}

#[cfg(feature = "wgpu")]
async fn through_wgpu(
    choice: DeviceChoice,
    index: Option<usize>,
    api: burn::tensor::wgpu::WgpuBackend,
) -> Result<Opened, DeviceError> {
    use burn::tensor::DeviceKind;
    let kind = index.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu);
    let options = Device::wgpu_options().device_kind(kind).graphics_api(api);
    let (device, setup) = options
        .init_with_setup_async()
        .await
        .map_err(|why| DeviceError::Open { choice, why: why.to_string() })?;
    super::watch::watch(&setup.device);
    log::info!("features of the GPU: {:?}", setup.device.features());
    log::info!("limits of the GPU: {:?}", setup.device.limits());
    let name = device.identity().map_or_else(|| choice.to_string(), |identity| identity.name);
    Ok(Opened { device, name: format!("{name} ({choice})"), is_cpu: false })
}

#[cfg(feature = "wgpu")]
async fn wgpu(choice: DeviceChoice, index: Option<usize>) -> Result<Opened, DeviceError> {
    through_wgpu(choice, index, burn::tensor::wgpu::WgpuBackend::Auto).await
}

#[cfg(not(feature = "wgpu"))]
async fn wgpu(choice: DeviceChoice, _index: Option<usize>) -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt { choice, feature: "wgpu" })
}

#[cfg(feature = "vulkan")]
async fn vulkan(choice: DeviceChoice, index: Option<usize>) -> Result<Opened, DeviceError> {
    through_wgpu(choice, index, burn::tensor::wgpu::WgpuBackend::Vulkan).await
}

#[cfg(not(feature = "vulkan"))]
async fn vulkan(choice: DeviceChoice, _index: Option<usize>) -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt { choice, feature: "vulkan" })
}

#[cfg(feature = "metal")]
async fn metal(choice: DeviceChoice) -> Result<Opened, DeviceError> {
    through_wgpu(choice, None, burn::tensor::wgpu::WgpuBackend::Metal).await
}

#[cfg(not(feature = "metal"))]
async fn metal(choice: DeviceChoice) -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt { choice, feature: "metal" })
}

#[cfg(feature = "cuda")]
fn cuda(choice: DeviceChoice, index: Option<usize>) -> Result<Opened, DeviceError> {
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec();
    let place = index.unwrap_or(0);
    let open = || {
        let device = found.into_iter().nth(place).ok_or("no such GPU")?;
        let name = super::cuda::take(place)?;
        Ok(Opened { device, name: format!("{name} ({choice})"), is_cpu: false })
    };
    open().map_err(|why: String| DeviceError::Open { choice, why })
}

#[cfg(not(feature = "cuda"))]
fn cuda(choice: DeviceChoice, _index: Option<usize>) -> Result<Opened, DeviceError> {
    Err(DeviceError::NotBuilt { choice, feature: "cuda" })
}

/// Number of NVIDIA GPUs that `cuda:all` means.
///
/// # Errors
/// [`DeviceError`] when the build lacks CUDA, or there is none.
pub fn cuda_count() -> Result<usize, DeviceError> {
    let choice = DeviceChoice::Cuda(None);
    #[cfg(feature = "cuda")]
    {
        match Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec().len() {
            0 => Err(DeviceError::Open { choice, why: "no such GPU".to_owned() }),
            count => Ok(count),
        }
    }
    #[cfg(not(feature = "cuda"))]
    Err(DeviceError::NotBuilt { choice, feature: "cuda" })
}

/// Whether a device is the CPU (burn's Flex), with or without autodiff.
pub(crate) fn is_cpu(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    {
        use burn::backend::DispatchDevice;
        matches!(device.clone().inner().as_dispatch(), DispatchDevice::Flex(_))
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}
