//! Rules: the images of a class that are kept, and the remedy where there are too few.

use serde::{Deserialize, Serialize};

use crate::score::Metric;

/// Share of each class that the rule `window` skips unless it is told otherwise.
pub const DEFAULT_WINDOW_START: f64 = 0.1;

/// Rule for the images of a class that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The lowest scores: the paper's rule ("reversed EL2N").
    #[default]
    Easy,
    /// The highest scores: the rule of the original EL2N paper, meant for keeping most of the data.
    Hard,
    /// The lowest scores after the easiest share of each class is skipped.
    Window {
        /// Share of the class that is skipped, in `[0, 1)`; rounded to the nearest number of images.
        start: f64,
    },
    /// A uniform draw without replacement; needs no scores.
    Random,
}

impl Rule {
    /// The name of the rule on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Hard => "hard",
            Self::Window { .. } => "window",
            Self::Random => "random",
        }
    }

    /// The rule with `--window-start` put in; other rules than `window` stay as they are.
    pub fn with_window_start(self, start: f64) -> Self {
        match self {
            Self::Window { .. } => Self::Window { start },
            other => other,
        }
    }

    /// The end of "The source images were chosen …", as a dataset card has it, where scores are of this metric.
    pub fn in_words(self, metric: Metric) -> String {
        let by = metric.in_words();
        match self {
            Self::Easy => format!("as the easiest of each class by {by}"),
            Self::Hard => format!("as the hardest of each class by {by}"),
            Self::Window { start } => format!(
                "as the easiest of each class by {by} after the {:.0} % that are still easier",
                100.0 * start
            ),
            Self::Random => "at random in each class".to_owned(),
        }
    }

    /// Number of images that the rule skips of `n`, counted from the easiest.
    pub(super) fn skips(self, n: usize) -> usize {
        match self {
            Self::Window { start } => (n as f64 * start).round() as usize,
            _ => 0,
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Rule {
    type Err = String;

    /// `window` starts at [`DEFAULT_WINDOW_START`]; see [`Rule::with_window_start`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "easy" => Ok(Self::Easy),
            "hard" => Ok(Self::Hard),
            "window" => Ok(Self::Window { start: DEFAULT_WINDOW_START }),
            "random" => Ok(Self::Random),
            _ => Err(format!("'{text}' is not a rule; give easy, hard, window or random")),
        }
    }
}

/// Remedy where a class has fewer images than are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// None: it is an error.
    #[default]
    Error,
    /// The images of the class are used again, from the first in rank on.
    Cycle,
}

impl std::fmt::Display for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Cycle => "cycle",
        })
    }
}

impl std::str::FromStr for Fill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "error" => Ok(Self::Error),
            "cycle" => Ok(Self::Cycle),
            _ => Err(format!("'{text}' is not a way to fill a small class; give error or cycle")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_fills_read_back_what_they_write() {
        for name in ["easy", "hard", "window", "random"] {
            let rule: Rule = name.parse().expect("a rule");
            assert_eq!(rule.to_string(), name);
            let json = serde_json::to_string(&rule).expect("a rule is JSON");
            assert!(json.contains(&format!("\"{name}\"")), "{json}");
            assert_eq!(serde_json::from_str::<Rule>(&json).expect("its own JSON"), rule);
        }
        for name in ["error", "cycle"] {
            let fill: Fill = name.parse().expect("a fill");
            assert_eq!(fill.to_string(), name);
            assert_eq!(serde_json::to_string(&fill).expect("a fill is JSON"), format!("\"{name}\""));
        }
        assert!("Easy".parse::<Rule>().is_err() && "".parse::<Fill>().is_err());
    }

    #[test]
    fn words_claim_el2n_of_el2n_only() {
        let words = Rule::Window { start: 0.3 }.in_words(Metric::El2n);
        assert_eq!(words, "as the easiest of each class by EL2N after the 30 % that are still easier");
        assert_eq!(
            Rule::Hard.in_words(Metric::Other),
            "as the hardest of each class by a score made elsewhere"
        );
    }

    #[test]
    fn the_window_skips_a_share_rounded_to_whole_images() {
        // 0.29 * 100 is 28.999… in binary.
        let skips = |start, n| Rule::Easy.with_window_start(start).skips(n) + Rule::Window { start }.skips(n);
        assert_eq!([skips(0.29, 100), skips(0.1, 14), skips(0.1, 15), skips(0.0, 9)], [29, 1, 2, 0]);
    }
}
