//! The methods that are compared.

use serde::{Deserialize, Serialize};

use crate::augment::Crop;
use crate::combine::Grid;
use crate::prune::Rule;

/// A way to make a set of a given number of stored images. All are trained with the same steps, seeds
/// and crop range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Random whole images.
    Random,
    /// The easiest whole images by EL2N.
    El2n,
    /// The hardest whole images by EL2N: what pruning keeps when data is plenty.
    El2nHard,
    /// Composites of the easiest images, trained by patch extraction.
    Pca,
    /// Composites of random images, trained by patch extraction: tells Prune from Combine and Augment.
    RandomComposites,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Random, Self::El2n, Self::El2nHard, Self::Pca, Self::RandomComposites];

    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::El2n => "el2n",
            Self::El2nHard => "el2n-hard",
            Self::Pca => "pca",
            Self::RandomComposites => "random-composites",
        }
    }

    /// Whether it needs scores, and so pays for scoring.
    pub fn needs_scores(self) -> bool {
        self.rule() != Rule::Random
    }

    /// Which images it keeps.
    pub fn rule(self) -> Rule {
        match self {
            Self::Random | Self::RandomComposites => Rule::Random,
            Self::El2n | Self::Pca => Rule::Easy,
            Self::El2nHard => Rule::Hard,
        }
    }

    /// The grid of its stored images when composites have `grid`.
    pub fn grid(self, grid: Grid) -> Grid {
        match self {
            Self::Pca | Self::RandomComposites => grid,
            Self::Random | Self::El2n | Self::El2nHard => Grid::WHOLE,
        }
    }

    /// How its views are cut, with the same smallest crop for all: `composites` says how composites
    /// are, whole images by RandomResizedCrop. Patch extraction of a 1×1 grid is just that.
    pub fn crop(self, grid: Grid, composites: Crop, min_scale: f64) -> Crop {
        if self.grid(grid) == Grid::WHOLE { Crop::Global { min_scale } } else { composites }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|method| method.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("'{text}' is not a method; give some of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_image_methods_and_composites_share_the_smallest_crop() {
        let grid: Grid = "2".parse().expect("a grid");
        let composites = Crop::Extract { min_scale: 0.5 };
        assert_eq!(Method::El2n.crop(grid, composites, 0.5), Crop::Global { min_scale: 0.5 });
        assert_eq!(Method::Pca.crop(grid, composites, 0.5), composites);
        assert_eq!(Method::Pca.crop(Grid::WHOLE, composites, 0.5), Crop::Global { min_scale: 0.5 });
    }

    #[test]
    fn a_method_reads_back_what_it_writes() {
        for method in Method::ALL {
            assert_eq!(method.to_string().parse(), Ok(method));
        }
        assert!("PCA".parse::<Method>().is_err());
    }
}
