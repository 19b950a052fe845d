//! A cohort of students that train in turns, with their accuracies and the differences of these.

mod entrant;
mod standing;

use std::sync::Arc;

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use self::entrant::EntrantOptions;
use self::standing::{Comparison, Measured, MethodStanding, Place, RaceProgress, Standing};
use super::device::{self, OpenedDevice};
use super::error::WebError;
use super::training::{Model, at_least_one, overridden, settings};
use super::value::{image_set, no_more, to_js};
use crate::augment::{Augmentation, Normalise};
use crate::data::{Grid, ImageSet};
use crate::evaluate::Correct;
use crate::evaluate::stats::{self, sample_sd};
use crate::evaluate::verdict::{self, Runs};
use crate::model::ModelConfig;
use crate::pipeline::{TrainOverrides, views};
use crate::train::{
    Cohort, Evaluation, Evaluator, Length, Optimizer, Progress, READ_EVERY, Student, Task, TrainConfig,
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface RaceOptions extends ModelOptions {
    /** Optimiser steps of every student. Default 600. */
    steps?: number;
    /** Passes over a student's images, instead of `steps`. */
    epochs?: number;
    /** Images in a batch. Default 50. */
    batch?: number;
    /** Default `"adamw"`. */
    opt?: "adamw" | "sgd";
    /** Learning rate at the start. Default 0.001 (AdamW) or 0.1 (SGD). */
    lr?: number;
    /** AdamW's on tensors of more than one dimension, SGD's on all. Default 0.01 (AdamW) or 0.0001 (SGD). */
    weightDecay?: number;
}
"#;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RaceOptions {
    #[serde(default)]
    steps: Option<usize>,
    #[serde(default)]
    epochs: Option<usize>,
    #[serde(default)]
    batch: Option<usize>,
    #[serde(default)]
    opt: Option<Optimizer>,
    #[serde(default)]
    lr: Option<f64>,
    #[serde(default)]
    weight_decay: Option<f64>,
    #[serde(flatten)]
    model: Model,
    /// Options of other names, which are misspelt.
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

struct Entrant {
    name: String,
    seed: u64,
    /// Kept once for all that bring the same.
    images: Arc<ImageSet>,
    /// The images that it got right when it was last measured.
    correct: Option<Correct>,
}

/// Students of different methods and seeds that train side by side on one device, with the same training.
#[wasm_bindgen]
pub struct Race {
    opened: OpenedDevice,
    model: ModelConfig,
    training: TrainConfig,
    entrants: Vec<Entrant>,
    /// A student for each entrant.
    cohort: Cohort,
    /// Images of the last evaluation.
    measured_on: usize,
}

#[wasm_bindgen]
impl Race {
    /// Opens the device and settles the training.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for options that mean nothing and `device` where the device cannot be had.
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "RaceOptions")] options: JsValue,
    ) -> Result<Race, WebError> {
        let RaceOptions { steps, epochs, batch, opt, lr, weight_decay, model, unknown } =
            super::value::options(options)?;
        no_more(&unknown)?;
        let length = match (steps, epochs) {
            (Some(_), Some(_)) => return Err(WebError::usage("give steps or epochs, not both")),
            (Some(steps), None) => Some(Length::Steps(at_least_one("steps", steps)?)),
            (None, Some(epochs)) => Some(Length::Epochs(at_least_one("epochs", epochs)?)),
            (None, None) => None,
        };
        let asked = TrainOverrides { optimizer: opt, length, batch, lr, weight_decay };
        let training = overridden(settings().student, asked)?;
        let config = model.config()?;
        let opened = device::open(&model.device).await?;
        Ok(Self {
            opened,
            model: config,
            training,
            entrants: Vec::new(),
            cohort: Cohort::default(),
            measured_on: 0,
        })
    }

    /// The device that computes.
    ///
    /// # Errors
    /// None that is known.
    #[wasm_bindgen(unchecked_return_type = "DeviceInfo")]
    pub fn device(&self) -> Result<JsValue, WebError> {
        to_js(&self.opened.about)
    }

    /// Adds a student that trains on images in one block, `imageSize` × `imageSize` × 3 bytes each, and gives its
    /// number.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for options that mean nothing or a name and seed that are there already, and
    /// `data` without images.
    pub fn enter(
        &mut self,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        #[wasm_bindgen(unchecked_param_type = "Entrant")] options: JsValue,
    ) -> Result<usize, WebError> {
        let options: EntrantOptions = super::value::options(options)?;
        let name = options.name()?;
        let EntrantOptions { grid, crop, flip, cutout, mix, seed, .. } = options;
        if self.entrants.iter().any(|entrant| entrant.name == name && entrant.seed == seed) {
            return Err(WebError::usage(format_args!(
                "there is a student '{name}' with seed {seed} already; give another seed"
            )));
        }
        let grid = grid.map_or(Grid::WHOLE, |grid| grid.0);
        let crop = views::crop(crop, grid, settings().min_scale);
        let images = image_set(pixels, labels, self.model.image_size as u32, self.model.classes)?;
        let augmentation = Augmentation { crop, flip: flip.unwrap_or(true), cutout, mix };
        // Seeds of one method bring the same images, which are kept once.
        let known = self.entrants.iter().map(|other| &other.images).find(|known| ***known == images);
        let images = known.cloned().unwrap_or_else(|| Arc::new(images));
        let task = Task { images: images.clone(), grid, augmentation, normalise: Normalise::IMAGENET };
        let others = self.cohort.progresses();
        let student = Student::beside(others, &self.model, self.training, task, seed, &self.opened.device)?;
        self.cohort.push(student);
        self.entrants.push(Entrant { name, seed, images, correct: None });
        Ok(self.entrants.len() - 1)
    }

    /// Lets every student that is not finished make up to `steps` steps, 16 at most and by default.
    ///
    /// # Errors
    /// An `Error` whose code is `device` when the device fails and `run` when training diverges.
    #[wasm_bindgen(unchecked_return_type = "RaceProgress")]
    pub async fn advance(&mut self, steps: Option<u32>) -> Result<JsValue, WebError> {
        let steps = steps.map_or(READ_EVERY, |steps| (steps as usize).min(READ_EVERY));
        for (entrant, progress) in self.entrants.iter_mut().zip(self.cohort.progresses()) {
            if !progress.finished() {
                entrant.correct = None;
            }
        }
        self.cohort.advance(steps).await?;
        self.progress()
    }

    /// The step and the loss of every student.
    ///
    /// # Errors
    /// None that is known.
    #[wasm_bindgen(unchecked_return_type = "RaceProgress")]
    pub fn progress(&self) -> Result<JsValue, WebError> {
        let place = |(entrant, progress): (&'_ Entrant, &Progress)| Place {
            name: entrant.name.clone(),
            seed: entrant.seed,
            step: progress.steps_made(),
            steps: progress.steps(),
            loss: progress.curve().last().map(|point| point.loss),
        };
        let students = self.entrants.iter().zip(self.cohort.progresses()).map(place).collect();
        to_js(&RaceProgress { finished: self.cohort.finished(), students })
    }

    /// The training curve of a student.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for a student that there is not.
    #[wasm_bindgen(unchecked_return_type = "CurvePoint[]")]
    pub fn curve(&self, student: usize) -> Result<JsValue, WebError> {
        self.entrant(student)?;
        to_js(&self.cohort.progresses().nth(student).map(Progress::curve))
    }

    /// Measures every student on whole images, which should be none that it was trained on.
    ///
    /// # Errors
    /// An `Error` whose code is `data` without images, `usage` for a block that does not hold them, and `device` when
    /// the device fails.
    #[wasm_bindgen(unchecked_return_type = "Standing[]")]
    pub async fn evaluate(&mut self, pixels: Vec<u8>, labels: Vec<u32>) -> Result<JsValue, WebError> {
        let set = image_set(pixels, labels, self.model.image_size as u32, self.model.classes)?;
        if set.is_empty() {
            return Err(WebError::data("there are no images to measure on"));
        }
        let evaluator = Evaluator::new(&set, self.cohort.progresses().map(|progress| progress.task().grid))?;
        let mut standings = Vec::with_capacity(self.entrants.len());
        for (entrant, student) in self.entrants.iter_mut().zip(self.cohort.students()) {
            let network = student.network();
            let answers = evaluator.ask(&network, &self.opened.device).await?;
            let outcome = answers.sharp;
            let percent =
                |&(seen, right): &(usize, usize)| (seen > 0).then(|| 100.0 * right as f64 / seen as f64);
            entrant.correct = Some(Correct::of(&outcome.answers, set.labels()));
            standings.push(Standing {
                name: entrant.name.clone(),
                seed: entrant.seed,
                images: outcome.images,
                top1: outcome.top1_percent(),
                top1_at_tile_size: answers.at_tile_size.as_ref().map(Evaluation::top1_percent),
                adapted_top1: answers.adapted.as_ref().map(Evaluation::top1_percent),
                macro_top1: outcome.macro_top1_percent(),
                top5: (self.model.classes > 5).then(|| outcome.top5_percent()),
                per_class: outcome.per_class.iter().map(percent).collect(),
                confused: outcome.most_confused(set.labels()),
            });
        }
        self.measured_on = set.len();
        to_js(&standings)
    }

    /// Compares two methods by the paired differences of their students on shared seeds, as they were last measured.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for a name that there is not, or students that are not measured.
    #[wasm_bindgen(unchecked_return_type = "Comparison")]
    pub fn compare(&self, a: &str, b: &str) -> Result<JsValue, WebError> {
        let (one, other) = (self.measured(a)?, self.measured(b)?);
        to_js(&Comparison::from(verdict::compare(one.runs(a), other.runs(b), self.measured_on)))
    }

    /// Compares every two methods in the order they entered, the earlier against the later, and judges all together: if
    /// all were equal, at most 5 of 100 such races would call any of them better or worse.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for students that are not measured.
    #[wasm_bindgen(unchecked_return_type = "Comparison[]", js_name = compareAll)]
    pub fn compare_all(&self) -> Result<JsValue, WebError> {
        let measured = self.methods()?;
        let runs: Vec<Runs<'_>> = measured.iter().map(|(name, of)| of.runs(name)).collect();
        let mut pairs = Vec::new();
        for (i, &a) in runs.iter().enumerate() {
            pairs.extend(runs[i + 1..].iter().map(|&b| (a, b)));
        }
        let compared = verdict::compare_all(&pairs, self.measured_on);
        to_js(&compared.into_iter().map(Comparison::from).collect::<Vec<_>>())
    }

    /// Accuracies of the students of each name together, in the order they entered.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for students that are not measured.
    #[wasm_bindgen(unchecked_return_type = "MethodStanding[]", js_name = methodStandings)]
    pub fn method_standings(&self) -> Result<JsValue, WebError> {
        let chance = 100.0 / self.model.classes as f64;
        let standings = self.methods()?.into_iter().map(|(name, of)| {
            let interval = of.interval();
            MethodStanding {
                name: name.to_owned(),
                seeds: of.seeds.len(),
                top1: stats::mean(&of.accuracies).unwrap_or_default(),
                sd: sample_sd(&of.accuracies),
                interval,
                above_chance: interval.low > chance,
            }
        });
        to_js(&standings.collect::<Vec<_>>())
    }

    /// A student as bytes, to go on with later.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for a student that there is not and `device` when the device fails.
    pub async fn checkpoint(&mut self, student: usize) -> Result<Vec<u8>, WebError> {
        self.entrant(student)?;
        Ok(self.cohort.checkpoint(student).await?)
    }

    /// Goes on from the checkpoint of a student with the same images, options and seed.
    ///
    /// # Errors
    /// An `Error` whose code is `data` for bytes that are no such checkpoint, and `usage` for a student that there is
    /// not.
    pub fn restore(&mut self, student: usize, bytes: &[u8]) -> Result<(), WebError> {
        self.entrant(student)?;
        self.entrants[student].correct = None;
        Ok(self.cohort.students()[student].restore(bytes)?)
    }

    /// The weights of a student as a safetensors file with PyTorch's names.
    ///
    /// # Errors
    /// An `Error` whose code is `usage` for a student that there is not and `device` when the device fails.
    pub async fn weights(&mut self, student: usize) -> Result<Vec<u8>, WebError> {
        self.entrant(student)?;
        Ok(self.cohort.students()[student].network().to_safetensors().await?)
    }
}

