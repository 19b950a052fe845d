//! Augment: training views of stored images. Patch extraction crops inside one tile only.

mod view;

pub use view::{Mix, PatchOrder, View};
