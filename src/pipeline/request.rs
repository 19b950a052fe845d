//! Requests: everything that a user may ask for, independent of the user interface.

use std::num::NonZeroUsize;

use super::prune::Pruning;
use super::scored::Scored;
use super::set::Style;
use super::views::ViewRequest;
use crate::combine::{CombineError, IpcCounts, sources_per_class};
use crate::data::{Grid, OnError};
use crate::evaluate::Method;
use crate::prune::Rule;
use crate::train::{Preset, ScoringPass, Settings};

/// Number of images and grid of composites.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Images per class.
    pub ipc: u32,
    /// Grid of tiles in a composite.
    pub grid: Grid,
    /// Kind of images that `ipc` counts: composites or sources.
    pub counts: IpcCounts,
}

impl Budget {
    /// Numbers of composites and of sources of one class: `(composites, sources)`.
    ///
    /// # Errors
    /// The errors of [`sources_per_class`].
    pub fn per_class(self) -> Result<(u32, u32), CombineError> {
        sources_per_class(self.ipc, self.grid, self.counts)
    }
}

/// Scoring by proxies.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyRequest {
    /// Number of proxies with different seeds, whose logs are averaged.
    pub runs: NonZeroUsize,
    /// Epochs whose EL2N is summed, as `A..B`, counted from 1; all where it is `None`.
    pub window: Option<String>,
    /// The forward pass that scores.
    pub pass: ScoringPass,
}

/// Scores that were made elsewhere.
#[derive(Clone)]
pub struct GivenScores {
    /// Source of the scores, for messages.
    pub name: String,
    /// Hash of the scores' file.
    pub hash: Option<String>,
    /// The scores.
    pub scored: Scored,
}

/// Source of the scores.
#[derive(Clone)]
pub struct ScoreRequest {
    /// A table made elsewhere, in place of proxies.
    pub given: Option<GivenScores>,
    /// Scoring by proxies.
    pub proxy: ProxyRequest,
}

/// Fields common to all requests that make sets.
#[derive(Clone)]
pub struct Common {
    /// The preset that gave the settings.
    pub preset: Preset,
    /// Networks and how they train.
    pub settings: Settings,
    /// Seed of every random choice.
    pub seed: u64,
    /// Number of images and grid.
    pub budget: Budget,
    /// Source of the scores.
    pub score: ScoreRequest,
    /// Treatment of small classes and of copies.
    pub pruning: Pruning,
    /// Style of composites.
    pub style: Style,
    /// Students' views.
    pub views: ViewRequest,
    /// Seconds between two checkpoints of a training.
    pub save_every: f64,
}

/// One compressed set.
#[derive(Clone)]
pub struct CompressRequest {
    /// Fields common to all requests that make sets.
    pub common: Common,
    /// Rule that decides the images of a class to keep.
    pub rule: Rule,
    /// Number of students to train on the set, with different seeds; `None` trains none.
    pub students: Option<NonZeroUsize>,
    /// Share of each class that was held out where there was no `val/` folder, for the manifest.
    pub val_fraction: f64,
    /// Treatment of files that could not be used, for the manifest.
    pub on_error: OnError,
}

/// Comparison of methods, with the same pixels, steps, seeds and crop range.
#[derive(Clone)]
pub struct CompareRequest {
    /// Fields common to all requests that make sets.
    pub common: Common,
    /// The methods; one that is named twice counts once.
    pub methods: Vec<Method>,
    /// Number of seeds for every method.
    pub repeats: usize,
    /// The training log of the first seed's proxy, where it was made already.
    pub first_log: Option<Vec<u8>>,
}

/// Training and measuring students on an existing set.
#[derive(Clone)]
pub struct EvaluateRequest {
    /// Networks and how they train.
    pub settings: Settings,
    /// Seed of the first student.
    pub seed: u64,
    /// Number of students, with different seeds.
    pub students: NonZeroUsize,
    /// Their views.
    pub views: ViewRequest,
    /// `true` where the weights of the first student are returned.
    pub keep_student: bool,
    /// Seconds between two checkpoints of a training.
    pub save_every: f64,
}
