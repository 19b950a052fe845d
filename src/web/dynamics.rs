//! EL2N and the other training dynamics of given logits, and a log of them.

use js_sys::{Float32Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::samples;
use super::table::WebScoreTable;
use super::value::{object, to_js};
use crate::score::{self, Dynamics, SuspectRule, parse_window};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A model's answers on samples whose labels are known: one number a sample. */
export interface Dynamics {
    /** Probability of the label. */
    pLabel: Float32Array;
    /** Largest probability of another class. */
    pOther: Float32Array;
    /** ‖softmax − onehot‖₂, from 0 to √2. */
    el2n: Float32Array;
    /** Entropy of the prediction, in nats. */
    entropy: Float32Array;
}

export interface BatchDynamics extends Dynamics {
    /** Cross-entropy of the label, in nats. */
    loss: Float32Array;
    /** 1 where the label has the largest logit. */
    correct: Uint8Array;
}

/** An image whose label may be wrong, by its training log. */
export interface Suspect {
    /** Its place among the samples. */
    sample: number;
    /** Mean probability margin over all epochs (AUM), and over the late ones. */
    aum: number;
    lateMargin: number;
    /** Mean probability of the strongest other class over the late epochs. */
    confidence: number;
}

export interface WindowOptions {
    /** Epochs whose EL2N is summed, counted from 1, both ends included, such as `"1..10"`. Default: all. */
    window?: string;
    /** Decides the order of equal scores. Default 0. */
    seed?: number;
}
"#;

/// EL2N and the other training dynamics of a batch: `logits` holds `classes` numbers for each label, row by row.
///
/// # Errors
/// An `Error` whose code is `data` when the sizes do not fit or a label is no class, and `run` for logits that are
/// not finite.
#[wasm_bindgen(unchecked_return_type = "BatchDynamics")]
pub fn dynamics(logits: &[f32], labels: &[u32], classes: usize) -> Result<JsValue, WebError> {
    let all = Dynamics::batch(logits, labels, classes)?;
    let floats = |field: fn(&Dynamics) -> f32| -> JsValue {
        Float32Array::from(all.iter().map(field).collect::<Vec<f32>>().as_slice()).into()
    };
    let correct: Vec<u8> = all.iter().map(|one| u8::from(one.correct)).collect();
    Ok(object([
        ("pLabel", floats(|one| one.p_label)),
        ("pOther", floats(|one| one.p_other)),
        ("el2n", floats(|one| one.el2n)),
        ("entropy", floats(|one| one.entropy)),
        ("loss", floats(|one| one.loss)),
        ("correct", Uint8Array::from(correct.as_slice()).into()),
    ]))
}

/// The training dynamics of every sample in every epoch of a run, wherever the logits come from. Epochs are counted
/// from 0 here.
#[wasm_bindgen(js_name = TrainingLog)]
pub struct WebTrainingLog(pub(super) score::TrainingLog);

#[wasm_bindgen(js_class = TrainingLog)]
impl WebTrainingLog {
    /// An empty log.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for one that does not fit into memory.
    #[wasm_bindgen(constructor)]
    pub fn new(epochs: u32, samples: u32) -> Result<WebTrainingLog, WebError> {
        // Eighteen bytes for each sample and epoch.
        if u64::from(epochs) * u64::from(samples) > (1 << 30) / 18 {
            return Err(WebError::usage(format_args!(
                "a log of {epochs} epochs of {samples} samples would take more than a gigabyte"
            )));
        }
        Ok(Self(score::TrainingLog::new(epochs, samples)))
    }

    /// A log that `toBytes` gave, or a file `training-log.safetensors` of the program, or what earlier versions of both wrote.
    ///
    /// # Errors
    /// An `Error` whose code is `data` for anything else.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(bytes: &[u8]) -> Result<WebTrainingLog, WebError> {
        Ok(Self(score::TrainingLog::from_bytes(bytes)?))
    }

    /// The log as the bytes of `training-log.safetensors`.
    #[wasm_bindgen(js_name = toBytes)]
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Epochs it has room for.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.0.epochs()
    }

    /// Samples it has room for.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn samples(&self) -> u32 {
        self.0.samples()
    }

    /// Records what a model said of the samples `indices` in an epoch: `logits` holds as many numbers for each of
    /// them as there are classes.
    ///
    /// # Errors
    /// An `Error` whose code is `data` when the sizes do not fit or a sample was recorded before, and `run` for logits
    /// that are not finite. Nothing is recorded then.
    pub fn record(
        &mut self,
        epoch: u32,
        indices: &[u32],
        logits: &[f32],
        labels: &[u32],
    ) -> Result<(), WebError> {
        if labels.is_empty() {
            return Ok(());
        }
        let answers = Dynamics::batch(logits, labels, logits.len() / labels.len())?;
        Ok(self.0.record(epoch, indices, &answers)?)
    }

    /// The dynamics of all samples in one epoch; NaN where nothing is recorded yet.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for an epoch that the log does not have.
    #[wasm_bindgen(unchecked_return_type = "Dynamics")]
    pub fn epoch(&self, epoch: u32) -> Result<JsValue, WebError> {
        let log = self.of(epoch)?;
        let el2n = log.epoch_el2n(epoch);
        let floats = |value: &dyn Fn(u32) -> f32| -> JsValue {
            let known = |(sample, el2n): (usize, &f32)| {
                if el2n.is_nan() { f32::NAN } else { value(sample as u32) }
            };
            Float32Array::from(el2n.iter().enumerate().map(known).collect::<Vec<f32>>().as_slice()).into()
        };
        Ok(object([
            ("pLabel", floats(&|sample| log.p_label(epoch, sample))),
            ("pOther", floats(&|sample| log.p_other(epoch, sample))),
            ("el2n", Float32Array::from(el2n).into()),
            ("entropy", floats(&|sample| log.entropy(epoch, sample))),
        ]))
    }

    /// Share of the samples that an epoch predicted correctly, in `[0, 1]`; meaningful once it is complete.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for an epoch that the log does not have.
    pub fn accuracy(&self, epoch: u32) -> Result<f64, WebError> {
        Ok(self.of(epoch)?.accuracy(epoch))
    }

    /// Samples whose label may be wrong, by their late epochs: to be looked at, not to be believed.
    ///
    /// # Errors
    /// An `Error` whose code is `data` when samples are not recorded in every epoch.
    #[wasm_bindgen(unchecked_return_type = "Suspect[]")]
    pub fn suspects(&self) -> Result<JsValue, WebError> {
        let found = SuspectRule::default().find(&self.0)?;
        to_js(&found.into_iter().map(SuspectOut::from).collect::<Vec<_>>())
    }

    /// The scores of a complete log, whose sample `i` is `samples[i]`.
    ///
    /// # Errors
    /// An `Error` whose code is `data` when samples are missing, and `usage` for a window that is none.
    #[wasm_bindgen(js_name = scoreTable)]
    pub fn score_table(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
        classes: Vec<String>,
        #[wasm_bindgen(unchecked_optional_param_type = "WindowOptions")] options: JsValue,
    ) -> Result<WebScoreTable, WebError> {
        table(&self.0, samples, classes, options, 0)
    }
}

