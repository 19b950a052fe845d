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
const WINDOW: &str = "el2n-window-";
const WINDOW_RULE: Rule = Rule::Window { start: DEFAULT_WINDOW_START };

/// A method of the list: its name, and the words for a reader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamedMethod {
    /// Its name on the command line, in reports and in JavaScript.
    pub name: &'static str,
    /// Its name in a sentence or above a column.
    pub title: &'static str,
    /// One sentence on what its stored images are.
    pub about: &'static str,
    /// Its rule, and whether it makes composites.
    pub method: Method,
}

impl NamedMethod {
    const fn new(name: &'static str, method: Method, title: &'static str, about: &'static str) -> Self {
        Self { name, title, about, method }
    }
}

/// The one list of the methods. A window may also begin elsewhere, `el2n-window-0.3`, which is no entry of its own.
pub const METHODS: [NamedMethod; 8] = [
    NamedMethod::new(
        "random",
        Method::RANDOM,
        "Random whole images",
        "Whole images, drawn at random from each class.",
    ),
    NamedMethod::new(
        "el2n",
        Method::EL2N,
        "Easiest whole images",
        "The whole images with the lowest EL2N of their class: a small network gets them right early and surely.",
    ),
    NamedMethod::new(
        "el2n-hard",
        Method { rule: Rule::Hard, composites: false },
        "Hardest whole images",
        "The whole images with the highest EL2N of their class: a small network gets them right late or never.",
    ),
    NamedMethod::new(
        "el2n-window",
        Method { rule: WINDOW_RULE, composites: false },
        "Next easiest whole images",
        "Whole images with a low EL2N, after the easiest 10 % of their class are skipped.",
    ),
    NamedMethod::new(
        "pca",
        Method::PCA,
        "PCA",
        "Prune, Combine, Augment: the images with the lowest EL2N of their class, several to a composite.",
    ),
    NamedMethod::new(
        "random-composites",
        Method::RANDOM_COMPOSITES,
        "Composites of random images",
        "Images drawn at random from each class, several to a composite.",
    ),
    NamedMethod::new(
        "el2n-hard-composites",
        Method { rule: Rule::Hard, composites: true },
        "Composites of the hardest images",
        "The images with the highest EL2N of their class, several to a composite.",
    ),
    NamedMethod::new(
        "el2n-window-composites",
        Method { rule: WINDOW_RULE, composites: true },
        "Composites of the next easiest images",
        "Images with a low EL2N, after the easiest 10 % of their class are skipped, several to a composite.",
    ),
];

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
        if metric == Metric::El2n
            && let Some(named) = self.named()
        {
            return named.name.to_owned();
        }
        let by = metric.name();
        let chosen = match self.rule {
            Rule::Easy => by.to_owned(),
            Rule::Hard => format!("{by}-hard"),
            Rule::Window { start } if start == DEFAULT_WINDOW_START => format!("{by}-window"),
            Rule::Window { start } => format!("{by}-window-{start}"),
            Rule::Random => "random".to_owned(),
        };
        if self.composites { chosen + COMPOSITES } else { chosen }
    }

    /// Its entry in the list; none where a window begins elsewhere than by default.
    pub fn named(self) -> Option<&'static NamedMethod> {
        METHODS.iter().find(|named| named.method == self)
    }

    /// `true` for this method's own name, as a report has it.
    pub fn is(self, name: &str) -> bool {
        name.parse() == Ok(self)
    }

    /// The name of the method that keeps the same images whole: `el2n` for `pca`, and `score-hard` for
    /// `score-hard-composites`, whose scores were made elsewhere.
    pub fn whole_of(name: &str) -> &str {
        match name.parse::<Self>().ok().and_then(|method| Self { composites: false, ..method }.named()) {
            Some(named) => named.name,
            None => name.strip_suffix(COMPOSITES).unwrap_or(name),
        }
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
        if let Some(named) = METHODS.iter().find(|named| named.name == text) {
            return Ok(named.method);
        }
        let (chosen, composites) = match text.strip_suffix(COMPOSITES) {
            Some(chosen) => (chosen, true),
            None => (text, false),
        };
        let start = chosen.strip_prefix(WINDOW).and_then(|start| start.parse().ok());
        match start.filter(|start| (0.0..1.0).contains(start)) {
            Some(start) => Ok(Self { rule: Rule::Window { start }, composites }),
            None => Err(format!(
                "'{text}' is not a method; give some of {} ({WINDOW}0.3 skips the easiest 30 % of a class)",
                METHODS.map(|named| named.name).join(", ")
            )),
        }
    }
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
    fn every_method_of_the_list_is_known_by_its_name_and_told_apart_by_its_words() {
        for (place, named) in METHODS.iter().enumerate() {
            assert_eq!(named.name.parse(), Ok(named.method));
            assert_eq!(named.method.name(), named.name);
            assert!(named.about.ends_with('.') && named.about.matches(". ").count() == 0, "{}", named.about);
            for other in &METHODS[..place] {
                assert!(
                    other.name != named.name && other.title != named.title && other.about != named.about,
                    "{}",
                    named.name
                );
            }
        }
        // A rule kept whole and laid into composites: the list has both, for every rule.
        for named in METHODS {
            let twin = Method { composites: !named.method.composites, ..named.method };
            assert!(twin.named().is_some(), "{}", named.name);
        }
    }

    #[test]
    fn names_in_reports_are_compared_as_methods() {
        assert!(Method::PCA.is("pca") && !Method::PCA.is("PCA") && !Method::PCA.is("score-composites"));
        for (name, whole) in [
            ("pca", "el2n"),
            ("el2n", "el2n"),
            ("random-composites", "random"),
            ("el2n-window-0.3-composites", "el2n-window-0.3"),
            ("score-hard-composites", "score-hard"),
            ("anything", "anything"),
        ] {
            assert_eq!(Method::whole_of(name), whole);
        }
    }

    #[test]
    fn what_is_no_method_is_named() {
        for text in
            ["PCA", "easiest", "pca-composites", "el2n-window-1", "el2n-windowed", "el2n-composites", ""]
        {
            let error = text.parse::<Method>().expect_err("no method");
            assert!(error.contains(&format!("'{text}'")) && error.contains("random-composites"), "{error}");
            assert!(METHODS.iter().all(|named| error.contains(named.name)), "{error}");
        }
    }
}
