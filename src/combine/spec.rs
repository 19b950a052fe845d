//! Spec of a compressed set: everything that was asked of it but the choice of its images.

use serde::{Deserialize, Serialize};

use super::{CombineError, Composer, Format, IpcCounts, sources_per_class};
use crate::bounds::SIDE;
use crate::data::{ClassMap, Grid, ensure_relative};

/// Spec of a compressed set: its composites, and how they are made. Part of the [`Manifest`](super::Manifest).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSpec {
    /// Seed of every random choice.
    pub seed: u64,
    /// Images per class.
    pub ipc: u32,
    /// Kind of images that `ipc` counts.
    pub ipc_counts: IpcCounts,
    /// Tiles of a composite.
    pub grid: Grid,
    /// Width and height of a composite in pixels.
    pub side: u32,
    /// Way in which a source is brought to the aspect ratio of its tile: `squash`, `crop` or `pad`.
    pub fit: String,
    /// Kernel of the resize, such as `bilinear`.
    pub filter: String,
    /// File format of the composites.
    pub format: Format,
    /// The classes in the order of their numbers.
    pub classes: ClassMap,
}

impl SetSpec {
    /// Composites and sources of one class: `(composites, sources)`.
    ///
    /// # Errors
    /// As [`sources_per_class`].
    pub fn per_class(&self) -> Result<(u32, u32), CombineError> {
        sources_per_class(self.ipc, self.grid, self.ipc_counts)
    }

    /// Checks a spec that was read from a file: every number in its range, every class a folder name.
    ///
    /// # Errors
    /// The field with what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        SIDE.named("side").check(self.side.into()).map_err(|why| why.to_string())?;
        self.per_class().map_err(|why| why.to_string())?;
        Composer::new(self.grid, self.side).map_err(|why| why.to_string())?;
        if let Format::Jpeg { quality } = self.format {
            self.format.with_quality(quality).map_err(|why| why.to_string())?;
        }
        if self.classes.is_empty() {
            return Err("classes is empty".to_owned());
        }
        match self.classes.names().iter().find(|name| name.contains('/') || ensure_relative(name).is_err()) {
            Some(name) => Err(format!("class '{name}' is no name of a folder")),
            None => Ok(()),
        }
    }
}
