//! A student that JavaScript steps and times.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::device;
use super::error::WebError;
use crate::device::Precision;
use crate::model::{Architecture, Choices, ModelConfig, Stem};
use crate::train::{Student, synthetic_student};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The steps that are timed. */
export interface ProfileOptions {
    device: DeviceName;
    model: "convnet" | "convnet-d" | "resnet18";
    /** Channels of a ConvNet. */
    width: number;
    /** Width and height of the images in pixels. */
    image_size: number;
    batch: number;
}
"#;

#[derive(Deserialize)]
struct ProfileOptions {
    device: String,
    model: String,
    width: usize,
    image_size: usize,
    batch: usize,
}

const CLASSES: usize = 10;

/// A student that trains on random pixels, step by step: what `tilepress profile` times, for a page.
#[wasm_bindgen]
pub struct StepProfile(Student);

#[wasm_bindgen]
impl StepProfile {
    /// Makes the student on a device.
    ///
    /// # Errors
    ///
    /// An `Error` whose code is `usage` for options that mean nothing and `device` where the device cannot be had.
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "ProfileOptions")] options: JsValue,
    ) -> Result<StepProfile, WebError> {
        let usage = |error: &dyn std::fmt::Display| WebError::usage(error);
        let options: ProfileOptions =
            serde_wasm_bindgen::from_value(options).map_err(|error| usage(&error))?;
        let opened = device::open(&options.device).await?;
        let architecture: Architecture = options.model.parse().map_err(|error: String| usage(&error))?;
        let model = ModelConfig {
            network: architecture.with(Choices { width: options.width, stem: Stem::ImageNet }),
            classes: CLASSES,
            image_size: options.image_size,
            precision: Precision::Full,
        };
        Ok(Self(synthetic_student(&model, options.batch.max(1), 0, &opened.device)?))
    }

    /// Makes one step to its end and returns its loss: views, forward, backward, optimiser.
    ///
    /// # Errors
    ///
    /// An `Error` whose code is `run` when the device fails.
    pub async fn step(&mut self) -> Result<f32, WebError> {
        self.0.advance(1).await?;
        Ok(self.0.curve().last().map_or(f32::NAN, |point| point.loss))
    }
}
