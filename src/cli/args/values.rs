//! Values of options that are more than a number or a name.

/// `png` or `jpeg`; the quality is another flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum FormatChoice {
    Png,
    Jpeg,
}

impl std::str::FromStr for FormatChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "png" => Ok(Self::Png),
            "jpeg" | "jpg" => Ok(Self::Jpeg),
            _ => Err(format!("'{text}' is not a format; give png or jpeg")),
        }
    }
}

/// `0.5` or `0.5:official`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct CutoutChoice(pub(in crate::cli) crate::augment::Cutout);

impl std::str::FromStr for CutoutChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (side, shared) = match text.strip_suffix(":official") {
            Some(side) => (side, true),
            None => (text, false),
        };
        Ok(Self(crate::augment::Cutout { side: share(side)?, shared }))
    }
}

/// `mixup`, `cutmix`, or either with `:alpha`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct MixChoice(pub(in crate::cli) crate::augment::MixKind);

impl std::str::FromStr for MixChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use crate::augment::MixKind;
        let wrong = || format!("'{text}' is not a way to mix; give mixup, cutmix, mixup:0.2 or cutmix:1");
        let (kind, alpha) = match text.split_once(':') {
            Some((kind, alpha)) => (kind, alpha.parse().map_err(|_| wrong())?),
            None => (text, 1.0),
        };
        match kind {
            "mixup" => Ok(Self(MixKind::Mixup { alpha })),
            "cutmix" => Ok(Self(MixKind::CutMix { alpha })),
            _ => Err(wrong()),
        }
    }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err(format!("'{text}' is not a share; give a number above 0 and up to 1")),
    }
}

/// A share that leaves something.
pub(super) fn part(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        _ => Err(format!("'{text}' is not a part; give a number above 0 and below 1")),
    }
}

/// A time that a person may wait.
pub(super) fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.0..=10_080.0).contains(&value) => Ok(value),
        _ => Err(format!("'{text}' is not a number of minutes; give one from 0 to 10080, a week")),
    }
}

pub(super) fn share_or_zero(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err(format!("'{text}' is not a share; give a number from 0 to below 1")),
    }
}
