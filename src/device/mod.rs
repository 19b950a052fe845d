//! Which device computes: how it is named, opened, and read.

#[cfg(feature = "cuda")]
mod cuda;
mod precision;
pub(crate) mod upload;
#[cfg(feature = "wgpu")]
mod watch;

use burn::tensor::{Device, Tensor};
use serde::Serialize;

pub use self::precision::{MatrixUnits, NoMatrixUnits, Precision};
use crate::fault::{Fault, Faulty};
use crate::kernel::copy::joined;
use crate::kernel::reshape::reshape;

/// A device as a user names it: `auto`, `cpu`, `wgpu[:n]`, `vulkan[:n]`, `cuda[:n]`, `metal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum DeviceChoice {
    /// The best that is certain: CUDA, then a GPU through wgpu, then the CPU. A software adapter counts
    /// as no GPU: it has the same cores as our CPU kernels, and takes tens of times as long on them (docs/performance.md;
    /// `tilepress doctor` times both). A browser, whose CPU kernels have one thread, tries it where there are many.
    #[default]
    Auto,
    /// The CPU (burn's Flex).
    Cpu,
    /// A GPU through whichever API wgpu prefers; the number counts the discrete ones.
    Wgpu(Option<usize>),
    /// A GPU through Vulkan, with SPIR-V kernels.
    Vulkan(Option<usize>),
    /// An NVIDIA GPU through CUDA.
    Cuda(Option<usize>),
    /// Apple's Metal.
    Metal,
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, index) = match self {
            Self::Auto => ("auto", None),
            Self::Cpu => ("cpu", None),
            Self::Wgpu(index) => ("wgpu", *index),
            Self::Vulkan(index) => ("vulkan", *index),
            Self::Cuda(index) => ("cuda", *index),
            Self::Metal => ("metal", None),
        };
        match index {
            Some(index) => write!(f, "{name}:{index}"),
            None => f.write_str(name),
        }
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("'{text}' is not a device; give auto, cpu, wgpu[:n], vulkan[:n], cuda[:n] or metal");
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        match (name, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("metal", None) => Ok(Self::Metal),
            ("wgpu", index) => Ok(Self::Wgpu(index)),
            ("vulkan", index) => Ok(Self::Vulkan(index)),
            ("cuda", index) => Ok(Self::Cuda(index)),
            _ => Err(wrong()),
        }
    }
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The program was built without it.
    #[error("--device {choice}: this build has no {feature}; rebuild with `--features {feature}`")]
    NotBuilt {
        /// The device asked for.
        choice: DeviceChoice,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// It does not open.
    #[error("--device {choice} cannot be opened: {why}; `tilepress doctor` lists what there is")]
    Open {
        /// The device asked for.
        choice: DeviceChoice,
        /// The driver's reason.
        why: String,
    },
}

impl DeviceError {
    /// Why, without the flag of the command line.
    pub fn reason(&self) -> String {
        match self {
            Self::NotBuilt { feature, .. } => format!("it was built without {feature}"),
            Self::Open { why, .. } => why.clone(),
        }
    }
}

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
    watch::watch(&setup.device);
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
        let name = cuda::take(place)?;
        Ok(Opened { device, name: format!("{name} ({choice})"), is_cpu: false })
    };
    open().map_err(|why: String| DeviceError::Open { choice, why })
}

#[cfg(not(feature = "cuda"))]
fn cuda(choice: DeviceChoice, _index: Option<usize>) -> Result<Opened, DeviceError> {
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

/// The values of a tensor, last dimension fastest: one transfer.
///
/// # Errors
/// The driver's message when the device does not answer, or has reported a fault by now: what it computed since is worth
/// nothing.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    #[cfg(feature = "wgpu")]
    let on_gpu = !is_cpu(&tensor.device());
    let data = tensor.into_data_async().await.map_err(|why| reason(&format!("{why:?}")))?;
    #[cfg(feature = "wgpu")]
    if on_gpu {
        watch::check()?;
    }
    data.try_to_vec::<f32>().map_err(|why| format!("{why:?}"))
}

/// What is said of memory that ran out, whoever noticed.
const MEMORY: &str = "its memory ran out; a smaller --batch-size or image size takes less";

/// A driver's report in one line, without the trace of our own calls behind it.
fn reason(report: &str) -> String {
    // cubecl's words, where it is not wgpu that allocates.
    if let Some(which) = report.lines().find(|line| line.contains("out of device memory")) {
        return format!("{MEMORY} ({})", which.trim());
    }
    let report = report.split("Backtrace:").next().unwrap_or_default();
    let lines = report.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// The values of several tensors, one after the other, in one transfer.
///
/// # Errors
/// As [`read`].
pub async fn read_all<const D: usize>(tensors: Vec<Tensor<D>>) -> Result<Vec<f32>, String> {
    let vector = |tensor: Tensor<D>| {
        let length = tensor.shape().num_elements();
        reshape(tensor, [length])
    };
    read(joined(tensors.into_iter().map(vector).collect())).await
}

impl Faulty for DeviceError {
    fn fault(&self) -> Fault {
        Fault::Device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_report_is_told_in_one_line() {
        let report =
            "An error happened\n\nCaused by:\n  the device is lost\n\nBacktrace:\n  0: here\n  1: there\n";
        assert_eq!(reason(report), "An error happened Caused by: the device is lost");
        assert_eq!(reason("gone"), "gone");
    }

    #[test]
    fn memory_that_ran_out_is_told_with_a_remedy() {
        let report =
            "Several failures at once\nCaused by:\n  out of device memory allocating 8 bytes\n  no trace\n";
        let told = reason(report);
        assert!(
            told.contains("a smaller --batch-size")
                && told.ends_with("(out of device memory allocating 8 bytes)")
        );
    }

    #[test]
    fn a_device_reads_back_what_it_writes() {
        for text in ["auto", "cpu", "wgpu", "wgpu:1", "vulkan:0", "cuda", "metal"] {
            assert_eq!(text.parse::<DeviceChoice>().expect("a device").to_string(), text);
        }
        for text in ["", "gpu", "cpu:0", "cuda:x", "wgpu:"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }
}
