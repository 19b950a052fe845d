//! Metrics: the quantities a score can measure, and their names.

use serde::{Deserialize, Serialize};

/// Quantity that the scores of a table measure. Lower is easier, whatever it is.
///
/// A further metric is a further variant here, with its names in [`name`](Self::name) and
/// [`in_words`](Self::in_words); files, methods and messages take them from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
#[non_exhaustive]
pub enum Metric {
    /// EL2N, summed over the window.
    #[default]
    El2n,
    /// A score made elsewhere, of which only the order is known.
    Other,
}

impl Metric {
    /// Every metric there is.
    pub const ALL: [Self; 2] = [Self::El2n, Self::Other];

    /// Name in `scores.csv`, and in the names of methods that rank images by it.
    pub fn name(self) -> &'static str {
        match self {
            Self::El2n => "el2n",
            Self::Other => "score",
        }
    }

    /// Name at an axis or in front of a number.
    pub fn title(self) -> &'static str {
        match self {
            Self::El2n => "EL2N",
            Self::Other => "score",
        }
    }

    /// Name in a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::El2n => "EL2N",
            Self::Other => "a score made elsewhere",
        }
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl From<Metric> for &'static str {
    fn from(metric: Metric) -> Self {
        metric.name()
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|metric| metric.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            format!(
                "'{text}' is not a known metric; give {}, or {} for any other number that is lower where an image is easier",
                Self::El2n,
                Self::Other
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_read_back_from_its_name() {
        for metric in Metric::ALL {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
        let message =
            "aum".parse::<Metric>().expect_err("of no such metric is it known that lower is easier");
        assert!(message.contains("'aum'") && message.contains("el2n, or score"), "{message}");
    }
}
