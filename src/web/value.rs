//! Values on their way in and out.

use js_sys::{Object, Reflect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use wasm_bindgen::{JsCast as _, JsValue};

use super::error::WebError;
use crate::data::{DataError, Grid, ImageSet};
use crate::fault::Fault;

/// Options: a plain object, or nothing for all defaults. A name that does not exist is an error, as a misspelt
/// option would otherwise do nothing; `undefined` and `null` leave the default.
pub(super) fn options<T: DeserializeOwned>(value: JsValue) -> Result<T, WebError> {
    // JSON has no such numbers: they would become null, and the option its default.
    if let Some(name) = not_finite(&value) {
        return Err(WebError::usage(format_args!("options: {name} is no finite number")));
    }
    let mut given = if value.is_undefined() || value.is_null() {
        serde_json::json!({})
    } else {
        serde_wasm_bindgen::from_value(value)
            .map_err(|why| WebError::usage(format_args!("the options are not a plain object: {why}")))?
    };
    if let Some(fields) = given.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(given).map_err(|why| WebError::unread(format_args!("options: {why}")))
}

/// The name of the first option that is NaN or infinite.
fn not_finite(options: &JsValue) -> Option<String> {
    let entries = Object::entries(options.dyn_ref::<Object>()?);
    entries.iter().find_map(|entry| {
        let (name, value) = (Reflect::get_u32(&entry, 0).ok()?, Reflect::get_u32(&entry, 1).ok()?);
        match value.as_f64() {
            Some(number) if !number.is_finite() => name.as_string(),
            Some(_) => None,
            None => not_finite(&value),
        }
    })
}

/// Refuses what is left of options that were read in parts.
#[cfg(feature = "engine")]
pub(super) fn no_more(unknown: &serde_json::Map<String, serde_json::Value>) -> Result<(), WebError> {
    match unknown.keys().next() {
        None => Ok(()),
        Some(name) => Err(WebError::usage(format_args!("options: there is no option '{name}'"))),
    }
}

/// A structured argument that is not options, such as a list of samples.
pub(super) fn argument<T: DeserializeOwned>(name: &str, value: JsValue) -> Result<T, WebError> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|why| WebError::unread(format_args!("'{name}' is not what the types say: {why}")))
}

/// A value as JSON would give it: maps are plain objects, and what is absent is `null`.
pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue, WebError> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|why| WebError::new(Fault::Run, why))
}

/// A plain object of values that serde does not know, such as typed arrays.
pub(super) fn object<const N: usize>(fields: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Fails only on frozen objects, and this one is a moment old.
        Reflect::set(&object, &name.into(), &value).ok();
    }
    object.into()
}

/// Images as JavaScript gives them: one block of RGB bytes and a label each.
pub(super) fn image_set(
    pixels: Vec<u8>,
    labels: Vec<u32>,
    side: u32,
    classes: usize,
) -> Result<ImageSet, WebError> {
    let bytes = pixels.len();
    let expected = labels.len() as u64 * u64::from(side) * u64::from(side) * 3;
    if expected != bytes as u64 || side == 0 {
        return Err(WebError::usage(format_args!(
            "{bytes} bytes are not {} images of {side}x{side} pixels in RGB: {expected} are needed",
            labels.len()
        )));
    }
    if let Some(&label) = labels.iter().find(|&&label| label as usize >= classes) {
        return Err(WebError::usage(format_args!("the label {label} is none of the {classes} classes")));
    }
    ImageSet::from_parts(side, pixels, labels).map_err(|error: DataError| error.into())
}

/// A grid as a number or as text: `2`, `"2"`, `"1x2"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct GridOption(pub(super) Grid);

impl<'de> Deserialize<'de> for GridOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A word that an option takes, read by its `FromStr`.
pub(super) fn word<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_a_number_or_a_text() {
        let read = |text: &str| serde_json::from_str::<GridOption>(text).map(|grid| grid.0.to_string());
        assert_eq!(read("2").unwrap(), "2");
        assert_eq!(read("\"1x2\"").unwrap(), "1x2");
        assert!(read("0").unwrap_err().to_string().contains("'0' is not a grid"));
        assert!(read("[2]").is_err());
    }

    #[test]
    fn a_block_of_pixels_must_hold_the_images_that_the_labels_count() {
        assert_eq!(image_set(vec![0; 24], vec![0, 1], 2, 2).unwrap().len(), 2);
        assert!(image_set(vec![0; 23], vec![0, 1], 2, 2).is_err());
        assert!(image_set(vec![0; 24], vec![0, 2], 2, 2).is_err());
    }
}
