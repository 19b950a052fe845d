//! Choosing images, and `selection.csv`.

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::samples::{self, Samples};
use super::value::{GridOption, argument, to_js, word};
use crate::combine::{IpcCounts, sources_per_class};
use crate::data::{ClassMap, Grid};
use crate::prune::{self, Copies, Fill, Named, NamedShared, Pick, PruneRequest, Rule, Selection};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** One chosen image. */
export interface Pick {
    /** Its place among the samples. */
    sample: number;
    /** Number of its class. */
    class: number;
    /** Place in the selection within its class, from 0. */
    rank: number;
    score: number | null;
    /** 0 for its first use; higher where a class is filled by using its images again. */
    repeat: number;
}

export interface PruneOptions {
    /** Images a class. Composites count once: 10 at grid 2 keeps 40 images of each class. */
    ipc: number;
    /** Tiles of a composite: 1 (whole images), 2 (2x2), 3 or `"1x2"`. Default 2. */
    grid?: number | string;
    /** Images that `ipc` counts. Default `"composites"`. */
    ipcCounts?: "composites" | "sources";
    /** Rule for the images of a class that are kept. Default `"easy"`: the lowest EL2N. */
    rule?: "easy" | "hard" | "window" | "random";
    /** With the rule `"window"`: share of each class, from the easiest, that is skipped. Default 0.1. */
    windowStart?: number;
    /** A class with too few images: `"error"` refuses it, `"cycle"` uses its images again. Default `"error"`. */
    fill?: "error" | "cycle";
    /** Leave out near-duplicates, which needs `look` of every sample, and images that are also in `val` or look the same. */
    dedup?: boolean;
    /** Decides the random rule and the order of equal scores. Default 0. */
    seed?: number;
}

/** An image as a person finds it. */
export interface NamedImage { path: string; class: string; }

/** A training image that is in the validation set too. */
export interface SharedImage extends NamedImage {
    /** Path of the validation image. */
    val: string;
    /** `true` where the files are equal; else the images look the same, such as after another encoding. */
    sameFile: boolean;
    /** Bits in which their difference hashes differ. */
    distance: number;
}

/** The chosen images: the same number of every class, by class, then by rank. */
export interface Pruned {
    picks: Pick[];
    /** Images of every class. */
    perClass: number;
    /** Picks that use an image again. */
    repeated: number;
    findings: {
        /** Groups of near-duplicates among the images that were kept. */
        nearDuplicates: NamedImage[][];
        /** Kept images that are in the validation set too, which flatters accuracy; look-alikes where all have a `look`. */
        sharedWithVal: SharedImage[];
        /** Images that `dedup` left out. */
        leftOut: NamedImage[];
    };
}
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PruneOptions {
    ipc: u32,
    #[serde(default)]
    grid: Option<GridOption>,
    #[serde(default)]
    ipc_counts: IpcCounts,
    #[serde(default, deserialize_with = "word")]
    rule: Rule,
    #[serde(default)]
    window_start: Option<f64>,
    #[serde(default)]
    fill: Fill,
    #[serde(default)]
    dedup: bool,
    #[serde(default)]
    seed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pruned<'a> {
    picks: &'a [Pick],
    per_class: usize,
    repeated: usize,
    findings: Findings<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings<'a> {
    near_duplicates: &'a [Vec<Named>],
    shared_with_val: Vec<SharedImage<'a>>,
    left_out: &'a [Named],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SharedImage<'a> {
    #[serde(flatten)]
    image: &'a Named,
    val: &'a str,
    same_file: bool,
    distance: u32,
}

impl<'a> From<&'a NamedShared> for SharedImage<'a> {
    fn from(shared: &'a NamedShared) -> Self {
        let NamedShared { image, val, same_file, distance } = shared;
        Self { image, val, same_file: *same_file, distance: *distance }
    }
}

/// A rule by its name.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct RuleOption(#[serde(deserialize_with = "word")] pub(super) Rule);

/// A rule with its start, which no other than `window` has.
pub(super) fn rule_of(rule: Rule, window_start: Option<f64>) -> Result<Rule, WebError> {
    match (rule, window_start) {
        (Rule::Window { .. }, Some(start)) => Ok(rule.with_window_start(start)),
        (_, None) => Ok(rule),
        (_, Some(_)) => Err(WebError::usage(format_args!(
            "windowStart has no effect with the rule \"{rule}\"; give the rule \"window\" or leave it out"
        ))),
    }
}

