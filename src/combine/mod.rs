//! Combine: shrink whole images and lay a grid of them into one composite.
//!
//! [`sources_per_class`] says how many images a class needs, [`plan_composites`] which goes to which
//! tile, a [`Composer`] makes the pixels and [`encode()`] the file. [`CompositeRecord`], [`Manifest`] and
//! [`card()`] tell what was made of what.

mod card;
mod compose;
mod difference;
mod encode;
mod error;
mod estimate;
mod manifest;
mod metadata;
mod plan;
mod set;
mod spec;
mod transform;

pub use card::card;
pub use compose::Composer;
pub use difference::Difference;
pub use encode::{Format, encode};
pub use error::CombineError;
pub use estimate::CostEstimate;
pub use manifest::{
    Bytes, Counts, Hashes, Manifest, ManifestError, SCHEMA, Tool, selection_hash, source_set_hash,
};
pub use metadata::{
    CompositeRecord, MetadataError, TileRecord, composite_name, ensure_records_fit, read_metadata,
    write_metadata,
};
pub use plan::{CompositePlan, IpcCounts, PickedSource, plan_composites, rank_of, sources_per_class};
pub use set::{CARD, DATA, METADATA, Made, SOURCE_FILTER, about, make, picked_sources};
pub use spec::SetSpec;
pub use transform::{MIN_SCALE, TORCHVISION_TRANSFORM, TORCHVISION_TRANSFORM_NAME};
