//! The one rule for views: composites are cut inside a tile, whole images anywhere, and all by the same smallest crop.

use crate::augment::{AugmentError, Augmentation, Crop, CropChoice, Cutout, MixKind};
use crate::data::Grid;
use crate::evaluate::Method;

/// The user's request for students' views.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewRequest {
    /// The crop of composites; patch extraction where none is named.
    pub crop: Option<CropChoice>,
    /// Smallest crop as a share of a tile or of a whole image, where the choice names none.
    pub min_scale: f64,
    /// `true` where views are mirrored at random.
    pub flip: bool,
    /// A box of each view that is blanked.
    pub cutout: Option<Cutout>,
    /// Mixing of the views of a batch.
    pub mix: Option<MixKind>,
}

impl ViewRequest {
    /// The crop of stored images of a grid.
    pub fn crop(&self, grid: Grid) -> Crop {
        crop(self.crop, grid, self.min_scale)
    }

    /// The crop of a method's stored images, when composites have `grid`. Whole images are cropped anywhere, whatever the crop
    /// asked for composites.
    pub fn crop_of(&self, method: Method, grid: Grid) -> Crop {
        match method.grid(grid) {
            Grid::WHOLE => Crop::Global { min_scale: self.min_scale },
            grid => self.crop(grid),
        }
    }

    /// A student's views with this crop and the other choices.
    ///
    /// # Errors
    /// [`AugmentError`] of the first number outside its range.
    pub fn augmentation(&self, crop: Crop) -> Result<Augmentation, AugmentError> {
        let augmentation = Augmentation { crop, flip: self.flip, cutout: self.cutout, mix: self.mix };
        augmentation.validate()?;
        Ok(augmentation)
    }
}

/// The crop of stored images of a grid: the one asked for, or else inside a tile of composites and anywhere in whole images,
/// as patch extraction of a 1×1 grid is just that; with `min_scale` where the choice names no scale of its own.
pub fn crop(asked: Option<CropChoice>, grid: Grid, min_scale: f64) -> Crop {
    let asked = asked.unwrap_or_default();
    match asked {
        CropChoice::Extract { min_scale } if grid == Grid::WHOLE => CropChoice::Global { min_scale },
        asked => asked,
    }
    .or_scale(min_scale)
}

/// The warning of a comparison whose views differ in more than the method: `composites` and `whole` are the crops of its
/// composites of `grid`, and of its whole images. `None` where the smallest crop is the same.
pub fn unlike_views(grid: Grid, composites: Crop, whole: Crop) -> Option<String> {
    let smallest = |crop: Crop| match crop {
        Crop::Shuffle => Some(1.0 / f64::from(grid.rows().max(grid.columns()))),
        other => other.min_scale(),
    };
    (smallest(composites) != smallest(whole)).then(|| {
        format!(
            "views differ in more than the method: composites are cut by {composites} and whole images by {whole}, \
             so that a difference between them may come from the crop; `augment` extract and global crop both alike"
        )
    })
}

/// The warning of a comparison in which whole images are cut in their own pixels, and composites are stored images of `side` pixels.
pub fn unlike_pixels(side: usize) -> String {
    format!(
        "pixels differ in more than the method: views of whole images are cut out of the images themselves, at their full size, and \
         those of composites out of stored images of {side} px; `crop-from` square gives all the same number of pixels"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Grid {
        "2".parse().expect("a grid")
    }

    fn asked(crop: Option<CropChoice>) -> ViewRequest {
        ViewRequest { crop, min_scale: 0.5, flip: true, cutout: None, mix: None }
    }

    #[test]
    fn whole_image_methods_and_composites_share_the_smallest_crop() {
        let composites = Crop::Extract { min_scale: 0.5 };
        let views = asked(Some(composites.into()));
        assert_eq!(views.crop_of(Method::EL2N, two()), Crop::Global { min_scale: 0.5 });
        assert_eq!(views.crop_of(Method::PCA, two()), composites);
        assert_eq!(views.crop_of(Method::PCA, Grid::WHOLE), Crop::Global { min_scale: 0.5 });
    }

    #[test]
    fn patch_extraction_of_whole_images_is_a_global_crop() {
        for choice in [None, Some(CropChoice::Extract { min_scale: None })] {
            assert_eq!(crop(choice, two(), 0.3), Crop::Extract { min_scale: 0.3 });
            assert_eq!(crop(choice, Grid::WHOLE, 0.3), Crop::Global { min_scale: 0.3 });
        }
        assert_eq!(crop(Some(CropChoice::Shuffle), Grid::WHOLE, 0.3), Crop::Shuffle);
        assert_eq!(asked(Some(CropChoice::None)).crop_of(Method::PCA, two()), Crop::None);
    }

    #[test]
    fn views_of_another_range_are_told() {
        let whole = Crop::Global { min_scale: 0.5 };
        for alike in [Crop::Extract { min_scale: 0.5 }, whole, Crop::Shuffle] {
            assert_eq!(unlike_views(two(), alike, whole), None, "{alike}");
        }
        let narrow = Crop::Global { min_scale: 0.25 };
        for unlike in [Crop::Extract { min_scale: 0.5 }, Crop::None, Crop::Shuffle] {
            let told = unlike_views(two(), unlike, narrow).expect("another range");
            assert!(told.contains(&unlike.to_string()) && told.contains("global:0.25"), "{told}");
        }
    }
}
