//! Looking at an image file, and reading it.

use std::cell::RefCell;

use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::{object, to_js};
use crate::data::{self, Filter, Fit, Limits, Preparation, Resizer, prepare};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The header of an image file. */
export interface ImageHeader {
    /** Such as `JPEG`; told by the content, never by the name. */
    format: string;
    /** In pixels, before the picture is turned as its EXIF orientation says. */
    width: number;
    height: number;
    /** Bytes that its decoded pixels would take. */
    bytes: number;
    /** `true` where `decodeImage` takes it. */
    withinLimits: boolean;
    /** Why not. */
    problem: string | null;
}

export interface DecodeOptions {
    /** Width and height of the result in pixels, 1 to 4096. */
    imageSize: number;
    /** Fit of an image that is not square. Default `"squash"`: the whole image. */
    fit?: "squash" | "crop" | "pad";
    /** Kernel of the resize. Default `"lanczos3"`, as the program has it. */
    filter?: "bilinear" | "bicubic" | "lanczos3";
}

/** An image that was read. */
export interface DecodedImage {
    /** `imageSize` × `imageSize` × 3 bytes, RGB, rows from top to bottom. */
    pixels: Uint8Array;
    /** BLAKE3 of the file. */
    hash: string;
    /** The look of the image before it is resized: `prune` and `readFolder` find copies by it. */
    look: string;
}
"#;

/// Largest side of a decoded image, as of the program's `--image-size`.
pub(super) const LARGEST_SIDE: u32 = 4096;

thread_local! {
    /// Keeps its working memory from image to image.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeaderOut {
    format: String,
    width: u32,
    height: u32,
    bytes: u64,
    within_limits: bool,
    problem: Option<String>,
}

/// Reads the header of a JPEG, PNG, WebP, BMP or GIF file. No memory is taken for its pixels, so that a file from
/// anywhere can be looked at.
///
/// # Errors
/// An `Error` whose code is `data` for a file that is no image or whose header is damaged. An image that is too large
/// is none: see `withinLimits`.
#[wasm_bindgen(js_name = probeImage, unchecked_return_type = "ImageHeader")]
pub fn probe_image(bytes: &[u8]) -> Result<JsValue, WebError> {
    let header = data::probe(bytes)?;
    let problem = data::within(&header, &Limits::default()).err().map(|why| why.to_string());
    let data::Header { format, width, height, bytes } = header;
    to_js(&HeaderOut { format, width, height, bytes, within_limits: problem.is_none(), problem })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DecodeOptions {
    image_size: u32,
    #[serde(default)]
    fit: Fit,
    #[serde(default = "default_filter")]
    filter: Filter,
}

fn default_filter() -> Filter {
    Preparation::whole(1).filter
}

/// Decodes a JPEG, PNG, WebP, BMP or GIF file and brings it to a size, with what tells the file from others. Pixels
/// are those the program reads from the same file.
///
/// # Errors
/// An `Error` whose code is `data` for a file that is no image, is damaged, cut short or too large, and `usage` for
/// a size that is none.
#[wasm_bindgen(js_name = decodeImage, unchecked_return_type = "DecodedImage")]
pub fn decode_image(
    bytes: &[u8],
    #[wasm_bindgen(unchecked_param_type = "DecodeOptions")] options: JsValue,
) -> Result<JsValue, WebError> {
    let DecodeOptions { image_size, fit, filter } = super::value::options(options)?;
    let side = side(image_size)?;
    let mut pixels = vec![0; side as usize * side as usize * 3];
    let how = Preparation { fit, filter, ..Preparation::whole(side) };
    let about = RESIZER.with_borrow_mut(|resizer| prepare(bytes, &how, resizer, &mut pixels))?;
    Ok(object([
        ("pixels", Uint8Array::from(pixels.as_slice()).into()),
        ("hash", about.hash.to_string().into()),
        ("look", about.look.to_string().into()),
    ]))
}

/// A size of images, when it is one.
pub(super) fn side(image_size: u32) -> Result<u32, WebError> {
    if (1..=LARGEST_SIDE).contains(&image_size) {
        Ok(image_size)
    } else {
        Err(WebError::usage(format_args!("imageSize is {image_size}; give 1 to {LARGEST_SIDE} pixels")))
    }
}
