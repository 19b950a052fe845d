//! The proxy run: a network trained on all images, whose answers score each of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::device;
use super::dynamics::{WebTrainingLog, table};
use super::error::WebError;
use super::table::WebScoreTable;
use super::training::{Model, at_least_one, overridden, settings};
use super::value::{image_set, to_js, word};
use crate::pipeline::TrainOverrides;
use crate::train::{Proxy, READ_EVERY, ScoringPass};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface ProxyOptions extends ModelOptions {
    /** Default 10. */
    epochs?: number;
    /** Images in a batch. Default 128. */
    batch?: number;
    /** Learning rate at the start. Default 0.002. */
    lr?: number;
    /** Forward pass whose EL2N counts: the training pass itself, or one after each epoch. Default `"train"`. */
    when?: "train" | "eval";
    /** Smallest crop of the proxy's views as a share of an image, whatever the students' is. Default 0.25. */
    minScale?: number;
    /** Default 0. */
    seed?: number;
    /** Keep the whole softmax of every image, a float for each image, class and epoch. Default false. */
    softmax?: boolean;
}

export interface ProxyProgress {
    step: number;
    steps: number;
    /** Epochs that are finished, and all of them. */
    epoch: number;
    epochs: number;
    /** Training loss since the last reading, in nats; null before the first. */
    loss: number | null;
    /** Share of its training views that the last finished epoch predicted; null before the first. */
    accuracy: number | null;
    finished: boolean;
}
"#;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyOptions {
    #[serde(default)]
    epochs: Option<usize>,
    #[serde(default)]
    batch: Option<usize>,
    #[serde(default)]
    lr: Option<f64>,
    #[serde(default, deserialize_with = "word")]
    when: ScoringPass,
    #[serde(default)]
    min_scale: Option<f64>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    softmax: bool,
    #[serde(flatten)]
    model: Model,
    /// Options of other names, which are misspelt.
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct ProxyProgress {
    step: usize,
    steps: usize,
    epoch: u32,
    epochs: u32,
    loss: Option<f32>,
    accuracy: Option<f64>,
    finished: bool,
}

/// A proxy in training, a few steps at a time, and the log of its answers. It takes the same steps as the program's
/// with the same images, options and seed.
#[wasm_bindgen]
pub struct ProxyRun {
    proxy: Proxy,
    about: device::About,
    seed: u64,
    per_epoch: usize,
}

#[wasm_bindgen]
impl ProxyRun {
    /// Makes a proxy for images in one block, `imageSize` × `imageSize` × 3 bytes each, and their labels.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for options that mean nothing and `device` where the device cannot be had.
    pub async fn open(
        pixels: Vec<u8>,
        labels: Vec<u32>,
        #[wasm_bindgen(unchecked_param_type = "ProxyOptions")] options: JsValue,
    ) -> Result<ProxyRun, WebError> {
        let ProxyOptions { epochs, batch, lr, when, min_scale, seed, softmax, model, unknown } =
            super::value::options(options)?;
        super::value::no_more(&unknown)?;
        let defaults = settings();
        let config = model.config()?;
        let mut training = defaults.proxy;
        if let Some(epochs) = epochs {
            training = training.stopped_after(at_least_one("epochs", epochs)?);
        }
        let training = overridden(training, TrainOverrides { batch, lr, ..TrainOverrides::default() })?;
        let images = image_set(pixels, labels, model.image_size, config.classes)?;
        let per_epoch = training.steps_per_epoch(images.len()).max(1);
        let task = Proxy::task(Arc::new(images), min_scale.unwrap_or(defaults.proxy_min_scale));
        let opened = device::open(&model.device).await?;
        let mut proxy = Proxy::new(&config, training, task, when, seed, &opened.device)?;
        if softmax {
            proxy.keep_softmax();
        }
        Ok(Self { proxy, about: opened.about, seed, per_epoch })
    }