/// Chooses the same number of images of every class. `scores` are those of the samples, in their order (lower is
/// easier); the rule `"random"` does without. `val` are the validation images, where they may hold copies.
///
/// # Errors
/// An `Error` whose code is `data` for a class with too few images or a score that is no number, and `usage` for
/// options that mean nothing.
#[wasm_bindgen(js_name = prune, unchecked_return_type = "Pruned")]
pub fn prune_samples(
    #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
    classes: Vec<String>,
    scores: Option<Vec<f64>>,
    #[wasm_bindgen(unchecked_param_type = "PruneOptions")] options: JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "Sample[]")] val: JsValue,
) -> Result<JsValue, WebError> {
    let options: PruneOptions = super::value::options(options)?;
    let classes = samples::classes(classes)?;
    let samples = samples::samples(samples, &classes)?;
    let val = if val.is_undefined() || val.is_null() {
        Samples::default()
    } else {
        samples::samples(val, &classes)?
    };
    let grid = options.grid.map_or(Grid::TWO, |grid| grid.0);
    let (composites, per_class) = sources_per_class(options.ipc, grid, options.ipc_counts)?;
    if options.dedup && samples.looks.is_none() {
        return Err(WebError::usage(
            "dedup needs to know what every sample looks like: give `look` as decodeImage gives it",
        ));
    }
    let rule = rule_of(options.rule, options.window_start)?;
    let request = PruneRequest {
        samples: &samples.samples,
        classes: &classes,
        scores: scores.as_deref(),
        per_class: per_class as usize,
        composites: composites as usize,
        rule,
        fill: options.fill,
        seed: options.seed,
        leave_out: &[],
    };
    let looks = samples.looks.as_deref().unwrap_or(&[]);
    let val_looks = val.looks.as_deref().unwrap_or(&[]);
    let copies = Copies::find(looks, &samples.samples, val_looks, &val.samples);
    let chosen = prune::choose(&request, &copies, options.dedup, &[])?;
    to_js(&Pruned {
        picks: &chosen.selection.picks,
        per_class: chosen.selection.per_class(),
        repeated: chosen.selection.repeated(),
        findings: Findings {
            near_duplicates: &chosen.findings.near_duplicates,
            shared_with_val: chosen.findings.shared_with_val.iter().map(SharedImage::from).collect(),
            left_out: &chosen.findings.left_out,
        },
    })
}

/// The text of `selection.csv`, which the program takes with `--selection`.
///
/// # Errors
/// An `Error` whose code is `usage` for a pick that is none of the samples.
#[wasm_bindgen(js_name = writeSelection)]
pub fn write_selection(
    #[wasm_bindgen(unchecked_param_type = "Pick[]")] picks: JsValue,
    #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
    classes: Vec<String>,
) -> Result<String, WebError> {
    let classes = samples::classes(classes)?;
    let samples = samples::samples(samples, &classes)?.samples;
    let selection = selection(picks, samples.len(), &classes)?;
    let mut bytes = Vec::new();
    selection.write_csv(&samples, &classes, &mut bytes)?;
    Ok(String::from_utf8(bytes)?)
}

/// Reads `selection.csv`, of this package, of the program, or made by hand: it needs the column `path`.
///
/// # Errors
/// An `Error` whose code is `data`, which names the line: an image that is not among the samples or has changed, a
/// class that is another, classes of unequal size.
#[wasm_bindgen(js_name = readSelection, unchecked_return_type = "Pick[]")]
pub fn read_selection(
    text: &str,
    #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
    classes: Vec<String>,
) -> Result<JsValue, WebError> {
    let classes = samples::classes(classes)?;
    let samples = samples::samples(samples, &classes)?.samples;
    let rows = Selection::read_csv(text.as_bytes())?;
    to_js(&Selection::join(&rows, &samples, &classes)?.picks)
}

/// Picks of `samples` samples as a selection: by class, then by rank.
pub(super) fn selection(picks: JsValue, samples: usize, classes: &ClassMap) -> Result<Selection, WebError> {
    let picks: Vec<Pick> = argument("picks", picks)?;
    sorted(picks, samples, classes)
}

fn sorted(mut picks: Vec<Pick>, samples: usize, classes: &ClassMap) -> Result<Selection, WebError> {
    let outside = |pick: &&Pick| pick.sample as usize >= samples || pick.class as usize >= classes.len();
    if let Some(Pick { sample, class, .. }) = picks.iter().find(outside) {
        return Err(WebError::usage(format_args!(
            "a pick is of sample {sample} and class {class}; there are {samples} samples and {} classes",
            classes.len()
        )));
    }
    picks.sort_by_key(|pick| (pick.class, pick.rank));
    Ok(Selection { picks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_by_the_names_of_javascript() {
        let options: PruneOptions = serde_json::from_str(
            r#"{"ipc": 3, "grid": 1, "rule": "window", "windowStart": 0.2, "fill": "cycle"}"#,
        )
        .unwrap();
        assert_eq!(options.grid.unwrap().0, Grid::WHOLE);
        assert_eq!(rule_of(options.rule, Some(0.2)).unwrap(), Rule::Window { start: 0.2 });
        assert_eq!(rule_of(Rule::Hard, None).unwrap(), Rule::Hard);
        assert!(rule_of(Rule::Hard, Some(0.2)).is_err());
        assert_eq!((options.fill, options.seed), (Fill::Cycle, 0));
        for wrong in [r#"{"ipc": 3, "grids": 2}"#, r#"{"ipc": 3, "rule": "soft"}"#, r#"{"grid": 2}"#] {
            assert!(serde_json::from_str::<PruneOptions>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn picks_are_put_in_order_and_must_exist() {
        let classes = ClassMap::new(["a".to_owned(), "b".to_owned()]);
        let pick = |sample, class, rank| Pick { sample, class, rank, score: None, repeat: 0 };
        let selection = sorted(vec![pick(3, 1, 0), pick(1, 0, 1), pick(0, 0, 0)], 4, &classes).unwrap();
        assert_eq!(selection.picks.iter().map(|pick| pick.sample).collect::<Vec<_>>(), [0, 1, 3]);
        assert!(sorted(vec![pick(4, 0, 0)], 4, &classes).is_err());
        assert!(sorted(vec![pick(0, 2, 0)], 4, &classes).is_err());
    }
}
