//! A finished view as a picture to look at.

use super::Normalise;

/// A normalised view, `[height, width, 3]`, as RGBA of 8 bits a channel. The box of a cutout is shown in the mean colour,
/// as a student sees it.
pub fn picture(view: &[f32], normalise: &Normalise) -> Vec<u8> {
    let mut rgba = Vec::with_capacity(view.len() / 3 * 4);
    for pixel in view.as_chunks::<3>().0 {
        for (value, (mean, std)) in pixel.iter().zip(normalise.mean.iter().zip(normalise.std)) {
            // A cast of a float to a byte keeps to 0..=255.
            rgba.push((255.0 * (value * std + mean)).round() as u8);
        }
        rgba.push(u8::MAX);
    }
    rgba
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Augmentation, Executor, Layout, Planner};
    use crate::data::{Grid, ImageSet};

    #[test]
    fn the_picture_of_an_untouched_view_is_the_stored_image() {
        let pixels: Vec<u8> = (0..12 * 12 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let set = ImageSet::from_parts(12, pixels.clone(), vec![0]).unwrap();
        let planner = Planner::new(Augmentation::NONE, Grid::WHOLE, 12, 0).unwrap();
        let mut floats = vec![0.0; pixels.len()];
        let view = [planner.view(0, 0)];
        Executor::new(12).execute(&set, &view, &Normalise::IMAGENET, Layout::Nhwc, &mut floats).unwrap();
        let rgba = picture(&floats, &Normalise::IMAGENET);
        let expected: Vec<u8> = pixels.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        assert_eq!(rgba, expected);
    }
}