    /// The device that computes.
    ///
    /// # Errors
    /// None that is known.
    #[wasm_bindgen(unchecked_return_type = "DeviceInfo")]
    pub fn device(&self) -> Result<JsValue, WebError> {
        to_js(&self.about)
    }

    /// Makes up to `steps` steps, 16 at most and by default, and says where it stands.
    ///
    /// # Errors
    /// An `Error` whose code is `device` when the device fails and `run` when training diverges.
    #[wasm_bindgen(unchecked_return_type = "ProxyProgress")]
    pub async fn advance(&mut self, steps: Option<u32>) -> Result<JsValue, WebError> {
        self.proxy.advance_by(steps.map_or(READ_EVERY, |steps| steps as usize)).await?;
        self.progress()
    }

    /// Its step, its epoch and its loss.
    ///
    /// # Errors
    /// None that is known.
    #[wasm_bindgen(unchecked_return_type = "ProxyProgress")]
    pub fn progress(&self) -> Result<JsValue, WebError> {
        let student = self.proxy.student();
        let epoch = self.finished_epochs();
        to_js(&ProxyProgress {
            step: student.steps_made(),
            steps: student.steps(),
            epoch,
            epochs: self.proxy.log().epochs(),
            loss: student.curve().last().map(|point| point.loss),
            accuracy: epoch.checked_sub(1).map(|last| self.proxy.log().accuracy(last)),
            finished: self.proxy.finished(),
        })
    }

    /// The training curve so far: the mean loss of each reading.
    ///
    /// # Errors
    /// None that is known.
    #[wasm_bindgen(unchecked_return_type = "CurvePoint[]")]
    pub fn curve(&self) -> Result<JsValue, WebError> {
        to_js(&self.proxy.student().curve())
    }

    /// EL2N of every image so far, summed over the finished epochs.
    #[must_use]
    pub fn el2n(&self) -> Vec<f64> {
        let (log, epochs) = (self.proxy.log(), 0..self.finished_epochs());
        (0..log.samples()).map(|sample| log.el2n_sum(sample, epochs.clone())).collect()
    }

    /// A copy of the log so far: the proxy's answers on every image in every epoch.
    #[must_use]
    pub fn log(&self) -> WebTrainingLog {
        WebTrainingLog(self.proxy.log().clone())
    }

    /// The proxy's softmax of every image in one epoch, counted from 0: `[images, classes]`, row by row.
    /// Nothing before the epoch's end, for epochs before a restored checkpoint, and without the option `softmax`.
    #[must_use]
    pub fn softmax(&self, epoch: u32) -> Option<Vec<f32>> {
        Some(self.proxy.softmax()?.epoch(epoch)?.to_vec())
    }

    /// The run as bytes, to go on with later.
    ///
    /// # Errors
    /// An `Error` whose code is `device` when the device fails.
    pub async fn checkpoint(&mut self) -> Result<Vec<u8>, WebError> {
        Ok(self.proxy.checkpoint().await?)
    }

    /// Goes on from the checkpoint of a run with the same images, options and seed, bit for bit on the same device.
    ///
    /// # Errors
    /// An `Error` whose code is `data` for bytes that are no such checkpoint.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), WebError> {
        Ok(self.proxy.restore(bytes)?)
    }

    /// The scores, when the run is finished; image `i` is `samples[i]`.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` before that and for a window that is none.
    pub fn finish(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Sample[]")] samples: JsValue,
        classes: Vec<String>,
        #[wasm_bindgen(unchecked_optional_param_type = "{ window?: string }")] options: JsValue,
    ) -> Result<WebScoreTable, WebError> {
        if !self.proxy.finished() {
            let student = self.proxy.student();
            return Err(WebError::usage(format_args!(
                "the proxy has made {} of {} steps; advance it to the end first",
                student.steps_made(),
                student.steps()
            )));
        }
        table(self.proxy.log(), samples, classes, options, self.seed)
    }
}

impl ProxyRun {
    /// Epochs whose answers are all recorded.
    fn finished_epochs(&self) -> u32 {
        (self.proxy.student().steps_made() / self.per_epoch) as u32
    }
}
