//! The options of a student in a race.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use crate::augment::{CropChoice, Cutout, MixKind};
use crate::data::Grid;
use crate::evaluate::Method;
use crate::web::error::WebError;
use crate::web::prune::{RuleOption, rule_of};
use crate::web::value::GridOption;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A student and the making of its views. */
export interface Entrant extends Augmentation {
    /**
     * Name of its method; students of one name and different seeds are compared as one. Default: the program's name for
     * its `rule` and `grid`, such as `"pca"` or `"el2n-hard"`.
     */
    name?: string;
    /** Rule for its images of a class, where that gives its name. */
    rule?: "easy" | "hard" | "window" | "random";
    /** Share of each class, from the easiest, that the rule `"window"` skips. Default 0.1. */
    windowStart?: number;
    /** Tiles of its images. Default 1: whole images. */
    grid?: number | string;
    /** Decides weights, order and views. Default 0. */
    seed?: number;
}
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct EntrantOptions {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) rule: Option<RuleOption>,
    #[serde(default)]
    pub(super) window_start: Option<f64>,
    #[serde(default)]
    pub(super) grid: Option<GridOption>,
    #[serde(default)]
    pub(super) crop: Option<CropChoice>,
    #[serde(default)]
    pub(super) flip: Option<bool>,
    #[serde(default)]
    pub(super) cutout: Option<Cutout>,
    #[serde(default)]
    pub(super) mix: Option<MixKind>,
    #[serde(default)]
    pub(super) seed: u64,
}

impl EntrantOptions {
    /// Its name: as asked, or that of its rule and grid.
    pub(super) fn name(&self) -> Result<String, WebError> {
        let rule = match (self.rule, self.window_start) {
            (Some(RuleOption(rule)), start) => Some(rule_of(rule, start)?),
            (None, Some(_)) => {
                return Err(WebError::usage("windowStart has no effect without the rule \"window\""));
            }
            (None, None) => None,
        };
        match (&self.name, rule) {
            (Some(name), None) => Ok(name.clone()),
            (None, Some(rule)) => Ok(Method::of(rule, self.grid.map_or(Grid::WHOLE, |grid| grid.0)).name()),
            (Some(_), Some(_)) => Err(WebError::usage("give the name of an entrant or its rule, not both")),
            (None, None) => Err(WebError::usage("an entrant needs a name, or the rule of its images")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrant_is_named_by_what_it_is_where_nobody_names_it() {
        let name = |text: &str| serde_json::from_str::<EntrantOptions>(text).unwrap().name();
        for (options, expected) in [
            (r#"{"name": "mine", "grid": 2}"#, "mine"),
            (r#"{"rule": "easy", "grid": 2}"#, "pca"),
            (r#"{"rule": "easy"}"#, "el2n"),
            (r#"{"rule": "hard", "grid": 3}"#, "el2n-hard-composites"),
            (r#"{"rule": "random", "grid": "1x2"}"#, "random-composites"),
            (r#"{"rule": "window", "windowStart": 0.5}"#, "el2n-window-0.5"),
        ] {
            assert_eq!(name(options).unwrap(), expected);
        }
        for wrong in [
            "{}",
            r#"{"name": "x", "rule": "easy"}"#,
            r#"{"rule": "easy", "windowStart": 0.5}"#,
            r#"{"name": "x", "windowStart": 0.5}"#,
        ] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
