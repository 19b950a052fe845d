//! Weights at the points: `[panels, POINTS, channels, panel]`.

use core::ops::Range;

use super::super::super::isa::Kernels;
use super::super::super::shared::Shared;
use super::super::super::transform::Squares;
use super::super::pack::Order;
use super::frame::{AXIS, POINTS};
use crate::parallel::for_each;

/// Channels in a piece of work.
const BLOCK: usize = 32;
/// Channels whose taps are gathered before they are mapped: what has just been written one by one cannot be read as
/// registers at once.
const TOGETHER: usize = 8;
/// Taps of a kernel, and along its side.
const TAPS: usize = TAPS_SIDE * TAPS_SIDE;
const TAPS_SIDE: usize = 3;
/// The widest panel.
const WIDEST: usize = 64;

/// Floats of packed weights.
pub(super) fn packed(panel: usize, order: &Order<'_>) -> usize {
    order.columns.0.div_ceil(panel) * POINTS * order.channels.0 * panel
}

/// Maps weights to the points and packs them; columns past the last are zero.
pub(super) fn pack(kernels: &Kernels, order: &Order<'_>, weights: &[f32], to: &mut [f32]) {
    let (panel, channels) = (kernels.panel, order.channels.0);
    assert!(to.len() == packed(panel, order) && order.taps.len() == TAPS && panel <= WIDEST);
    let point = channels * panel;
    let to = Shared::new(to);
    for_pieces(panel, order, |p, block, columns| {
        for first in block.clone().step_by(TOGETHER) {
            let several = TOGETHER.min(block.end - first);
            let mut taps = [0.0; TOGETHER * TAPS * WIDEST];
            for (channel, taps) in (first..first + several).zip(taps.chunks_exact_mut(TAPS * panel)) {
                for n in 0..columns {
                    let start = (p * panel + n) * order.columns.1 + channel * order.channels.1;
                    for (tap, place) in order.taps.iter().enumerate() {
                        taps[tap * panel + n] = weights[start + place];
                    }
                }
            }
            // SAFETY: each channel of each panel is written by one piece of work.
            unsafe {
                (kernels.taps)(&Squares {
                    squares: several,
                    channels: panel,
                    from: taps.as_ptr(),
                    from_step: [TAPS * panel, TAPS_SIDE * panel, panel],
                    to: to.at(p * POINTS * point + first * panel),
                    to_step: [panel, AXIS * point, point],
                    exist: [usize::MAX; 2],
                    bias: core::ptr::null(),
                });
            }
        }
    });
}

/// Adds up the sums at the points of several parts, `[panels, POINTS, channels, panel]` each, in their order, and maps
/// them to the gradients of the taps.
pub(super) fn unpack(kernels: &Kernels, order: &Order<'_>, parts: &[f32], weights: Shared<'_, f32>) {
    let (panel, channels, all) = (kernels.panel, order.channels.0, packed(kernels.panel, order));
    assert!(parts.len().is_multiple_of(all) && order.taps.len() == TAPS && panel <= WIDEST);
    for_pieces(panel, order, |p, block, columns| {
        for channel in block {
            let mut sums = [0.0; POINTS * WIDEST];
            for part in parts.chunks_exact(all) {
                for (point, sums) in sums.chunks_exact_mut(panel).take(POINTS).enumerate() {
                    let part = &part[((p * POINTS + point) * channels + channel) * panel..][..panel];
                    sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
            }
            let mut taps = [0.0; TAPS * WIDEST];
            // SAFETY: the sums and the taps of one channel.
            unsafe {
                (kernels.tap_gradients)(&Squares {
                    squares: 1,
                    channels: panel,
                    from: sums.as_ptr(),
                    from_step: [0, AXIS * panel, panel],
                    to: taps.as_mut_ptr(),
                    to_step: [0, TAPS_SIDE * panel, panel],
                    exist: [usize::MAX; 2],
                    bias: core::ptr::null(),
                });
            }
            let start = p * panel * order.columns.1 + channel * order.channels.1;
            for n in 0..columns {
                for (tap, place) in order.taps.iter().enumerate() {
                    // SAFETY: each channel of each panel is written by one piece of work.
                    unsafe { *weights.at(start + n * order.columns.1 + place) = taps[tap * panel + n] };
                }
            }
        }
    });
}

/// Calls `work(panel, channels, columns of the panel that exist)` for all channels of every panel, some at a time.
fn for_pieces(panel: usize, order: &Order<'_>, work: impl Fn(usize, Range<usize>, usize) + Sync) {
    let (columns, channels) = (order.columns.0, order.channels.0);
    let blocks = channels.div_ceil(BLOCK);
    for_each(columns.div_ceil(panel) * blocks, |piece| {
        let (p, block) = (piece / blocks, piece % blocks);
        work(p, block * BLOCK..channels.min((block + 1) * BLOCK), panel.min(columns - p * panel));
    });
}
