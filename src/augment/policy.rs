//! The policy for training views: the crop, the flip, and the changes to the finished view.

use serde::{Deserialize, Serialize};

use super::{AugmentError, Crop};

/// Policy for training views. The default is that of PCA: patch extraction and a flip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Part of the image that a view shows.
    pub crop: Crop,
    /// `true` where views are mirrored left to right with probability 1/2.
    pub flip: bool,
    /// A box of the view that is blanked.
    pub cutout: Option<Cutout>,
    /// Mixing of the views of a batch.
    pub mix: Option<MixKind>,
}

impl Augmentation {
    /// The stored image as it is.
    pub const NONE: Self = Self { crop: Crop::None, flip: false, cutout: None, mix: None };

    /// Checks every number.
    ///
    /// # Errors
    /// The [`AugmentError`] of the first number outside its range.
    pub fn validate(&self) -> Result<(), AugmentError> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        if let Some(min_scale) = self.crop.min_scale().filter(|&scale| !share(scale)) {
            return Err(AugmentError::MinScale(min_scale));
        }
        if let Some(Cutout { side, .. }) = self.cutout
            && !share(side)
        {
            return Err(AugmentError::CutoutSide(side));
        }
        if let Some(MixKind::Mixup { alpha } | MixKind::CutMix { alpha }) = self.mix
            && !(alpha > 0.0 && alpha <= 8.0)
        {
            return Err(AugmentError::Alpha(alpha));
        }
        Ok(())
    }
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { crop: Crop::default(), flip: true, cutout: None, mix: None }
    }
}

/// A square of the view that is set to the mean colour. It always lies fully inside the view (the
/// original Cutout also lets it hang over the edge; the code of the benchmark does not).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cutout {
    /// Side of the square as a share of the image's side, rounded down to whole pixels.
    pub side: f64,
    /// `true` for one box for the whole batch, as the official code of the benchmark draws it; `false` for one for each image.
    pub shared: bool,
}

impl Default for Cutout {
    fn default() -> Self {
        Self { side: 0.5, shared: false }
    }
}

/// Mixing of the views of a batch: one `lambda` of Beta(`alpha`, `alpha`) a batch, and a random
/// permutation of the batch as partners.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MixKind {
    /// All pixels blended (Zhang et al., 2018).
    Mixup {
        /// Parameter of the Beta distribution, in (0, 8].
        alpha: f64,
    },
    /// A box replaced (Yun et al., 2019); `lambda` is corrected to the exact share of pixels kept.
    CutMix {
        /// Parameter of the Beta distribution, in (0, 8].
        alpha: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_survives_json_and_takes_defaults_for_what_is_left_out() {
        let policy = Augmentation {
            crop: Crop::Global { min_scale: 0.5 },
            flip: false,
            cutout: Some(Cutout { side: 0.25, shared: true }),
            mix: Some(MixKind::CutMix { alpha: 1.0 }),
        };
        let text = serde_json::to_string(&policy).expect("plain data");
        assert!(text.contains(r#""crop":"global:0.5""#), "{text}");
        assert_eq!(serde_json::from_str::<Augmentation>(&text).expect("as written"), policy);
        assert_eq!(
            serde_json::from_str::<Augmentation>("{}").expect("all defaults"),
            Augmentation::default()
        );
        assert!(serde_json::from_str::<Augmentation>(r#"{"crop":"patch"}"#).is_err());
        assert!(serde_json::from_str::<Augmentation>(r#"{"flips":true}"#).is_err());
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let base = Augmentation::default();
        assert_eq!(base.validate(), Ok(()));
        for bad in [0.0, -1.0, 1.01, f64::NAN] {
            let crop = Crop::Extract { min_scale: bad };
            assert!(matches!(Augmentation { crop, ..base }.validate(), Err(AugmentError::MinScale(_))));
            let cutout = Some(Cutout { side: bad, shared: false });
            assert!(matches!(Augmentation { cutout, ..base }.validate(), Err(AugmentError::CutoutSide(_))));
        }
        for bad in [0.0, 8.1, f64::NAN] {
            let mix = Some(MixKind::Mixup { alpha: bad });
            assert!(matches!(Augmentation { mix, ..base }.validate(), Err(AugmentError::Alpha(_))));
        }
    }
}
