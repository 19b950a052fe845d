//! The methods that are compared, and their names.

use serde::{Deserialize, Serialize};

use crate::data::Grid;
use crate::prune::{DEFAULT_WINDOW_START, Rule};
use crate::score::Metric;

/// Way to make a set of a given number of stored images: the rule for the images that are kept, and whole images or
/// composites. All are trained with the same steps, seeds and crop range.
///
/// Its name says both, `el2n-hard-composites`; the paper's own, composites of the easiest images by EL2N, is `pca`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Method {
    /// Rule for the images of a class that are kept.
    pub rule: Rule,
    /// `true` where they are laid into composites and trained on by patch extraction.
    pub composites: bool,
}

const COMPOSITES: &str = "-composites";
const WINDOW: &str = "el2n-window";

impl Method {
    /// Random whole images.
    pub const RANDOM: Self = Self { rule: Rule::Random, composites: false };
    /// The easiest whole images by EL2N.
    pub const EL2N: Self = Self { rule: Rule::Easy, composites: false };
    /// Composites of the easiest images.
    pub const PCA: Self = Self { rule: Rule::Easy, composites: true };
    /// Composites of random images: tells Prune from Combine and Augment.
    pub const RANDOM_COMPOSITES: Self = Self { rule: Rule::Random, composites: true };

    /// The method that keeps images by `rule` and stores them in `grid`.
    pub fn of(rule: Rule, grid: Grid) -> Self {
        Self { rule, composites: grid != Grid::WHOLE }
    }

    /// Its name on the command line and in reports, where scores are EL2N.
    pub fn name(self) -> String {
        self.name_by(Metric::El2n)
    }

    /// Its name where images are ranked by a metric.
    pub fn name_by(self, metric: Metric) -> String {
        let by = metric.name();
        let chosen = match self.rule {
            Rule::Easy if self.composites && metric == Metric::El2n => return "pca".to_owned(),
            Rule::Easy => by.to_owned(),
            Rule::Hard => format!("{by}-hard"),
            Rule::Window { start } if start == DEFAULT_WINDOW_START => format!("{by}-window"),
            Rule::Window { start } => format!("{by}-window-{start}"),
            Rule::Random => "random".to_owned(),
        };
        if self.composites { chosen + COMPOSITES } else { chosen }
    }

    /// `true` where it needs scores, and so pays for scoring.
    pub fn needs_scores(self) -> bool {
        self.rule != Rule::Random
    }

    /// The grid of its stored images when composites have `grid`.
    pub fn grid(self, grid: Grid) -> Grid {
        if self.composites { grid } else { Grid::WHOLE }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.name())
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (chosen, composites) = match text.strip_suffix(COMPOSITES) {
            Some(chosen) => (chosen, true),
            None => (text, false),
        };
        let rule = match chosen {
            "pca" if !composites => return Ok(Self::PCA),
            "random" => Rule::Random,
            "el2n" if !composites => Rule::Easy,
            "el2n-hard" => Rule::Hard,
            other => other.strip_prefix(WINDOW).and_then(window).ok_or_else(|| {
                format!(
                    "'{text}' is not a method; give some of random, el2n, el2n-hard, el2n-window, pca, \
                     random-composites, el2n-hard-composites, el2n-window-composites ({WINDOW}-0.3 skips the easiest \
                     30 % of a class)"
                )
            })?,
        };
        Ok(Self { rule, composites })
    }
}

/// The rule for the text after `el2n-window` in a name.
fn window(rest: &str) -> Option<Rule> {
    let start = match rest.strip_prefix('-') {
        Some(start) => start.parse().ok().filter(|start| (0.0..1.0).contains(start))?,
        None if rest.is_empty() => DEFAULT_WINDOW_START,
        None => return None,
    };
    Some(Rule::Window { start })
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.name()
    }
}

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Grid {
        "2".parse().expect("a grid")
    }

    #[test]
    fn a_name_says_which_images_are_kept_and_what_is_made_of_them() {
        let window = |start| Rule::Window { start };
        for (rule, whole, composites) in [
            (Rule::Random, "random", "random-composites"),
            (Rule::Easy, "el2n", "pca"),
            (Rule::Hard, "el2n-hard", "el2n-hard-composites"),
            (window(0.1), "el2n-window", "el2n-window-composites"),
            (window(0.5), "el2n-window-0.5", "el2n-window-0.5-composites"),
        ] {
            for (grid, name) in [(Grid::WHOLE, whole), (two(), composites)] {
                let method = Method::of(rule, grid);
                assert_eq!(method.to_string(), name);
                assert_eq!(name.parse(), Ok(method));
            }
        }
        // EL2N is not claimed of scores that are something else.
        assert_eq!(Method::PCA.name_by(Metric::Other), "score-composites");
        assert_eq!(Method { rule: Rule::Hard, composites: false }.name_by(Metric::Other), "score-hard");
        assert_eq!(Method::RANDOM_COMPOSITES.name_by(Metric::Other), "random-composites");
    }

    #[test]
    fn what_is_no_method_is_named() {
        for text in
            ["PCA", "easiest", "pca-composites", "el2n-window-1", "el2n-windowed", "el2n-composites", ""]
        {
            let error = text.parse::<Method>().expect_err("no method");
            assert!(error.contains(&format!("'{text}'")) && error.contains("random-composites"), "{error}");
        }
    }
}
