//! What a training view is: which crop, and what is done to the finished view.

use serde::{Deserialize, Serialize};

use super::AugmentError;

/// How training views are made. The default is the one of PCA: patch extraction and a flip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Which part of the image a view shows.
    pub crop: Crop,
    /// Mirror left and right with probability 1/2.
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
        if let Crop::Global { min_scale } | Crop::Extract { min_scale } = self.crop
            && !share(min_scale)
        {
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

/// Which part of a stored image a view shows. All crops are RandomResizedCrop with aspect ratios
/// (3/4, 4/3); they differ in where it acts and in its scale.
///
/// Written `extract`, `global`, `shuffle` or `none`; a smallest scale other than the default follows a
/// colon: `extract:0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Crop {
    /// The whole image.
    None,
    /// Scale (`min_scale`, 1) of the whole composite.
    Global {
        /// Smallest share of the composite's area.
        min_scale: f64,
    },
    /// Patch extraction: one tile, drawn uniformly, then scale (`min_scale`, 1) inside that tile.
    Extract {
        /// Smallest share of the *tile's* area.
        min_scale: f64,
    },
    /// RDED's `ShufflePatches`: the columns of tiles are put in a random order, then the rows, then
    /// scale (1/f, 1) of the composite with f = max(rows, columns).
    Shuffle,
}

impl Crop {
    /// torchvision's and the official protocol's smallest scale.
    pub const GLOBAL_MIN_SCALE: f64 = 0.08;
    /// Ours for patch extraction; the paper names none.
    pub const EXTRACT_MIN_SCALE: f64 = 0.25;
}

impl Default for Crop {
    fn default() -> Self {
        Self::Extract { min_scale: Self::EXTRACT_MIN_SCALE }
    }
}

impl std::fmt::Display for Crop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, min_scale, default) = match *self {
            Self::None => return f.write_str("none"),
            Self::Shuffle => return f.write_str("shuffle"),
            Self::Global { min_scale } => ("global", min_scale, Self::GLOBAL_MIN_SCALE),
            Self::Extract { min_scale } => ("extract", min_scale, Self::EXTRACT_MIN_SCALE),
        };
        if min_scale == default { f.write_str(name) } else { write!(f, "{name}:{min_scale}") }
    }
}

impl std::str::FromStr for Crop {
    type Err = AugmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || AugmentError::Crop(text.to_owned());
        let (name, scale) = match text.split_once(':') {
            None => (text, None),
            Some((name, scale)) => (name, Some(scale.trim().parse::<f64>().map_err(|_| unknown())?)),
        };
        if let Some(scale) = scale.filter(|&scale| !(scale > 0.0 && scale <= 1.0)) {
            return Err(AugmentError::MinScale(scale));
        }
        match (name.trim(), scale) {
            ("none", None) => Ok(Self::None),
            ("shuffle", None) => Ok(Self::Shuffle),
            ("global", scale) => Ok(Self::Global { min_scale: scale.unwrap_or(Self::GLOBAL_MIN_SCALE) }),
            ("extract", scale) => Ok(Self::Extract { min_scale: scale.unwrap_or(Self::EXTRACT_MIN_SCALE) }),
            _ => Err(unknown()),
        }
    }
}

impl From<Crop> for String {
    fn from(crop: Crop) -> Self {
        crop.to_string()
    }
}

impl TryFrom<String> for Crop {
    type Error = AugmentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A square of the view that is set to the mean colour. It always lies fully inside the view (the
/// original Cutout also lets it hang over the edge; the code of the benchmark does not).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cutout {
    /// Side of the square as a share of the image's side, rounded down to whole pixels.
    pub side: f64,
    /// One box for the whole batch, as the official code of the benchmark draws it, or one for each image.
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
    fn a_crop_reads_back_what_it_writes() {
        for text in ["none", "shuffle", "global", "extract", "extract:0.5", "global:0.25", "extract:1"] {
            let crop: Crop = text.parse().expect("a valid crop");
            assert_eq!(crop.to_string(), text);
        }
        assert_eq!("extract:0.25".parse(), Ok(Crop::default()));
    }

    #[test]
    fn a_wrong_crop_is_named_in_the_error() {
        for text in ["", "patch", "none:0.5", "shuffle:1", "extract:", "extract:big"] {
            assert_eq!(text.parse::<Crop>(), Err(AugmentError::Crop(text.to_owned())));
        }
        assert_eq!("extract:0".parse::<Crop>(), Err(AugmentError::MinScale(0.0)));
        assert_eq!("global:1.5".parse::<Crop>(), Err(AugmentError::MinScale(1.5)));
        assert!("global:nan".parse::<Crop>().is_err());
    }

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
