//! How far the students of a race are, how good they are, and how their methods compare.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::evaluate::stats::{self, Interval};
use crate::evaluate::verdict::{self, Runs, Verdict};
use crate::evaluate::{Correct, Estimate, Noise};
use crate::train::Confusion;
use crate::web::error::in_javascript;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface RaceProgress {
    finished: boolean;
    students: { name: string; seed: number; step: number; steps: number; loss: number | null }[];
}

/** Accuracy of a student on images it has not seen. */
export interface Standing {
    name: string;
    seed: number;
    images: number;
    /** Accuracy in percent. */
    top1: number;
    /** The same on these images at the sharpness of the smallest tile of an entrant; null without tiles. */
    top1AtTileSize: number | null;
    /** The same on these images, BatchNorm taking mean and variance from them; null of a network without BatchNorm. */
    adaptedTop1: number | null;
    /** Mean of the accuracies of all classes that have images. */
    macroTop1: number;
    /** Null below six classes. */
    top5: number | null;
    /** Accuracy in percent of each class; null for a class without images. */
    perClass: (number | null)[];
    /** The two classes that are mixed up most: `counts[i][j]` of `classes[i]` were taken for `classes[j]`. */
    confused: { classes: [number, number]; counts: [[number, number], [number, number]] } | null;
}

/** The students of a name, all seeds together. */
export interface MethodStanding {
    name: string;
    seeds: number;
    /** Mean accuracy in percent. */
    top1: number;
    /** Standard deviation over the seeds; null of one. */
    sd: number | null;
    /** 95 % interval of the mean over seeds and images; of one student, over the images. */
    interval: [number, number];
    /** `true` where the interval lies above the accuracy of guessing. */
    aboveChance: boolean;
}

/** Two methods on the seeds they share. */
export interface Comparison {
    a: string;
    b: string;
    /** Mean of a − b, in percentage points. */
    difference: number;
    /** 95 % interval of it over seeds and images, as if it were the only one; null with fewer than two shared seeds. */
    interval: [number, number] | null;
    /** The interval that the verdict follows: wider where several differences were judged together. */
    adjustedInterval: [number, number] | null;
    /** p-value of "no difference", alone and adjusted for all that were judged together (Holm). */
    p: number | null;
    adjustedP: number | null;
    /** Standard errors in points: what other seeds and what other images would change. */
    noise: { seeds: number; images: number } | null;
    /** Shared seeds. */
    pairs: number;
    /** Seeds that would decide an inconclusive comparison if difference and noise stay; null where 20 would not. */
    seedsNeeded: number | null;
    /**
     * `"better"` or `"worse"` where the adjusted interval excludes 0; where it holds 0, `"indistinguishable"` within ±5
     * points and `"inconclusive"` beyond; `"untested"` below two shared seeds.
     */
    verdict: "better" | "worse" | "indistinguishable" | "inconclusive" | "untested";
    sentence: string;
}
"#;

/// Seeds, accuracies and right answers of the students of one name.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) seeds: Vec<u64>,
    pub(super) accuracies: Vec<f64>,
    pub(super) correct: Vec<Correct>,
}

impl Measured {
    pub(super) fn runs<'a>(&'a self, name: &'a str) -> Runs<'a> {
        Runs { name, seeds: &self.seeds, accuracies: &self.accuracies, correct: &self.correct }
    }

    /// 95 % interval of the mean accuracy.
    pub(super) fn interval(&self) -> Interval {
        let of_images = || {
            let run = self.correct.first()?;
            let of = stats::wilson(run.count(), run.len())?;
            Some(Interval { low: 100.0 * of.low, high: 100.0 * of.high })
        };
        let of_both = Estimate::accuracy(&self.correct).map(|of| of.accuracy_interval());
        of_both.or_else(of_images).unwrap_or(Interval { low: 0.0, high: 100.0 })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MethodStanding {
    pub(super) name: String,
    pub(super) seeds: usize,
    pub(super) top1: f64,
    pub(super) sd: Option<f64>,
    pub(super) interval: Interval,
    pub(super) above_chance: bool,
}

/// [`verdict::Comparison`] with the names and nulls of JavaScript.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) difference: f64,
    pub(super) interval: Option<Interval>,
    pub(super) adjusted_interval: Option<Interval>,
    pub(super) p: Option<f64>,
    pub(super) adjusted_p: Option<f64>,
    pub(super) noise: Option<Noise>,
    pub(super) pairs: usize,
    pub(super) seeds_needed: Option<usize>,
    pub(super) verdict: Verdict,
    pub(super) sentence: String,
}

impl From<verdict::Comparison> for Comparison {
    fn from(of: verdict::Comparison) -> Self {
        Self {
            a: of.a,
            b: of.b,
            difference: of.difference,
            interval: of.interval,
            adjusted_interval: of.adjusted_interval,
            p: of.p,
            adjusted_p: of.adjusted_p,
            noise: of.noise,
            pairs: of.pairs,
            seeds_needed: of.seeds_needed,
            verdict: of.verdict,
            sentence: in_javascript(&of.sentence),
        }
    }
}

#[derive(Serialize)]
pub(super) struct RaceProgress {
    pub(super) finished: bool,
    pub(super) students: Vec<Place>,
}

#[derive(Serialize)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) step: usize,
    pub(super) steps: usize,
    pub(super) loss: Option<f32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) images: usize,
    pub(super) top1: f64,
    pub(super) top1_at_tile_size: Option<f64>,
    pub(super) adapted_top1: Option<f64>,
    pub(super) macro_top1: f64,
    pub(super) top5: Option<f64>,
    pub(super) per_class: Vec<Option<f64>>,
    pub(super) confused: Option<Confusion>,
}
