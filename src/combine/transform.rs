//! The transform for torchvision that goes with every compressed set.

/// The smallest scale of a crop where nobody names one, here and in [`TORCHVISION_TRANSFORM`]. Ours; the paper names none, and
/// torchvision's is 0.08.
pub const MIN_SCALE: f64 = 0.5;

/// `tilepress_transform.py`: patch extraction for torchvision, written beside every compressed set.
pub const TORCHVISION_TRANSFORM: &str = include_str!("tilepress_transform.py");
/// The file name of [`TORCHVISION_TRANSFORM`].
pub const TORCHVISION_TRANSFORM_NAME: &str = "tilepress_transform.py";
