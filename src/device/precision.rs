//! The precision of convolutions, and the devices that have units for half operands.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::error::DeviceError;
use crate::words::words;

/// The precision of a network's convolutions.
///
/// Weights, activations, gradients and the optimiser's state are 32-bit floats either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Products of 32-bit floats.
    #[default]
    Full,
    /// Products of halves, added in 32-bit floats by the device's matrix units ("tensor cores"). Operands are rounded to
    /// halves where they are read; the classifier stays in full precision. Needs a device that has [`MatrixUnits`].
    Mixed,
}

words!(Precision, "precision", Full = "full", Mixed = "mixed");

impl Precision {
    /// Checks that `device` can compute in this precision.
    ///
    /// # Errors
    /// [`DeviceError::NoMatrixUnits`] when it cannot.
    pub fn on(self, device: &Device) -> Result<(), DeviceError> {
        match self {
            Self::Mixed if MatrixUnits::of(device).is_none() => Err(DeviceError::NoMatrixUnits),
            _ => Ok(()),
        }
    }
}

/// A GPU's units that multiply small matrices of halves and add in 32-bit floats: NVIDIA's tensor cores, AMD's WMMA, Intel's
/// XMX, or what a driver offers in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MatrixUnits {
    /// Rows of the product that they make at once.
    pub rows: usize,
    /// Columns of the product that they make at once.
    pub columns: usize,
    /// Products that are added for each of its numbers.
    pub depth: usize,
    /// Most invocations that a subgroup may have.
    pub(crate) subgroup: usize,
    /// `true` where every subgroup has so many.
    pub(crate) fixed: bool,
    /// Most invocations of a workgroup, up to 256.
    pub(crate) invocations: usize,
    /// Bytes of shared memory of a workgroup, up to 48 KiB.
    pub(crate) shared: usize,
}

impl std::fmt::Display for MatrixUnits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.columns, self.depth)
    }
}

impl MatrixUnits {
    /// Those of a device, with or without autodiff; `None` when it has none that we can use. WebGPU offers none.
    pub fn of(device: &Device) -> Option<Self> {
        #[cfg(all(feature = "cube", not(target_family = "wasm")))]
        {
            use burn::backend::DispatchDevice;
            match device.clone().inner().as_dispatch() {
                DispatchDevice::Cube(device) => Self::listed(device.client().properties()),
                #[allow(unreachable_patterns, reason = "without the CPU there is no other")]
                _ => None,
            }
        }
        #[cfg(not(all(feature = "cube", not(target_family = "wasm"))))]
        {
            let _ = device;
            None
        }
    }
}

#[cfg(all(feature = "cube", not(target_family = "wasm")))]
mod listed {
    use cubecl::ir::features::{MmaConfig, Plane, TypeUsage};
    use cubecl::ir::{DeviceProperties, ElemType, FloatKind};

    use super::MatrixUnits;

    /// Sides of a product that our kernels cut their tiles for.
    const SIDES: std::ops::RangeInclusive<u32> = 8..=32;

    impl MatrixUnits {
        /// The units that a device lists.
        pub(crate) fn listed(properties: &DeviceProperties) -> Option<Self> {
            let half = ElemType::Float(FloatKind::F16);
            let usable = |units: &&MmaConfig| {
                units.a_type == half
                    && units.b_type == half
                    && units.cd_type == ElemType::Float(FloatKind::F32)
                    && [units.m, units.n, units.k]
                        .iter()
                        .all(|side| SIDES.contains(side) && side.is_power_of_two())
            };
            let features = &properties.features;
            if !features.type_usage(half).is_superset(TypeUsage::Conversion | TypeUsage::Buffer)
                || !features.plane.contains(Plane::Sync)
            {
                return None;
            }
            // The largest product; of equally large ones the one nearest to a square, which reads the fewest operands.
            let units = features
                .matmul
                .cmma
                .iter()
                .filter(usable)
                .max_by_key(|units| (units.m * units.n * units.k, units.m.min(units.n)))?;
            let hardware = &properties.hardware;
            let subgroup = hardware.plane_size_max as usize;
            (subgroup.is_power_of_two()).then_some(Self {
                rows: units.m as usize,
                columns: units.n as usize,
                depth: units.k as usize,
                subgroup,
                fixed: hardware.plane_size_min == hardware.plane_size_max,
                invocations: (hardware.max_units_per_cube as usize).min(256),
                shared: hardware.max_shared_memory_size.min(48 << 10),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_reads_back_what_it_writes() {
        for text in ["full", "mixed"] {
            assert_eq!(text.parse::<Precision>().expect("a precision").to_string(), text);
        }
        assert!("half".parse::<Precision>().is_err());
    }

    #[test]
    #[cfg(feature = "flex")]
    fn the_cpu_has_no_matrix_units_and_says_what_to_give_instead() {
        let cpu = Device::flex();
        assert_eq!(Precision::Full.on(&cpu), Ok(()));
        let refused = Precision::Mixed.on(&cpu.autodiff()).expect_err("a CPU").to_string();
        assert!(refused.contains("`precision` mixed") && refused.contains("`precision` full"), "{refused}");
    }
}
