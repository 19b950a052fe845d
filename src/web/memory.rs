//! The memory that a run takes, beside the memory that a page has.

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
    /** Classes, where a proxy keeps the whole softmax of every epoch (its option `softmax`); default 0, it keeps none. */
    classes?: number;
}

/** Bytes of memory inside the module. */
export interface MemoryEstimate {
    pixels: number;
    /** Bytes of the training log. */
    log: number;
    /** Bytes of the whole softmax. */
    softmax: number;
    total: number;
    /** Most bytes that WebAssembly can have. */
    limit: number;
    /** `true` where the total leaves half of the limit to training. */
    fits: boolean;
}
"#;

/// Bytes of a WebAssembly memory with 32-bit addresses.
const LIMIT: u64 = 1 << 32;
/// Four numbers and a count for each image and epoch.
const RECORD: u64 = 18;
/// One number of the whole softmax.
const PROBABILITY: u64 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MemoryOptions {
    images: u64,
    image_size: u32,
    #[serde(default)]
    epochs: u64,
    #[serde(default)]
    classes: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Estimate {
    pixels: u64,
    log: u64,
    softmax: u64,
    total: u64,
    limit: u64,
    fits: bool,
}

impl Estimate {
    fn of(options: &MemoryOptions) -> Self {
        let &MemoryOptions { images, image_size, epochs, classes } = options;
        let pixels = ImageSet::bytes_of(images, image_size);
        let records = images.saturating_mul(epochs);
        let log = records.saturating_mul(RECORD);
        let softmax = records.saturating_mul(classes).saturating_mul(PROBABILITY);
        let total = pixels.saturating_add(log).saturating_add(softmax);
        Self { pixels, log, softmax, total, limit: LIMIT, fits: total <= LIMIT / 2 }
    }
}

/// Says what images, a training log and a whole softmax take of the module's memory, before anything is read. Networks
/// come on top: a ConvNet of 32 channels keeps at least 0.7 MB for each image of a batch at 64 pixels.
///
/// # Errors
/// An `Error` whose code is `usage` for options that mean nothing.
#[wasm_bindgen(js_name = estimateMemory, unchecked_return_type = "MemoryEstimate")]
pub fn estimate_memory(
    #[wasm_bindgen(unchecked_param_type = "MemoryOptions")] options: JsValue,
) -> Result<JsValue, WebError> {
    let options: MemoryOptions = super::value::options(options)?;
    super::image::side(options.image_size)?;
    to_js(&Estimate::of(&options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_log_and_softmax_are_counted_and_half_is_left_to_training() {
        let of = |images, image_size, epochs, classes| {
            Estimate::of(&MemoryOptions { images, image_size, epochs, classes })
        };
        let estimate = of(1000, 64, 10, 0);
        let Estimate { pixels, log, softmax, total, .. } = estimate;
        assert_eq!((pixels, log, softmax, total), (12_288_000, 180_000, 0, 12_468_000));
        assert!(estimate.fits);
        let kept = of(1000, 64, 10, 20);
        assert_eq!((kept.softmax, kept.total), (800_000, estimate.total + 800_000));
        assert!(!of(1_281_167, 64, 10, 0).fits, "ImageNet-1K at 64 px is 15.7 GB");
        assert!(of(50_000, 32, 10, 0).fits && !of(50_000, 32, 10, 1000).fits, "a softmax of 2 GB");
        assert_eq!(of(u64::MAX, 4096, u64::MAX, u64::MAX).total, u64::MAX);
    }
}
