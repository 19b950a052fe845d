//! Augment: training views of stored images. Patch extraction crops inside one tile only.
//!
//! An [`Augmentation`] is the policy for views, a [`Planner`] draws [`View`]s from counters, and an
//! [`Executor`] turns planned views into a float batch on the CPU.

mod crop;
mod error;
mod execute;
mod normalise;
mod picture;
mod plan;
mod policy;
mod resample;
#[cfg(test)]
mod transform;
mod view;
#[cfg(test)]
mod whole;

pub use crop::{Crop, CropChoice};
pub use error::AugmentError;
pub use execute::Executor;
pub use normalise::{Layout, Normalise, normalise_into};
pub use picture::picture;
pub use plan::Planner;
pub use policy::{Augmentation, Cutout, MixKind};
pub use view::{Mix, PatchOrder, View};
