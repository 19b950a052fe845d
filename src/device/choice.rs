//! How a device is named.

use serde::Serialize;

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

impl DeviceChoice {
    /// `true` where one of several is named by its number.
    pub(super) fn has_index(self) -> bool {
        matches!(self, Self::Wgpu(Some(_)) | Self::Vulkan(Some(_)) | Self::Cuda(Some(_)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
