//! Samples and classes as JavaScript holds them.

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::argument;
use crate::data::{ClassMap, ContentHash, Look, Sample};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** An image that was read: what tables and selections name it by. */
export interface Sample {
    /** Path relative to the data folder, `/` between its parts. */
    path: string;
    /** Number of its class: its place in the list of classes. */
    class: number;
    /** BLAKE3 of the file, 64 hexadecimal digits, as `decodeImage` gives it. */
    hash: string;
    /** Its look in 144 hexadecimal digits, as `decodeImage` gives it; copies in another encoding or size are found by it. */
    look?: string | null;
}
"#;

/// A sample with its look.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WebSample {
    path: String,
    class: u32,
    hash: ContentHash,
    #[serde(default)]
    look: Option<String>,
}

/// Samples of the core, and their looks where all have one.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    pub(super) samples: Vec<Sample>,
    pub(super) looks: Option<Vec<Look>>,
}

/// Reads a list of samples, each of a class that there is.
pub(super) fn samples(value: JsValue, classes: &ClassMap) -> Result<Samples, WebError> {
    of_list(argument("samples", value)?, classes)
}

fn of_list(list: Vec<WebSample>, classes: &ClassMap) -> Result<Samples, WebError> {
    let mut looks = Some(Vec::with_capacity(list.len()));
    let mut samples = Vec::with_capacity(list.len());
    for WebSample { path, class, hash, look } in list {
        if class as usize >= classes.len() {
            return Err(WebError::usage(format_args!(
                "'{path}' is of class {class}, which is none of the {} classes",
                classes.len()
            )));
        }
        match look.map(|text| text.parse()) {
            None => looks = None,
            Some(Ok(look)) => looks.iter_mut().for_each(|looks| looks.push(look)),
            Some(Err(why)) => return Err(WebError::usage(format_args!("look of '{path}': {why}"))),
        }
        samples.push(Sample { path, class, hash });
    }
    Ok(Samples { samples, looks })
}

/// The classes of a list, which must be in the order that numbers them.
pub(super) fn classes(names: Vec<String>) -> Result<ClassMap, WebError> {
    let classes = ClassMap::try_from(names)?;
    match classes.len() {
        0 | 1 => Err(WebError::data(format_args!(
            "{} is not enough: at least two classes are needed to tell images apart",
            if classes.is_empty() { "no class" } else { "one class" }
        ))),
        _ => Ok(classes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Image;

    fn sample(class: u32, look: Option<&str>) -> WebSample {
        let hash = ContentHash::of(b"x");
        WebSample { path: "a/1.jpg".to_owned(), class, hash, look: look.map(str::to_owned) }
    }

    #[test]
    fn a_sample_of_no_class_is_refused() {
        let two = classes(vec!["a".to_owned(), "b".to_owned()]).unwrap();
        assert!(of_list(vec![sample(1, None)], &two).is_ok());
        assert!(of_list(vec![sample(2, None)], &two).is_err());
        assert!(of_list(vec![sample(0, Some("short"))], &two).is_err());
    }

    #[test]
    fn copies_can_be_found_only_where_every_image_has_a_hash() {
        let two = classes(vec!["a".to_owned(), "b".to_owned()]).unwrap();
        let five = Look::of(&Image::filled(5, 5, [5; 3]));
        let look = five.to_string();
        let all = of_list(vec![sample(0, Some(&look)), sample(1, Some(&look))], &two).unwrap();
        assert_eq!(all.looks, Some(vec![five, five]));
        assert_eq!(of_list(vec![sample(0, Some(&look)), sample(1, None)], &two).unwrap().looks, None);
    }

    #[test]
    fn one_class_is_not_enough() {
        assert!(classes(vec![]).is_err() && classes(vec!["a".to_owned()]).is_err());
        assert!(classes(vec!["b".to_owned(), "a".to_owned()]).is_err(), "the order numbers the classes");
    }
}
