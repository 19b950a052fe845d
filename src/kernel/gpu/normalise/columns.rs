//! Sums over pixels, one for each channel.

use cubecl::prelude::*;

use crate::kernel::gpu::reduce::{Sum, reduce};

/// Layout of a workgroup that sums over pixels: `across` invocations side by side, one for each vector of channels, and `down`
/// rows of them, each on its own pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Columns {
    /// Vectors of channels.
    pub(super) channels: usize,
    /// Invocations side by side.
    pub(super) across: usize,
    /// Invocations below one another: a power of two.
    pub(super) down: usize,
}

/// Invocations of a workgroup.
const UNITS: usize = 64;
/// Invocations side by side, at most: enough to read whole cache lines.
const ACROSS: usize = 16;

impl Columns {
    /// Layout for `channels` vectors of channels.
    pub(super) fn new(channels: usize) -> Self {
        let across = channels.next_power_of_two().min(ACROSS);
        Self { channels, across, down: UNITS / across }
    }

    pub(super) fn units(&self) -> usize {
        self.across * self.down
    }

    /// Workgroups that reach all channels.
    pub(super) fn groups(&self) -> usize {
        self.channels.div_ceil(self.across)
    }
}

/// The sum of the values of all invocations in one column.
#[cube]
pub(super) fn add_rows<N: Size>(own: Vector<f32, N>, #[comptime] columns: Columns) -> Vector<f32, N> {
    reduce::<Vector<f32, N>, Sum>(own, comptime!(columns.units()), comptime!(columns.across))
}
