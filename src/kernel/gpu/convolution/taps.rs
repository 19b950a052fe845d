//! The taps that a workgroup's pixels need, when they go place by place.

use cubecl::prelude::*;

use super::gather::{Gather, Way};
use super::order::Order;

/// A rectangle of taps: the first and the one past the last, down and across. There may be none, but never less.
#[derive(CubeType, Clone, Copy)]
pub(super) struct Taps {
    pub(super) top: u32,
    pub(super) bottom: u32,
    pub(super) left: u32,
    pub(super) right: u32,
}

/// The taps that a product of the pixels from `first` to before `last` needs: all others lie outside for each of them.
#[cube]
pub(super) fn taps_of_pixels(first: u32, last: u32, batch: u32, #[comptime] gather: Gather) -> Taps {
    if comptime!(gather.order == Order::Images) {
        Taps {
            top: 0u32.runtime(),
            bottom: comptime!(gather.taps(0) as u32).runtime(),
            left: 0u32.runtime(),
            right: comptime!(gather.taps(1) as u32).runtime(),
        }
    } else {
        let columns = comptime!(gather.pixels()[1].max(1) as u32);
        let (from, to) = (first / batch, select(last > first, last - 1, first) / batch);
        let (top, bottom) = (from / columns, to / columns);
        let (left, right) = (
            select(top == bottom, from % columns, 0u32),
            select(top == bottom, to % columns, comptime!(columns - 1)),
        );
        let (top, bottom) = taps_between(top, bottom, 0usize, gather);
        let (left, right) = taps_between(left, right, 1usize, gather);
        Taps { top, bottom: bottom.max(top), left, right: right.max(left) }
    }
}

/// The first tap in a direction that lies inside the source for one of the pixels from `low` to `high`, and the one past the
/// last.
#[cube]
fn taps_between(low: u32, high: u32, #[comptime] direction: usize, #[comptime] gather: Gather) -> (u32, u32) {
    let (length, taps) = comptime!((gather.source()[direction] as u32, gather.taps(direction) as u32));
    if comptime!(gather.way == Way::Forward) {
        let (stride, padding) = comptime!((gather.shape.stride as u32, gather.shape.padding as u32));
        let (low, high) = (low * stride, high * stride);
        let end = select(low < comptime!(length + padding), comptime!(length + padding) - low, 0u32);
        (select(high < padding, padding - high, 0u32), end.min(taps))
    } else {
        let shift = comptime!(gather.shift(direction) as u32);
        let (low, high) = (low + comptime!(shift + 1), high + comptime!(shift + 1));
        (select(low > length, low - length, 0u32), high.min(taps))
    }
}
