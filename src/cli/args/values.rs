//! Values of options that are more than a name: numbers in their range, and words with a number.

use std::num::NonZeroUsize;

use crate::bounds::{Number, Whole};

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

/// `jpeg`, `png` or `as-is`; the quality is another flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum PackChoice {
    AsIs,
    Jpeg,
    Png,
}

impl std::str::FromStr for PackChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "as-is" => Ok(Self::AsIs),
            "jpeg" | "jpg" => Ok(Self::Jpeg),
            "png" => Ok(Self::Png),
            _ => Err(format!("'{text}' is not a format; give jpeg, png or as-is")),
        }
    }
}

/// `webdataset` or `parquet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ContainerChoice(pub(in crate::cli) crate::fs::Container);

impl std::str::FromStr for ContainerChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "webdataset" => Ok(Self(crate::fs::Container::WebDataset)),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self(crate::fs::Container::Parquet)),
            #[cfg(not(feature = "parquet"))]
            "parquet" => {
                Err("this program was built without Parquet (cargo install with --features parquet)"
                    .to_owned())
            }
            _ => Err(format!("'{text}' is not a form; give webdataset or parquet")),
        }
    }
}

/// `8GB`, `512MB` or `1.5GiB`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct MemoryChoice(pub(in crate::cli) u64);

impl std::str::FromStr for MemoryChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        /// No machine has more.
        const MOST: f64 = 1e15;
        const UNITS: [(&str, f64); 9] = [
            ("kib", 1024.0),
            ("mib", 1_048_576.0),
            ("gib", 1_073_741_824.0),
            ("tib", 1_099_511_627_776.0),
            ("kb", 1e3),
            ("mb", 1e6),
            ("gb", 1e9),
            ("tb", 1e12),
            ("b", 1.0),
        ];
        let wrong = || format!("'{text}' is not a size; give a number and its unit, such as 8GB or 512MB");
        let lower = text.to_ascii_lowercase();
        let unit = |&(unit, bytes): &(&str, f64)| Some((lower.strip_suffix(unit)?.trim_end(), bytes));
        let (number, unit) = UNITS.iter().find_map(unit).ok_or_else(wrong)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if number.is_empty() || !number.split('.').all(digits) {
            return Err(wrong());
        }
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * unit;
        if bytes > MOST {
            return Err(format!("'{text}' is more than any machine has; give up to 1000TB"));
        }
        Ok(Self(bytes as u64))
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
        use crate::augment::{Augmentation, MixKind};
        let wrong = || format!("'{text}' is not a way to mix; give mixup, cutmix, mixup:0.2 or cutmix:1");
        let (kind, alpha) = match text.split_once(':') {
            Some((kind, alpha)) => (kind, alpha.parse().map_err(|_| wrong())?),
            None => (text, 1.0),
        };
        let kind = match kind {
            "mixup" => MixKind::Mixup { alpha },
            "cutmix" => MixKind::CutMix { alpha },
            _ => return Err(wrong()),
        };
        let policy = Augmentation { mix: Some(kind), ..Augmentation::default() };
        policy.validate().map_err(|why| why.to_string())?;
        Ok(Self(kind))
    }
}

/// Reads a whole number in its range.
pub(super) fn whole(bound: Whole) -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone {
    move |text| {
        let value: u128 = text.parse().map_err(|_| format!("'{text}' is not a whole number"))?;
        // What is too large for 64 bits is too large for any of them.
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        bound.check(value).map_err(|why| why.advice())?;
        let value = usize::try_from(value).ok().and_then(NonZeroUsize::new);
        value.ok_or_else(|| format!("'{text}' cannot be counted to on this machine"))
    }
}

/// Reads the size of a shard: `500MB`, `2GB`, `256MiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let MemoryChoice(bytes) = text.parse()?;
    if bytes < 64_000 {
        Err(format!("'{text}' is too small for a shard; give 64kB or more"))
    } else {
        Ok(bytes)
    }
}

/// Reads a number of images in its range.
pub(super) fn images(bound: Whole) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |text| {
        let value = whole(bound)(text)?.get();
        u32::try_from(value).map_err(|_| format!("'{text}' images cannot be numbered"))
    }
}

/// Reads a finite number in its range.
pub(super) fn number(bound: Number) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| {
        let value: f64 = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
        bound.check(value).map_err(|why| why.advice())?;
        Ok(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_number_with_a_unit_up_to_a_thousand_terabytes() {
        for (text, bytes) in [
            ("8GB", 8_000_000_000),
            ("512MB", 512_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("64kib", 65_536),
            ("0MB", 0),
            ("7B", 7),
            ("1000TB", 1_000_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(MemoryChoice(bytes)), "{text}");
        }
        for text in [
            "", "8", "GB", "-1GB", "1e3GB", "nanGB", "infGB", "8 PB", "1001TB", ".GB", "1..5GB", "+8GB",
            "8GBs",
        ] {
            let refused = text.parse::<MemoryChoice>().expect_err(text);
            assert!(refused.contains(text) && refused.contains("give"), "{refused}");
        }
    }
}
