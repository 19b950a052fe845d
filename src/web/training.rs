//! Options of JavaScript for proxies and students, on top of the preset `small`.

use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::word;
use crate::bounds;
use crate::device::Precision;
use crate::model::{Architecture, Choices, ModelConfig, Stem};
use crate::pipeline::TrainOverrides;
use crate::train::{Preset, Settings, TrainConfig};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A network; the defaults are those of the program's preset `small`. */
export interface ModelOptions {
    /** Default `"auto"`. */
    device?: DeviceName;
    /** Width and height of the images in pixels, at least 8. */
    imageSize: number;
    /** Number of classes. */
    classes: number;
    /** Default `"convnet-d"`. */
    model?: "convnet" | "convnet-d" | "resnet18";
    /** Channels of a ConvNet. Default 32. */
    width?: number;
    /** First layers of a ResNet. Default `"imagenet"`. */
    stem?: "imagenet" | "small";
}

/** One reading of a training curve. */
export interface CurvePoint { step: number; loss: number; }
"#;

/// Options of a network.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Model {
    #[serde(default = "auto")]
    pub(super) device: String,
    pub(super) image_size: u32,
    classes: usize,
    #[serde(default = "architecture", deserialize_with = "word")]
    model: Architecture,
    #[serde(default)]
    width: Option<usize>,
    #[serde(default)]
    stem: Option<StemOption>,
}

fn auto() -> String {
    "auto".to_owned()
}

fn architecture() -> Architecture {
    settings().architecture
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
struct StemOption(#[serde(deserialize_with = "word")] Stem);

/// The preset that gives the defaults.
pub(super) fn settings() -> Settings {
    Preset::Small.settings()
}

impl Model {
    /// The network's shape.
    pub(super) fn config(&self) -> Result<ModelConfig, WebError> {
        let settings = settings().with_image_size(super::image::side(self.image_size)?);
        let given = [("width", self.width.is_some()), ("stem", self.stem.is_some())];
        let has = |option| self.model.choices().contains(&option);
        if let Some((option, _)) = given.into_iter().find(|&(option, given)| given && !has(option)) {
            return Err(WebError::usage(format_args!(
                "{option} has no effect with the model \"{}\"; leave it out",
                self.model
            )));
        }
        let width = self.width.unwrap_or(settings.width);
        bounds::WIDTH.check(width as u64)?;
        let stem = self.stem.map_or(settings.stem, |stem| stem.0);
        Ok(ModelConfig {
            network: self.model.with(Choices { width, stem }),
            classes: self.classes,
            image_size: settings.image_size,
            precision: Precision::Full,
        })
    }
}

/// A training with the overrides, which must be numbers that train something.
pub(super) fn overridden(training: TrainConfig, asked: TrainOverrides) -> Result<TrainConfig, WebError> {
    let training = asked.on(training);
    match training.check() {
        Ok(()) => Ok(training),
        // The page's name of it.
        Err(why) if why.option == bounds::BATCH.option => {
            Err(WebError::usage(format_args!("batch {} is {}", training.batch, why.advice())))
        }
        Err(why) => Err(why.into()),
    }
}

/// A number of steps or epochs, which must not be 0.
pub(super) fn at_least_one(name: &str, value: usize) -> Result<usize, WebError> {
    if value == 0 { Err(WebError::usage(format_args!("{name} is 0; give at least 1"))) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NetworkKind;

    #[test]
    fn what_is_not_said_is_the_preset_of_the_program() {
        let model: Model = serde_json::from_str(r#"{"imageSize": 64, "classes": 10}"#).unwrap();
        let config = model.config().unwrap();
        assert_eq!(config.network, NetworkKind::ConvNetD { width: 32 });
        assert_eq!(model.device, "auto");
        let training = overridden(settings().proxy, TrainOverrides::default()).unwrap();
        assert_eq!(training, settings().proxy);
    }

    #[test]
    fn an_option_that_the_network_does_not_have_is_refused() {
        let config = |text: &str| {
            let text = format!(r#"{{"imageSize": 64, "classes": 2, {text}}}"#);
            serde_json::from_str::<Model>(&text).unwrap().config()
        };
        assert!(config(r#""width": 8"#).is_ok());
        assert!(config(r#""width": 0"#).is_err() && config(r#""width": 100000"#).is_err());
        assert!(config(r#""model": "resnet18", "stem": "small""#).is_ok());
        assert!(config(r#""stem": "small""#).is_err());
        assert!(config(r#""model": "resnet18", "width": 8"#).is_err());
    }

    #[test]
    fn numbers_that_train_nothing_are_refused() {
        let training = settings().student;
        let none = TrainOverrides::default();
        assert!(overridden(training, TrainOverrides { batch: Some(0), ..none }).is_err());
        assert!(overridden(training, TrainOverrides { lr: Some(f64::NAN), ..none }).is_err());
        assert!(at_least_one("epochs", 0).is_err() && at_least_one("epochs", 1).is_ok());
        assert!(serde_json::from_str::<Model>(r#"{"imageSize": 64, "classes": 2, "model": "vit"}"#).is_err());
    }
}
