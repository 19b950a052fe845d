//! The browser's WebGPU adapter, looked at before the engine asks for it.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A WebGPU adapter.
#[derive(Clone, Debug)]
pub(super) struct Adapter {
    /// Its own name.
    pub(super) name: String,
    /// `true` where it computes on the CPU.
    pub(super) software: bool,
}

/// Parts of the names of adapters that compute on the CPU.
const SOFTWARE: [&str; 4] = ["swiftshader", "llvmpipe", "lavapipe", "microsoft basic render"];

/// The adapter that the engine will get, or why there is none.
pub(super) async fn find() -> Result<Adapter, &'static str> {
    let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
    if !gpu.is_object() {
        return Err("this JavaScript has no WebGPU (navigator.gpu is missing)");
    }
    let none = "WebGPU has no adapter here: the graphics card or its driver is not supported";
    let request: Function = get(&gpu, "requestAdapter").dyn_into().map_err(|_| none)?;
    let promise: Promise = request.call0(&gpu).map_err(|_| none)?.dyn_into().map_err(|_| none)?;
    let adapter = JsFuture::from(promise).await.map_err(|_| none)?;
    if !adapter.is_object() {
        return Err(none);
    }
    let info = get(&adapter, "info");
    let words = ["vendor", "architecture", "device", "description"].map(|key| get(&info, key));
    let words: Vec<String> =
        words.iter().filter_map(JsValue::as_string).filter(|word| !word.is_empty()).collect();
    let name = if words.is_empty() { "an adapter without a name".to_owned() } else { words.join(" ") };
    let fallback =
        get(&info, "isFallbackAdapter").is_truthy() || get(&adapter, "isFallbackAdapter").is_truthy();
    let software = fallback || is_software(&name);
    Ok(Adapter { name, software })
}

/// Threads of the machine, as far as the browser says.
pub(super) fn threads() -> f64 {
    get(&get(&js_sys::global(), "navigator"), "hardwareConcurrency").as_f64().unwrap_or(1.0)
}

/// A property, or `undefined` where there is none.
fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

fn is_software(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SOFTWARE.iter().any(|known| name.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_that_compute_on_the_cpu_are_known_by_name() {
        assert!(is_software("google swiftshader"));
        assert!(is_software("mesa llvmpipe (LLVM 15)"));
        assert!(!is_software("apple metal-3"));
    }
}