impl WebTrainingLog {
    /// The log, when it has this epoch.
    fn of(&self, epoch: u32) -> Result<&score::TrainingLog, WebError> {
        if epoch < self.0.epochs() {
            return Ok(&self.0);
        }
        Err(WebError::usage(format_args!(
            "there is no epoch {epoch}: the log has {}, counted from 0",
            self.0.epochs()
        )))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WindowOptions {
    window: Option<String>,
    seed: Option<u64>,
}

/// The score table of a log; equal scores are in the order of the options' seed, or of `run_seed`.
pub(super) fn table(
    log: &score::TrainingLog,
    samples: JsValue,
    classes: Vec<String>,
    options: JsValue,
    run_seed: u64,
) -> Result<WebScoreTable, WebError> {
    let WindowOptions { window, seed } = super::value::options(options)?;
    let seed = seed.unwrap_or(run_seed);
    let classes = samples::classes(classes)?;
    let samples = samples::samples(samples, &classes)?.samples;
    let window = match window {
        Some(text) => parse_window(&text).map_err(|why| WebError::usage(format_args!("window: {why}")))?,
        None => 0..log.epochs(),
    };
    Ok(WebScoreTable(score::ScoreTable::from_log(log, &samples, &classes, window, seed)?))
}

/// A suspect with the names of JavaScript.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SuspectOut {
    sample: u32,
    aum: f64,
    late_margin: f64,
    confidence: f64,
}

impl From<score::Suspect> for SuspectOut {
    fn from(suspect: score::Suspect) -> Self {
        let score::Suspect { sample, aum, late_margin, confidence } = suspect;
        Self { sample, aum, late_margin, confidence }
    }
}
