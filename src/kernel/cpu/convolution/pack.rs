//! Weights as the tiles read them: panels of as many columns as a tile is wide, `[panels, taps, channels, panel]`.

use super::super::scratch::with_scratch;
use super::super::shared::Shared;
use crate::parallel::for_each;

/// Where the elements of a weight tensor lie: `column * columns.1 + channel * channels.1 + taps[tap]`, with the counts
/// of columns and channels first.
pub(super) struct Order<'a> {
    pub(super) columns: (usize, usize),
    pub(super) channels: (usize, usize),
    pub(super) taps: &'a [usize],
}

impl Order<'_> {
    /// Rows of a panel.
    pub(super) fn depth(&self) -> usize {
        self.taps.len() * self.channels.0
    }

    /// Floats of all panels.
    pub(super) fn packed(&self, panel: usize) -> usize {
        self.columns.0.div_ceil(panel) * self.depth() * panel
    }
}

/// Packs weights; columns past the last are zero.
pub(super) fn pack(panel: usize, order: &Order<'_>, weights: &[f32], to: &mut [f32]) {
    assert_eq!(to.len(), order.packed(panel));
    let (length, channels) = (order.depth() * panel, order.channels.0);
    let to = Shared::new(to);
    for_each(order.columns.0.div_ceil(panel), |p| {
        // SAFETY: each piece writes its own panel.
        let to = unsafe { to.slice(p * length..(p + 1) * length) };
        let columns = panel.min(order.columns.0 - p * panel);
        // A channel's taps lie together in the weights, and the columns of a row in the panel.
        for channel in 0..channels {
            for (tap, place) in order.taps.iter().enumerate() {
                let row = &mut to[(tap * channels + channel) * panel..][..panel];
                let start = p * panel * order.columns.1 + channel * order.channels.1 + place;
                for (n, value) in row[..columns].iter_mut().enumerate() {
                    *value = weights[start + n * order.columns.1];
                }
                row[columns..].fill(0.0);
            }
        }
    });
}

/// Adds up the panels of several parts, in their order, and brings the sums into the order of the weights.
pub(super) fn unpack(panel: usize, order: &Order<'_>, parts: &[f32], weights: &mut [f32]) {
    let (length, channels, all) = (order.depth() * panel, order.channels.0, order.packed(panel));
    assert_eq!(parts.len() % all, 0);
    let weights = Shared::new(weights);
    for_each(order.columns.0.div_ceil(panel), |p| {
        let columns = panel.min(order.columns.0 - p * panel);
        with_scratch(order.taps.len() * panel, |rows, _| {
            for channel in 0..channels {
                rows.fill(0.0);
                for part in parts.chunks_exact(all) {
                    for (tap, row) in rows.chunks_exact_mut(panel).enumerate() {
                        let part = &part[p * length + (tap * channels + channel) * panel..][..panel];
                        row.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                    }
                }
                for n in 0..columns {
                    let start = (p * panel + n) * order.columns.1 + channel * order.channels.1;
                    for (tap, place) in order.taps.iter().enumerate() {
                        // SAFETY: each piece writes its own columns.
                        unsafe { *weights.at(start + place) = rows[tap * panel + n] };
                    }
                }
            }
        });
    });
}
