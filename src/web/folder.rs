//! From the paths of a folder to classes and splits.

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::to_js;
use crate::data::{ClassMap, Entry, Folder, Ignored};

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
    /** Whether the validation images are those of `val/`, or were held out of the classes. */
    valOrigin: "given" | "held-out";
    /** Files that are no images of a class, and why. */
    leftOut: { path: string; reason: string }[];
}

export interface FolderOptions {
    /** Without `val/`: share of each class that is held out to measure on. Default 0.2; 0 holds nothing out. */
    valFraction?: number;
    /** Decides which images are held out. Default 0. */
    seed?: number;
}
"#;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    val_fraction: f64,
    seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { val_fraction: 0.2, seed: 0 }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Labelled {
    classes: ClassMap,
    train: Vec<Entry>,
    val: Vec<Entry>,
    val_origin: &'static str,
    left_out: Vec<Ignored>,
}

/// Sorts the files of a folder into classes and splits, as torchvision's `ImageFolder` does: `<class>/…`, or
/// `train/<class>/…` and `val/<class>/…`. Paths are relative to the folder, with `/` between their parts.
///
/// # Errors
/// An `Error` whose code is `data` for a folder with no class or only one, or that can be read in two ways, and
/// `usage` for a fraction that is none.
#[wasm_bindgen(js_name = readFolder, unchecked_return_type = "LabelledFolder")]
pub fn read_folder(
    paths: Vec<String>,
    #[wasm_bindgen(unchecked_optional_param_type = "FolderOptions")] options: JsValue,
) -> Result<JsValue, WebError> {
    let Options { val_fraction, seed } = super::value::options(options)?;
    if !(0.0..1.0).contains(&val_fraction) {
        return Err(WebError::usage(format_args!(
            "valFraction is {val_fraction}; give a share from 0 to below 1"
        )));
    }
    let folder = Folder::from_paths(paths)?;
    let val_origin = if folder.val.is_some() { "given" } else { "held-out" };
    let folder = folder.hold_out(val_fraction, seed);
    to_js(&Labelled {
        classes: folder.classes,
        train: folder.train,
        val: folder.val.unwrap_or_default(),
        val_origin,
        left_out: folder.ignored,
    })
}
