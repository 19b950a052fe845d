//! The check that a device computes the right numbers.

use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::device;
use super::error::WebError;
use super::value::to_js;
use crate::device::Precision;
use crate::fault::Fault;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A device's results on our own operation and on a few training steps. */
export interface SelfCheck {
    ok: boolean;
    device: string;
    /** The largest error of a loss or a gradient, relative to 1 or to the value where that is larger. */
    worst_error: number;
    loss_before: number;
    loss_after: number;
}
"#;

/// A self-check that says what was checked.
#[derive(Serialize)]
struct NamedCheck {
    device: &'static str,
    #[serde(flatten)]
    result: crate::train::SelfCheck,
}

/// Runs our own operation and a few training steps on a device, and says how far the numbers are from what they
/// should be.
///
/// # Errors
/// An `Error` whose code is `usage` for an unknown device, and `device` where it cannot be had or fails
/// the check by not answering.
#[wasm_bindgen(js_name = selfCheck, unchecked_return_type = "SelfCheck")]
pub async fn self_check(
    #[wasm_bindgen(unchecked_param_type = "DeviceName")] device: String,
) -> Result<JsValue, WebError> {
    let opened = device::open(&device).await?;
    let result = crate::train::self_check(&opened.device, Precision::Full)
        .await
        .map_err(|error| WebError::new(Fault::Device, &error))?;
    to_js(&NamedCheck { device: opened.about.device, result })
}
