//! Composites, one at a time, and the files of a compressed set.

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::image::side;
use super::prune::{RuleOption, rule_of, selection};
use super::samples;
use super::value::{GridOption, object, to_js, word};
use crate::augment::AugmentError;
use crate::combine::{CompositePlan, CostEstimate, DATA, Format, METADATA, SetSpec, about, picked_sources};
use crate::data::{ContentHash, Fit, Grid, Limits, Resizer, Sample, decode};
use crate::pipeline::set::{self, SetBuilder, SetFacts, Stored, Style, WrittenSet};
use crate::score::Metric;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface CombineOptions {
    /** Width and height of a composite in pixels. Default 64. */
    imageSize?: number;
    /** Tiles of a composite: 1 (whole images), 2 (2x2), 3 or `"1x2"`. Default 2. */
    grid?: number | string;
    /** Fit of a whole image to its tile. Default `"squash"`. */
    fit?: "squash" | "crop" | "pad";
    /** Default `"png"`, which keeps every pixel. */
    format?: "png" | "jpeg";
    /** Quality of a JPEG, 1 to 100. Default 90. */
    quality?: number;
    /** The seed that the manifest names. Default 0. */
    seed?: number;
}

/** One line of `metadata.jsonl`, with the names of that file. */
export interface CompositeRecord {
    file_name: string;
    label: number;
    class: string;
    tiles: {
        source: string;
        hash: string;
        score: number | null;
        rank: number;
        /** x, y, width, height in pixels. */
        box: [number, number, number, number];
    }[];
}

/** A finished composite. */
export interface Composite {
    /** Path of its file in the set, such as `data/cat/0000.png`. */
    path: string;
    file: Uint8Array;
    /** `imageSize` × `imageSize` × 3 bytes: what the file holds. */
    pixels: Uint8Array;
    label: number;
    record: CompositeRecord;
}

/** The plan of combining, and its cost. */
export interface CostEstimate {
    classes: number;
    composites: number;
    sources: number;
    side: number;
    /** Bytes of all composites together, if they are photographs. */
    estimatedBytes: number;
}

export interface AboutOptions {
    /** Name of the set. */
    name: string;
    /** The rule the images were chosen by, for the dataset card. Default: by the list that was given. */
    rule?: "easy" | "hard" | "window" | "random";
    /** Share of each class, from the easiest, that the rule `"window"` skips. Default 0.1. */
    windowStart?: number;
    /** Bytes of the files of all samples, for the card and the manifest. */
    sourceBytes?: number;
    /** Smallest crop of the set's views as a share of the tile, for the torchvision transform. Default 0.5. */
    minScale?: number;
    /** CombineOptions of yours that the manifest is to keep. */
    options?: object;
}

/** A text file of a set. */
export interface SetFile { path: string; text: string; }
"#;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct CombineOptions {
    image_size: u32,
    grid: Option<GridOption>,
    fit: Fit,
    #[serde(deserialize_with = "word")]
    format: Format,
    quality: Option<u8>,
    seed: u64,
}

