//! The scores of a data set, and `scores.csv`.

use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::samples;
use super::value::to_js;
use crate::score::{self, window_text};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The scores of one image: a row of `scores.csv`. */
export interface ScoreRow {
    path: string;
    /** Name of its class; empty where a table made elsewhere does not tell. */
    class: string;
    hash: string | null;
    /** Score in the table's `metric` over its `window`. Lower is easier. */
    value: number;
    /** Place in the class; 0 is the easiest. */
    rank: number;
    aum: number | null;
    /** Share of the epochs that predicted the label. */
    correct: number | null;
    /** EL2N in each epoch. */
    epochs: number[];
}
"#;

/// The scores of a data set, as `scores.csv` holds them.
#[wasm_bindgen(js_name = ScoreTable)]
pub struct WebScoreTable(pub(super) score::ScoreTable);

#[wasm_bindgen(js_class = ScoreTable)]
impl WebScoreTable {
    /// Reads `scores.csv`, also of another program: it needs the columns `path` and `value`, `el2n` or `score`.
    ///
    /// # Errors
    /// An `Error` whose code is `data`, which names line and column.
    #[wasm_bindgen(js_name = fromCsv)]
    pub fn from_csv(text: &str) -> Result<WebScoreTable, WebError> {
        Ok(Self(score::ScoreTable::read_csv(text.as_bytes())?))
    }

    /// The text of `scores.csv`.
    ///
    /// # Errors
    /// An `Error` whose code is `run` when it does not fit into memory.
    #[wasm_bindgen(js_name = toCsv)]
    pub fn to_csv(&self) -> Result<String, WebError> {
        let mut bytes = Vec::new();
        self.0.write_csv(&mut bytes)?;
        Ok(String::from_utf8(bytes)?)
    }

    /// Number of rows.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.rows.len()
    }

    /// Name of the quantity that the scores measure: `el2n`, or `score` for one made elsewhere.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn metric(&self) -> String {
        self.0.metric.to_string()
    }

    /// Number of proxies whose answers were averaged.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.0.runs
    }

    /// Epochs that the scores cover, counted from 1, such as `1..10`; empty where the table does not tell.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn window(&self) -> String {
        if self.0.window.is_empty() { String::new() } else { window_text(&self.0.window) }
    }

    /// The rows of all images.
    ///
    /// # Errors
    /// An `Error` whose code is `run` when they do not fit into memory.
    #[wasm_bindgen(unchecked_return_type = "ScoreRow[]")]
    pub fn rows(&self) -> Result<JsValue, WebError> {
        let rows = self.0.rows.iter().map(|row| Row {
            path: &row.path,
            class: &row.class,
            hash: row.hash.map(|hash| hash.to_string()),
            value: row.value,
            rank: row.rank,
            aum: row.aum,
            correct: row.correct,
            epochs: &row.epochs,
        });
        to_js(&rows.collect::<Vec<_>>())
    }

    /// The score of every sample, in the order of the samples: what `prune` takes.
    ///
    /// # Errors
    /// An `Error` whose code is `data` when samples have no row, or are not the images that were scored.
    #[wasm_bindgen(js_name = scoresOf)]
    pub fn scores_of(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
        classes: Vec<String>,
    ) -> Result<Vec<f64>, WebError> {
        let classes = samples::classes(classes)?;
        Ok(self.0.join(&samples::samples(samples, &classes)?.samples, &classes)?)
    }
}

#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    class: &'a str,
    hash: Option<String>,
    value: f64,
    rank: u32,
    aum: Option<f64>,
    correct: Option<f64>,
    epochs: &'a [f32],
}
