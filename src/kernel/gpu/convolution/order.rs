//! The order in which a product goes through the pixels of a batch, and the share of products that an order saves.
//!
//! A window at the border reaches beyond the image, where there are zeros. Of images of 2 × 2 pixels only 16 of 36 taps of a
//! 3 × 3 kernel lie inside. A workgroup whose pixels all have one place in their images leaves such taps out.
//!
//! Its windows do not overlap, so that it reads more from afar. Matrix units, which multiply a dozen times as fast, would wait
//! for it: they keep to whole images.

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
