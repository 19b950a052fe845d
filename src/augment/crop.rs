//! The crop of a view, and the crop as a user asks for it.

use serde::{Deserialize, Serialize};

use super::AugmentError;

/// Part of a stored image that a view shows. All crops are RandomResizedCrop with aspect ratios (3/4, 4/3); they differ
/// in the area they are drawn from and in their scale.
///
/// Written `extract:0.25`, `global:0.08`, `shuffle` or `none`; a smallest scale is never left out.
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
    /// Default of the smallest scale.
    pub const MIN_SCALE: f64 = crate::combine::MIN_SCALE;

    /// The smallest scale, where it can be chosen for this crop.
    pub fn min_scale(self) -> Option<f64> {
        match self {
            Self::Global { min_scale } | Self::Extract { min_scale } => Some(min_scale),
            Self::None | Self::Shuffle => None,
        }
    }
}

impl Default for Crop {
    fn default() -> Self {
        Self::Extract { min_scale: Self::MIN_SCALE }
    }
}

impl std::fmt::Display for Crop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        CropChoice::from(*self).fmt(f)
    }
}

impl std::str::FromStr for Crop {
    type Err = AugmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            CropChoice::None => Ok(Self::None),
            CropChoice::Shuffle => Ok(Self::Shuffle),
            CropChoice::Global { min_scale: Some(min_scale) } => Ok(Self::Global { min_scale }),
            CropChoice::Extract { min_scale: Some(min_scale) } => Ok(Self::Extract { min_scale }),
            CropChoice::Global { min_scale: None } | CropChoice::Extract { min_scale: None } => {
                Err(AugmentError::NoScale(text.to_owned()))
            }
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

/// The crop that a user asks for: its kind, and the smallest scale if one was named. Without one the crop takes the
/// scale of the whole run, so that whole images and composites are cropped alike.
///
/// Written as a [`Crop`], the scale left out where none was named: `extract`, `extract:0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum CropChoice {
    /// [`Crop::None`].
    None,
    /// [`Crop::Global`].
    Global {
        /// The smallest scale, if it was named.
        min_scale: Option<f64>,
    },
    /// [`Crop::Extract`].
    Extract {
        /// The smallest scale, if it was named.
        min_scale: Option<f64>,
    },
    /// [`Crop::Shuffle`].
    Shuffle,
}

impl CropChoice {
    /// The smallest scale that was named.
    pub fn min_scale(self) -> Option<f64> {
        match self {
            Self::Global { min_scale } | Self::Extract { min_scale } => min_scale,
            Self::None | Self::Shuffle => None,
        }
    }

    /// The crop itself, with the run's smallest scale where none was named.
    pub fn or_scale(self, run: f64) -> Crop {
        match self {
            Self::None => Crop::None,
            Self::Shuffle => Crop::Shuffle,
            Self::Global { min_scale } => Crop::Global { min_scale: min_scale.unwrap_or(run) },
            Self::Extract { min_scale } => Crop::Extract { min_scale: min_scale.unwrap_or(run) },
        }
    }
}

impl Default for CropChoice {
    fn default() -> Self {
        Self::Extract { min_scale: None }
    }
}

impl From<Crop> for CropChoice {
    fn from(crop: Crop) -> Self {
        match crop {
            Crop::None => Self::None,
            Crop::Shuffle => Self::Shuffle,
            Crop::Global { min_scale } => Self::Global { min_scale: Some(min_scale) },
            Crop::Extract { min_scale } => Self::Extract { min_scale: Some(min_scale) },
        }
    }
}

impl std::fmt::Display for CropChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Shuffle => "shuffle",
            Self::Global { .. } => "global",
            Self::Extract { .. } => "extract",
        })?;
        self.min_scale().map_or(Ok(()), |scale| write!(f, ":{scale}"))
    }
}

impl std::str::FromStr for CropChoice {
    type Err = AugmentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || AugmentError::Crop(text.to_owned());
        let (name, min_scale) = match text.split_once(':') {
            None => (text, None),
            Some((name, scale)) => (name, Some(scale.trim().parse::<f64>().map_err(|_| unknown())?)),
        };
        if let Some(scale) = min_scale.filter(|&scale| !(scale > 0.0 && scale <= 1.0)) {
            return Err(AugmentError::MinScale(scale));
        }
        match (name.trim(), min_scale) {
            ("none", None) => Ok(Self::None),
            ("shuffle", None) => Ok(Self::Shuffle),
            ("global", min_scale) => Ok(Self::Global { min_scale }),
            ("extract", min_scale) => Ok(Self::Extract { min_scale }),
            _ => Err(unknown()),
        }
    }
}

impl From<CropChoice> for String {
    fn from(choice: CropChoice) -> Self {
        choice.to_string()
    }
}

impl TryFrom<String> for CropChoice {
    type Error = AugmentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_reads_back_what_it_writes() {
        for text in
            ["none", "shuffle", "global:0.08", "extract:0.25", "extract:0.5", "global:0.25", "extract:1"]
        {
            let crop: Crop = text.parse().expect("a valid crop");
            assert_eq!(crop.to_string(), text);
            assert_eq!(text.parse(), Ok(CropChoice::from(crop)));
        }
        assert_eq!(Crop::default().to_string(), "extract:0.5");
    }

    #[test]
    fn whether_a_scale_was_named_is_known_whatever_its_value() {
        for kind in ["extract", "global"] {
            let bare: CropChoice = kind.parse().expect("a valid choice");
            assert_eq!((bare.min_scale(), bare.to_string()), (None, kind.to_owned()));
            assert_eq!(bare.or_scale(0.7).min_scale(), Some(0.7));
            // The defaults of torchvision, patch extraction and the official protocol are treated like any other scale.
            for scale in [0.08, 0.25, 0.7] {
                let named: CropChoice = format!("{kind}:{scale}").parse().expect("a valid choice");
                assert_eq!(named.min_scale(), Some(scale));
                assert_eq!(named.or_scale(0.5).to_string(), format!("{kind}:{scale}"));
            }
            assert_eq!(kind.parse::<Crop>(), Err(AugmentError::NoScale(kind.to_owned())));
        }
    }

    #[test]
    fn a_wrong_crop_is_named_in_the_error() {
        for text in ["", "patch", "none:0.5", "shuffle:1", "extract:", "extract:big"] {
            assert_eq!(text.parse::<CropChoice>(), Err(AugmentError::Crop(text.to_owned())));
        }
        assert_eq!("extract:0".parse::<CropChoice>(), Err(AugmentError::MinScale(0.0)));
        assert_eq!("global:1.5".parse::<Crop>(), Err(AugmentError::MinScale(1.5)));
        assert!("global:nan".parse::<CropChoice>().is_err());
    }
}
