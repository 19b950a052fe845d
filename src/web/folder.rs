//! Classes and splits of a folder, from its paths.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::to_js;
use crate::data::{ClassMap, Entry, Folder, Look, Problem, near_duplicates};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** An image of a folder, before it is read. */
export interface FolderEntry { path: string; class: number; }

/** A labelled folder. */
export interface LabelledFolder {
    /** Names of the classes; a class's number is its place here. */
    classes: string[];
    train: FolderEntry[];
    val: FolderEntry[];
    /** Origin of the validation images: a split of their own, or held out of the classes. */
    valOrigin: "given" | "held-out";
    /** What was taken for what, where it is not the usual: wrappers, other names of splits. */
    notes: string[];
    /** What a user should check: a test split that is measured on, class folders without images, names that look alike. */
    warnings: string[];
    /** Files that are no images of a class, and why. */
    leftOut: { path: string; reason: string }[];
}

export interface FolderOptions {
    /** Without a validation or test split: share of each class that is held out to measure on. Default 0.2; 0 holds nothing out. */
    valFraction?: number;
    /** Decides which images are held out. Default 0. */
    seed?: number;
    /**
     * What the images look like, as `decodeImage` gives it, by their paths. Then copies are held out together or not at all, as by
     * the program.
     */
    looks?: Record<string, string>;
}
"#;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct FolderOptions {
    val_fraction: f64,
    seed: u64,
    looks: BTreeMap<String, String>,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { val_fraction: 0.2, seed: 0, looks: BTreeMap::new() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Labelled {
    classes: ClassMap,
    train: Vec<Entry>,
    val: Vec<Entry>,
    val_origin: &'static str,
    notes: Vec<String>,
    warnings: Vec<String>,
    left_out: Vec<Problem>,
}

/// Sorts the files of a folder into classes and splits, as torchvision's `ImageFolder` does: `<class>/…`, or
/// `train/<class>/…` and `val/<class>/…`, under the names that people give these, also within other folders. Paths are relative to the folder, with `/` between their parts.
///
/// # Errors
/// An `Error` whose code is `data` for a folder with no class or only one, or that can be read in two ways, and
/// `usage` for a fraction that is none.
#[wasm_bindgen(js_name = readFolder, unchecked_return_type = "LabelledFolder")]
pub fn read_folder(
    paths: Vec<String>,
    #[wasm_bindgen(unchecked_optional_param_type = "FolderOptions")] options: JsValue,
) -> Result<JsValue, WebError> {
    let FolderOptions { val_fraction, seed, looks } = super::value::options(options)?;
    if !(0.0..1.0).contains(&val_fraction) {
        return Err(WebError::usage(format_args!(
            "valFraction is {val_fraction}; give a share from 0 to below 1"
        )));
    }
    let folder = Folder::from_paths(paths)?;
    let val_origin = if folder.val.is_some() { "given" } else { "held-out" };
    let copies = copies(&folder.train, &looks)?;
    let folder = folder.hold_out_together(val_fraction, seed, &copies);
    to_js(&Labelled {
        classes: folder.classes,
        train: folder.train,
        val: folder.val.unwrap_or_default(),
        val_origin,
        notes: folder.notes,
        warnings: folder.warnings,
        left_out: folder.ignored,
    })
}

/// Groups of entries that look the same, among those whose look is known.
fn copies(entries: &[Entry], known: &BTreeMap<String, String>) -> Result<Vec<Vec<u32>>, WebError> {
    let (mut places, mut looks) = (Vec::new(), Vec::new());
    for (place, entry) in (0..).zip(entries) {
        if let Some(text) = known.get(&entry.path) {
            let look: Look = text
                .parse()
                .map_err(|why| WebError::usage(format_args!("looks of '{}': {why}", entry.path)))?;
            places.push(place);
            looks.push(look);
        }
    }
    let of_entries = |group: Vec<u32>| group.into_iter().map(|look| places[look as usize]).collect();
    Ok(near_duplicates(&looks).into_iter().map(of_entries).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Image;

    #[test]
    fn copies_are_found_among_the_images_whose_look_is_known() {
        let entries = ["a/1", "a/2", "b/1", "b/2"].map(|path| Entry { path: path.to_owned(), class: 0 });
        let look = |level| Look::of(&Image::filled(4, 4, [level; 3])).to_string();
        let looks = [("a/2", look(9)), ("b/1", look(200)), ("b/2", look(9)), ("c/1", look(9))];
        let mut looks = BTreeMap::from(looks.map(|(path, look)| (path.to_owned(), look)));
        assert_eq!(copies(&entries, &looks).unwrap(), [[1, 3]]);
        looks.insert("a/1".to_owned(), "9".to_owned());
        assert!(copies(&entries, &looks).is_err());
    }
}
