//! Channels are handled in vectors of four.

use cubecl::prelude::*;

/// Channels of a vector.
pub(super) const LANES: usize = 4;

/// Four floats.
pub(super) type Vec4 = Vector<f32, Const<4>>;