impl Race {
    /// Seeds and accuracies of the students of a name.
    fn measured(&self, name: &str) -> Result<Measured, WebError> {
        let mut measured = Measured::default();
        for entrant in self.entrants.iter().filter(|entrant| entrant.name == name) {
            let correct = entrant.correct.clone().ok_or_else(|| {
                WebError::usage(format_args!("'{name}' has trained on since it was measured; evaluate first"))
            })?;
            measured.seeds.push(entrant.seed);
            measured.accuracies.push(100.0 * correct.count() as f64 / correct.len().max(1) as f64);
            measured.correct.push(correct);
        }
        if measured.seeds.is_empty() {
            return Err(WebError::usage(format_args!("there is no student named '{name}'")));
        }
        Ok(measured)
    }

    /// Every name with its students.
    fn methods(&self) -> Result<Vec<(&str, Measured)>, WebError> {
        let mut names: Vec<&str> = Vec::new();
        for entrant in &self.entrants {
            if !names.contains(&entrant.name.as_str()) {
                names.push(&entrant.name);
            }
        }
        names.into_iter().map(|name| Ok((name, self.measured(name)?))).collect()
    }

    fn entrant(&self, student: usize) -> Result<&Entrant, WebError> {
        self.entrants.get(student).ok_or_else(|| {
            WebError::usage(format_args!(
                "there is no student {student}: there are {}, counted from 0",
                self.entrants.len()
            ))
        })
    }
}
