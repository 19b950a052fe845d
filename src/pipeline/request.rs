//! Plain requests: all that a user may ask for, without a word of how it was asked.

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

/// How many images, and in what grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Images per class.
    pub ipc: u32,
    /// Tiles of a composite.
    pub grid: Grid,
    /// What `ipc` counts.
    pub counts: IpcCounts,
}

impl Budget {
    /// Composites and sources of one class: `(composites, sources)`.
    ///
    /// # Errors
    /// Those of [`sources_per_class`].
    pub fn per_class(self) -> Result<(u32, u32), CombineError> {
        sources_per_class(self.ipc, self.grid, self.counts)
    }
}

/// How proxies score.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyRequest {
    /// Proxies of different seeds, whose logs are averaged.
    pub runs: NonZeroUsize,
    /// Epochs whose EL2N is summed, as `A..B`, counted from 1; all where it is `None`.
    pub window: Option<String>,
    /// Which forward pass scores.
    pub pass: ScoringPass,
}

/// Scores that were made elsewhere.
#[derive(Clone)]
pub struct GivenScores {
    /// Where they come from, for messages.
    pub name: String,
    /// Hash of their file.
    pub hash: Option<String>,
    /// The scores.
    pub scored: Scored,
}

/// Where scores come from.
#[derive(Clone)]
pub struct ScoreRequest {
    /// A table made elsewhere, in place of proxies.
    pub given: Option<GivenScores>,
    /// How proxies score.
    pub proxy: ProxyRequest,
}

/// What all requests have that make sets.
#[derive(Clone)]
pub struct Common {
    /// The preset that gave the settings.
    pub preset: Preset,
    /// Networks and how they train.
    pub settings: Settings,
    /// Seed of every random choice.
    pub seed: u64,
    /// How many images.
    pub budget: Budget,
    /// Where scores come from.
    pub score: ScoreRequest,
    /// Small classes and copies.
    pub pruning: Pruning,
    /// How composites are made.
    pub style: Style,
    /// Students' views.
    pub views: ViewRequest,
}

/// One compressed set.
#[derive(Clone)]
pub struct CompressRequest {
    /// What it shares with other requests.
    pub common: Common,
    /// Which images of a class are kept.
    pub rule: Rule,
    /// Students to train on the set, of different seeds; `None` trains none.
    pub students: Option<NonZeroUsize>,
    /// Share of each class that was held out where there was no `val/` folder, for the manifest.
    pub val_fraction: f64,
    /// What became of files that cannot be used, for the manifest.
    pub on_error: OnError,
}

/// Methods side by side, with the same pixels, steps, seeds and crop range.
#[derive(Clone)]
pub struct CompareRequest {
    /// What it shares with other requests.
    pub common: Common,
    /// The methods; one that is named twice counts once.
    pub methods: Vec<Method>,
    /// Seeds for every method.
    pub repeats: usize,
    /// The training log of the first seed's proxy, where it was made already.
    pub first_log: Option<Vec<u8>>,
}

/// Students on a set that is there.
#[derive(Clone)]
pub struct EvaluateRequest {
    /// Networks and how they train.
    pub settings: Settings,
    /// Seed of the first student.
    pub seed: u64,
    /// Students of different seeds.
    pub students: NonZeroUsize,
    /// Their views.
    pub views: ViewRequest,
    /// Whether the weights of the first student are given back.
    pub keep_student: bool,
}