impl Default for CombineOptions {
    fn default() -> Self {
        Self {
            image_size: 64,
            grid: None,
            fit: Fit::default(),
            format: Format::default(),
            quality: None,
            seed: 0,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct About {
    name: String,
    #[serde(default)]
    rule: Option<RuleOption>,
    #[serde(default)]
    window_start: Option<f64>,
    #[serde(default)]
    source_bytes: u64,
    #[serde(default)]
    min_scale: Option<f64>,
    #[serde(default)]
    options: serde_json::Value,
}

/// Makes the composites of a selection, one at a time from the bytes of their source files, so that only a few files
/// are in memory at once. The files are those the program writes, byte for byte.
#[wasm_bindgen]
pub struct Composites {
    builder: SetBuilder,
    samples: Vec<Sample>,
    resizer: RefCell<Resizer>,
    made: Vec<Option<Stored>>,
    /// Bytes of the source files that were used, by their paths.
    sources: BTreeMap<String, u64>,
}

#[wasm_bindgen]
impl Composites {
    /// The composites of these picks. `samples` are all images the picks were chosen from.
    ///
    /// # Errors
    /// An `Error` whose code is `data` for picks that do not fill whole composites, and `usage` for options that mean
    /// nothing.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Pick[]")] picks: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
        classes: Vec<String>,
        #[wasm_bindgen(unchecked_optional_param_type = "CombineOptions")] options: JsValue,
    ) -> Result<Composites, WebError> {
        let CombineOptions { image_size, grid, fit, format, quality, seed } = super::value::options(options)?;
        let grid = grid.map_or(Grid::TWO, |grid| grid.0);
        let format = match quality {
            Some(quality) => format.with_quality(quality)?,
            None => format,
        };
        let side = side(image_size)?;
        let classes = samples::classes(classes)?;
        let samples = samples::samples(samples, &classes)?.samples;
        let selection = selection(picks, samples.len(), &classes)?;
        let (per_class, tiles) = (selection.per_class(), grid.tiles() as usize);
        if per_class == 0 || !per_class.is_multiple_of(tiles) {
            return Err(WebError::data(format_args!(
                "the selection keeps {per_class} images a class, which do not fill composites of {tiles} tiles \
                 (grid {grid})"
            )));
        }
        let picks = picked_sources(&selection, &samples, &classes);
        let spec = set::spec(&classes, grid, (per_class / tiles) as u32, side, Style { fit, format });
        let builder = SetBuilder::new(SetSpec { seed, ..spec }, fit, picks)?;
        let made = (0..builder.len()).map(|_| None).collect();
        let resizer = RefCell::new(Resizer::new());
        Ok(Self { builder, samples, resizer, made, sources: BTreeMap::new() })
    }

    /// Number of composites.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn length(&self) -> usize {
        self.made.len()
    }

    /// The cost of making them all.
    ///
    /// # Errors
    /// None that is known: the options were checked before.
    #[wasm_bindgen(unchecked_return_type = "CostEstimate")]
    pub fn plan(&self) -> Result<JsValue, WebError> {
        let CostEstimate { classes, composites, sources, side, estimated_bytes } =
            CostEstimate::new(self.builder.spec())?;
        to_js(&EstimateOut { classes, composites, sources, side, estimated_bytes })
    }

    /// The paths of the source files that composite `index` needs, tile by tile.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for a composite that there is not.
    pub fn sources(&self, index: usize) -> Result<Vec<String>, WebError> {
        Ok(self.plan_of(index)?.tiles.iter().map(|pick| pick.path.clone()).collect())
    }

    /// Makes composite `index` from the bytes of its source files, in the order of `sources`.
    ///
    /// # Errors
    /// An `Error` whose code is `data` for a file that is not the one that was selected or cannot be decoded, and
    /// `usage` for a composite that there is not or another number of files.
    #[wasm_bindgen(unchecked_return_type = "Composite")]
    pub fn make(
        &mut self,
        index: usize,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array[]")] files: Array,
    ) -> Result<JsValue, WebError> {
        let plan = self.plan_of(index)?;
        if files.length() as usize != plan.tiles.len() {
            return Err(WebError::usage(format_args!(
                "composite {index} is made of {} files, not of {}",
                plan.tiles.len(),
                files.length()
            )));
        }
        let mut tile = 0;
        let mut used: Vec<(String, u64)> = Vec::new();
        let made = self.builder.make(&plan, &mut self.resizer.borrow_mut(), |path| {
            let pick = plan.tiles[tile as usize];
            let bytes = files
                .get(tile)
                .dyn_into::<Uint8Array>()
                .map_err(|_| WebError::usage(format_args!("the bytes of '{path}' are not a Uint8Array")))?;
            let bytes = bytes.to_vec();
            tile += 1;
            if ContentHash::of(&bytes) != pick.hash {
                return Err(WebError::data(format_args!(
                    "'{path}' is not the image that was selected (content hash); select again"
                )));
            }
            used.push((path.to_owned(), bytes.len() as u64));
            decode(&bytes, &Limits::default()).map_err(|why| {
                WebError::data(format_args!("source image '{path}' cannot be used: {why}")).caused_by(&why)
            })
        })?;
        let (stored, file) = (Stored::of(&made), Uint8Array::from(made.file.as_slice()));
        let pixels = self.builder.stored(made)?;
        let out = object([
            ("path", format!("{DATA}/{}", stored.record.file_name).into()),
            ("file", file.into()),
            ("pixels", Uint8Array::from(pixels.pixels()).into()),
            ("label", stored.record.label.into()),
            ("record", to_js(&stored.record)?),
        ]);
        self.sources.extend(used);
        self.made[index] = Some(stored);
        Ok(out)
    }

    /// The other files of the set, when all composites are made: `data/metadata.jsonl`, the dataset card, the
    /// torchvision transform and, last, `manifest.json`.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` while composites are missing.
    #[wasm_bindgen(unchecked_return_type = "SetFile[]")]
    pub fn finish(
        &self,
        #[wasm_bindgen(unchecked_param_type = "AboutOptions")] options: JsValue,
    ) -> Result<JsValue, WebError> {
        let About { name, rule, window_start, source_bytes, min_scale, options } =
            super::value::options(options)?;
        if let Some(scale) = min_scale.filter(|&scale| !(scale > 0.0 && scale <= 1.0)) {
            return Err(AugmentError::MinScale(scale).into());
        }
        let missing = self.made.iter().filter(|made| made.is_none()).count();
        if missing > 0 {
            return Err(WebError::usage(format_args!(
                "{missing} of {} composites are not made yet",
                self.made.len()
            )));
        }
        let made: Vec<Stored> = self.made.iter().flatten().cloned().collect();
        let written = WrittenSet::of(&made)?;
        let options = serde_json::json!({ "command": "combine", "given": options });
        let facts = SetFacts { options, min_scale, source_bytes };
        let mut manifest = set::draft(self.builder.spec().clone(), facts, &self.samples);
        self.builder.complete(&mut manifest, &written, self.samples.len(), self.sources.values().sum());
        let words = match rule {
            Some(RuleOption(rule)) => rule_of(rule, window_start)?.in_words(Metric::El2n),
            None => "by the list that was given".to_owned(),
        };
        let mut out =
            vec![SetFile { path: format!("{DATA}/{METADATA}"), text: String::from_utf8(written.metadata)? }];
        out.extend(
            about(&mut manifest, &name, &words).map(|(path, text)| SetFile { path: path.to_owned(), text }),
        );
        to_js(&out)
    }
}

impl Composites {
    fn plan_of(&self, index: usize) -> Result<CompositePlan<'_>, WebError> {
        self.builder.plan(index).ok_or_else(|| {
            WebError::usage(format_args!(
                "there is no composite {index}: there are {}, counted from 0",
                self.made.len()
            ))
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EstimateOut {
    classes: u64,
    composites: u64,
    sources: u64,
    side: u32,
    estimated_bytes: u64,
}

#[derive(Serialize)]
struct SetFile {
    path: String,
    text: String,
}
