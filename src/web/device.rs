//! Opening a device by the name that JavaScript gives it.

#[cfg(feature = "wgpu")]
use std::cell::RefCell;

use burn::tensor::Device;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

#[cfg(feature = "wgpu")]
use super::adapter::{self, Adapter};
use super::error::WebError;
use super::value::to_js;
#[cfg(feature = "wgpu")]
use crate::device::{self, DeviceChoice};
use crate::fault::Fault;
#[cfg(feature = "wgpu")]
use crate::train::step_seconds;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/**
 * A device by name; `"auto"` is WebGPU on a graphics card, else the CPU (`"flex"`). Where WebGPU is software and the machine
 * has 16 threads or more, three training steps on each decide.
 */
export type DeviceName = "auto" | "webgpu" | "flex";

/** The device that computes, and the reason for it. */
export interface DeviceInfo {
    device: "webgpu" | "flex";
    /** Its own name. */
    description: string;
    /** Why this one. */
    reason: string;
    /** `true` for a GPU that computes on the CPU: right, and slow. */
    software: boolean;
}
"#;

/// An opened device.
#[derive(Clone)]
pub(super) struct OpenedDevice {
    /// The plain device, without autodiff.
    pub(super) device: Device,
    pub(super) about: About,
}

/// A device in words.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    pub(super) device: &'static str,
    description: String,
    reason: String,
    software: bool,
}

#[cfg(feature = "wgpu")]
thread_local! {
    /// The GPU device: it may be initialised once only in the life of the module.
    static WEBGPU: RefCell<Option<OpenedDevice>> = const { RefCell::new(None) };
    /// The device that a trial of a software adapter decided for.
    static TRIED: RefCell<Option<OpenedDevice>> = const { RefCell::new(None) };
}

/// Threads that a machine has at least where a software adapter is tried. On two, a training step takes one about 40 times as
/// long as our CPU kernels on the one thread that they have in a browser (docs/performance.md); others are quicker than that
/// one, but with fewer than 16 none makes up for it, and everybody else would wait for a trial.
#[cfg(feature = "wgpu")]
const THREADS: f64 = 16.0;

/// Opens a device and says what it is: everything else opens its own by the same name, and gets this one.
///
/// # Errors
/// An `Error` whose code is `usage` for an unknown name and `device` where the device cannot be had; `"auto"` falls
/// back to the CPU.
#[wasm_bindgen(js_name = openDevice, unchecked_return_type = "DeviceInfo")]
pub async fn open_device(
    #[wasm_bindgen(unchecked_param_type = "DeviceName")] name: String,
) -> Result<JsValue, WebError> {
    to_js(&open(&name).await?.about)
}

/// Opens `auto`, `flex` or `webgpu`, where this package was built with it.
pub(super) async fn open(name: &str) -> Result<OpenedDevice, WebError> {
    match name {
        "auto" => open_best().await,
        "flex" => flex("it was asked for"),
        "webgpu" => webgpu("it was asked for").await,
        _ => Err(WebError::usage(format_args!(
            "there is no device {name:?}; give \"auto\", \"webgpu\" or \"flex\" (the CPU)"
        ))),
    }
}

#[cfg(feature = "wgpu")]
async fn open_best() -> Result<OpenedDevice, WebError> {
    let instead = match adapter::find().await {
        Ok(adapter) if adapter.software => return try_software(&adapter).await,
        Ok(_) => match webgpu("there is a graphics card").await {
            Ok(opened) => return Ok(opened),
            Err(error) => error.to_string(),
        },
        Err(why) => why.to_owned(),
    };
    flex(&instead)
}

#[cfg(feature = "wgpu")]
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn milliseconds() -> f64;
}

/// Seconds since this thread began.
#[cfg(feature = "wgpu")]
fn seconds() -> f64 {
    milliseconds() / 1e3
}

/// The CPU, or an adapter that computes there itself where a trial says that it is faster.
#[cfg(feature = "wgpu")]
async fn try_software(adapter: &Adapter) -> Result<OpenedDevice, WebError> {
    if let Some(opened) = TRIED.with_borrow(Clone::clone) {
        return Ok(opened);
    }
    let only = format!("the only WebGPU here, {}, computes on the CPU itself", adapter.name);
    if adapter::threads() < THREADS {
        return flex(&only);
    }
    let mut opened = flex(&only)?;
    let cpu = step_seconds(&opened.device, seconds, None).await?;
    let trial = async {
        let webgpu = webgpu(&only).await?;
        let took = step_seconds(&webgpu.device, seconds, Some(cpu)).await?;
        Ok::<_, WebError>((webgpu, took))
    };
    match trial.await {
        Ok((webgpu, took)) => {
            let times = format!("a training step takes it {:.1} times as long", took / cpu);
            if took < cpu {
                opened = webgpu;
            }
            opened.about.reason = format!("{only}, and {times}");
        }
        Err(error) => opened.about.reason = format!("{only}, and fails: {error}"),
    }
    TRIED.set(Some(opened.clone()));
    Ok(opened)
}

#[cfg(not(feature = "wgpu"))]
async fn open_best() -> Result<OpenedDevice, WebError> {
    flex("this package was built without WebGPU")
}

#[cfg(feature = "flex")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it is an error")]
fn flex(reason: &str) -> Result<OpenedDevice, WebError> {
    let description = "the CPU, one thread".to_owned();
    let about = About { device: "flex", description, reason: reason.to_owned(), software: false };
    Ok(OpenedDevice { device: Device::flex(), about })
}

#[cfg(not(feature = "flex"))]
fn flex(reason: &str) -> Result<OpenedDevice, WebError> {
    Err(WebError::new(
        Fault::Device,
        format_args!("{reason}, and this package was built without training on the CPU"),
    ))
}

#[cfg(feature = "wgpu")]
async fn webgpu(reason: &str) -> Result<OpenedDevice, WebError> {
    if let Some(opened) = WEBGPU.with_borrow(Clone::clone) {
        return Ok(opened);
    }
    let refused = |why: &dyn std::fmt::Display| {
        WebError::new(
            Fault::Device,
            format_args!("WebGPU cannot be used: {why}. The device \"flex\" works in every browser"),
        )
    };
    let adapter = adapter::find().await.map_err(|why| refused(&why))?;
    let device = device::open(DeviceChoice::Wgpu(None)).await.map_err(|why| refused(&why.reason()))?.device;
    let about = About {
        device: "webgpu",
        description: adapter.name,
        reason: reason.to_owned(),
        software: adapter.software,
    };
    let opened = OpenedDevice { device, about };
    WEBGPU.set(Some(opened.clone()));
    Ok(opened)
}

#[cfg(not(feature = "wgpu"))]
async fn webgpu(_reason: &str) -> Result<OpenedDevice, WebError> {
    Err(WebError::new(Fault::Device, "this package was built without WebGPU; give \"flex\""))
}
