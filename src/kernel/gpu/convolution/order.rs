//! In which order a product goes through the pixels of a batch, and what that saves.
//!
//! A window at the border reaches beyond the image, where there are zeros. Of images of 2 × 2 pixels only 16 of 36 taps of a
//! 3 × 3 kernel lie inside. A workgroup whose pixels all have one place in their images leaves such taps out.
//!
//! Its windows do not overlap, so that it reads more from afar. Matrix units, which multiply a dozen times as fast, would wait
//! for it: they keep to whole images.

use cubecl::prelude::*;

use super::gather::{Gather, Way};
use super::shape::Shape;

/// The order of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    /// Image by image. Windows of neighbours overlap, so that most of what a workgroup reads is at hand.
    Images,
    /// Place by place: of each the pixels of all images.
    Places,
}

/// Products with zeros that an order by places has to save, of all.
const WORTH: f64 = 0.25;

impl Order {
    /// For a convolution's three products.
    pub(super) fn of(shape: Shape) -> Self {
        let outside = 1.0 - inside(shape);
        if outside >= WORTH { Self::Places } else { Self::Images }
    }
}

/// The share of all pairs of a pixel of the output and a tap that lie inside the image.
fn inside(shape: Shape) -> f64 {
    let Shape { height, width, output_height, output_width, kernel, stride, padding, .. } = shape;
    let along = |length: usize, output: usize| {
        let pairs = (0..output).flat_map(|pixel| (0..kernel).map(move |tap| pixel * stride + tap));
        pairs.filter(|place| (padding..length + padding).contains(place)).count() as f64
    };
    along(height, output_height) * along(width, output_width)
        / (output_height * output_width * shape.taps()) as f64
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Precision;
    use crate::kernel::convolution::Window;

    fn shape(images: [usize; 3], kernel: usize, stride: usize) -> Shape {
        let window = Window { stride, padding: kernel / 2, students: 1, precision: Precision::Full };
        Shape::new(&[1, images[0], images[1], images[2]], &[8, images[2], kernel, kernel], window)
    }

    #[test]
    fn the_share_inside_is_that_of_taps_counted_by_hand() {
        // Of a row of two pixels, taps -1, 0, 1 around each: two of three lie inside.
        assert_eq!(inside(shape([2, 2, 4], 3, 1)), 16.0 / 36.0);
        assert_eq!(inside(shape([1, 1, 4], 3, 1)), 1.0 / 9.0);
        assert_eq!(inside(shape([4, 1, 4], 3, 1)), 10.0 * 1.0 / 36.0);
        // Windows at -1 and 1 of four pixels: two and three taps.
        assert_eq!(inside(shape([4, 4, 4], 3, 2)), 25.0 / 36.0);
        assert_eq!(inside(shape([7, 5, 4], 1, 2)), 1.0);
    }

    #[test]
    fn only_small_images_are_gone_through_by_places() {
        assert_eq!(Order::of(shape([2, 2, 512], 3, 1)), Order::Places);
        assert_eq!(Order::of(shape([4, 4, 256], 3, 1)), Order::Places);
        assert_eq!(Order::of(shape([8, 8, 128], 3, 1)), Order::Images);
        assert_eq!(Order::of(shape([224, 224, 3], 7, 2)), Order::Images);
        assert_eq!(Order::of(shape([1, 1, 512], 1, 1)), Order::Images);
    }
}
