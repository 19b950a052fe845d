//! Images at the sharpness of a tile: shrunk to its size and enlarged again, as training enlarges tiles.

use super::{DataError, Filter, Fit, ImageSet, Resizer, Source};
use crate::parallel::{Failures, for_each_chunk};

/// The same images with no more detail than `width` × `height` pixels hold, in memory.
///
/// # Errors
/// [`DataError`] when an image cannot be had.
///
/// # Panics
/// When a side is 0.
pub fn blurred(source: &dyn Source, width: u32, height: u32) -> Result<ImageSet, DataError> {
    let whole = (source.side(), source.side());
    let size = whole.0 as usize * whole.1 as usize * 3;
    let images: Vec<u32> = (0..source.len() as u32).collect();
    let mut pixels = vec![0; images.len() * size];
    let scratch = || (Resizer::new(), vec![0; width as usize * height as usize * 3], Vec::new());
    let failures = Failures::default();
    for_each_chunk(&images, &mut pixels, size, scratch, |(resizer, tile, buffer), &image, out| {
        let fetched = source.fetch(image as usize, buffer);
        let Some(pixels) = failures.kept(image, fetched) else { return };
        resizer.resize_into(pixels, whole, (width, height), Fit::Squash, Filter::Bilinear, tile);
        resizer.resize_into(tile, (width, height), whole, Fit::Squash, Filter::Bilinear, out);
    });
    failures.first()?;
    ImageSet::from_parts(source.side(), pixels, source.labels().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlarged_pixels_lie_between_the_centres_of_the_small_ones_and_images_stay_apart() {
        // Columns of 0 and 100, two pixels wide: shrunk to 2 x 2 they are as sharp as before.
        let columns = (0..16).flat_map(|at| [if at % 4 < 2 { 0 } else { 100 }; 3]);
        let pixels = columns.chain([200; 48]).collect();
        let set = ImageSet::from_parts(4, pixels, vec![0, 1]).expect("two images");
        let set = blurred(&set, 2, 2).expect("memory does not fail");
        let row: Vec<u8> = set.image(0)[..12].chunks(3).map(|pixel| pixel[0]).collect();
        assert!(row[0] < row[1] && row[1] < row[2] && row[2] < row[3], "{row:?}");
        assert!(row[0].abs_diff(100 - row[3]) <= 1 && row[1].abs_diff(100 - row[2]) <= 1, "{row:?}");
        assert!(set.image(1).iter().all(|&value| value == 200));
    }

    #[test]
    fn blurred_images_lose_what_a_tile_cannot_hold_and_no_more() {
        // An even grey, and a chessboard whose squares are single pixels.
        let side = 16;
        let even = vec![90; side * side * 3];
        let board =
            (0..side * side).flat_map(|at| [if (at / side + at % side) % 2 == 0 { 0 } else { 200 }; 3]);
        let pixels = even.iter().copied().chain(board).collect();
        let set = ImageSet::from_parts(side as u32, pixels, vec![4, 2]).expect("two images");
        let soft = blurred(&set, 8, 8).expect("memory does not fail");
        assert_eq!(soft.labels(), set.labels());
        assert_eq!(soft.image(0), set.image(0));
        let inner = soft.image(1).chunks(3).map(|pixel| pixel[0]);
        assert!(inner.clone().all(|value| (60..=140).contains(&value)), "{:?}", inner.collect::<Vec<_>>());
    }
}
