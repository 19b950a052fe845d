//! The browser and npm surface: what JavaScript may call.
//!
//! Values cross as plain objects (by `serde-wasm-bindgen`), failures as `Error` objects with a `code`.
//! Training blocks for seconds at a time, so the package belongs in a dedicated worker.

#[cfg(feature = "engine")]
mod device;
mod error;

use wasm_bindgen::prelude::*;

pub use self::error::{Code, WebError};

#[cfg(feature = "engine")]
#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Every error that this package throws is an `Error` with one of these as its `code`. */
export type ErrorCode = "usage" | "data" | "device" | "run";

/** What a device made of a few training steps, held against the same steps on the CPU. */
export interface SelfCheck {
    ok: boolean;
    device: string;
    /** The largest difference from the expected values. */
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
    let device = device::open(&device).await?;
    let result =
        crate::kernel::self_check(&device).await.map_err(|error| WebError::new(Code::Run, &error))?;
    serde_wasm_bindgen::to_value(&result).map_err(|error| WebError::new(Code::Run, &error))
}
