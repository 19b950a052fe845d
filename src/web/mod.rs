//! The browser and npm surface: what JavaScript may call.
//!
//! Values cross as plain objects (by `serde-wasm-bindgen`), failures as `Error` objects with a `code`.
//! Training blocks for seconds at a time, so the package belongs in a dedicated worker.

#[cfg(feature = "engine")]
mod device;
mod error;
#[cfg(feature = "engine")]
mod profile;

use wasm_bindgen::prelude::*;

pub use self::error::{Code, WebError};
#[cfg(feature = "engine")]
pub use self::profile::StepProfile;

#[cfg(feature = "engine")]
#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Every error that this package throws is an `Error` with one of these as its `code`. */
export type ErrorCode = "usage" | "data" | "device" | "run";

/** What a device made of our own operation and of a few training steps. */
export interface SelfCheck {
    ok: boolean;
    device: string;
    /** The largest error of a loss or a gradient, relative to 1 or to the value where that is larger. */
    worst_error: number;
    loss_before: number;
    loss_after: number;
}
"#;

/// Sends panics and log lines to the console. Runs by itself when the module is initialised.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    // A second initialisation finds a logger in place, which is as good.
    console_log::init_with_level(log::Level::Info).ok();
}

/// The version of this package, as in its package.json.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Runs our own operation and a few training steps on a device, `"flex"` (the CPU) or `"webgpu"`, and says
/// how far the numbers are from what they should be.
///
/// # Errors
///
/// An `Error` whose code is `usage` for an unknown device, `device` where it cannot be had, and `run` when
/// the check itself could not be carried through.
#[cfg(feature = "engine")]
#[wasm_bindgen(js_name = selfCheck, unchecked_return_type = "SelfCheck")]
pub async fn self_check(
    #[wasm_bindgen(unchecked_param_type = "\"flex\" | \"webgpu\"")] device: String,
) -> Result<JsValue, WebError> {
    let opened = device::open(&device).await?;
    let result =
        crate::kernel::self_check(&opened).await.map_err(|error| WebError::new(Code::Run, &error))?;
    to_js(&NamedCheck { device, result })
}

/// A self-check that says what was checked.
#[cfg(feature = "engine")]
#[derive(serde::Serialize)]
struct NamedCheck {
    device: String,
    #[serde(flatten)]
    result: crate::kernel::SelfCheck,
}

/// A value as JSON would give it: maps are plain objects, and what is absent is `null`.
#[cfg(feature = "engine")]
fn to_js(value: &impl serde::Serialize) -> Result<JsValue, WebError> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| WebError::new(Code::Run, &error))
}
