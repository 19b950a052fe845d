//! What a run will take of the memory that a page has.

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::to_js;
use crate::data::ImageSet;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface MemoryOptions {
    /** Number of images. */
    images: number;
    /** Their width and height in pixels. */
    imageSize: number;
    /** Epochs of a training log; default 0, no log. */
    epochs?: number;
}

/** Bytes of memory inside the module. */
export interface MemoryEstimate {
    pixels: number;
    /** Of the training log. */
    log: number;
    total: number;
    /** What WebAssembly can have at most. */
    limit: number;
    /** Whether the total leaves half of the limit to training. */
    fits: boolean;
}
"#;

/// Of a WebAssembly memory with 32-bit addresses.
const LIMIT: u64 = 1 << 32;
/// Four numbers and a count for each image and epoch.
const RECORD: u64 = 18;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    images: u64,
    image_size: u32,
    #[serde(default)]
    epochs: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Estimate {
    pixels: u64,
    log: u64,
    total: u64,
    limit: u64,
    fits: bool,
}

impl Estimate {
    fn of(images: u64, side: u32, epochs: u64) -> Self {
        let pixels = ImageSet::bytes_of(images, side);
        let log = images.saturating_mul(epochs).saturating_mul(RECORD);
        let total = pixels.saturating_add(log);
        Self { pixels, log, total, limit: LIMIT, fits: total <= LIMIT / 2 }
    }
}

/// Says what images and a training log take of the module's memory, before anything is read. Networks come on top:
/// a ConvNet of 32 channels keeps at least 0.7 MB for each image of a batch at 64 pixels.
///
/// # Errors
/// An `Error` whose code is `usage` for options that mean nothing.
#[wasm_bindgen(js_name = estimateMemory, unchecked_return_type = "MemoryEstimate")]
pub fn estimate_memory(
    #[wasm_bindgen(unchecked_param_type = "MemoryOptions")] options: JsValue,
) -> Result<JsValue, WebError> {
    let Options { images, image_size, epochs } = super::value::options(options)?;
    to_js(&Estimate::of(images, super::image::side(image_size)?, epochs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_log_are_counted_and_half_is_left_to_training() {
        let estimate = Estimate::of(1000, 64, 10);
        assert_eq!((estimate.pixels, estimate.log, estimate.total), (12_288_000, 180_000, 12_468_000));
        assert!(estimate.fits);
        assert!(!Estimate::of(1_281_167, 64, 10).fits, "ImageNet-1K at 64 px is 15.7 GB");
        assert_eq!(Estimate::of(u64::MAX, 4096, u64::MAX).total, u64::MAX);
    }
}
