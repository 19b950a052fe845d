//! The browser and npm surface: what JavaScript may call.
//!
//! Values cross as plain objects, big arrays as typed arrays, failures as `Error` objects with a `code`. Options have
//! the names of the program's flags in camel case. Training blocks for seconds at a time, so the package belongs in a
//! dedicated worker. Without a device feature it is the edge layer: everything but training.

#[cfg(all(feature = "engine", feature = "wgpu"))]
mod adapter;
#[cfg(feature = "engine")]
mod check;
mod composites;
#[cfg(feature = "engine")]
mod device;
mod dynamics;
mod error;
mod folder;
mod image;
mod memory;
mod methods;
#[cfg(feature = "engine")]
mod profile;
#[cfg(feature = "engine")]
mod proxy;
mod prune;
#[cfg(feature = "engine")]
mod race;
mod samples;
mod table;
#[cfg(feature = "engine")]
mod training;
mod value;
mod views;

use wasm_bindgen::prelude::*;

#[cfg(feature = "engine")]
pub use self::check::self_check;
pub use self::composites::Composites;
#[cfg(feature = "engine")]
pub use self::device::open_device;
pub use self::dynamics::{WebTrainingLog, dynamics};
pub use self::error::WebError;
pub use self::folder::read_folder;
pub use self::image::{decode_image, probe_image};
pub use self::memory::estimate_memory;
pub use self::methods::methods;
#[cfg(feature = "engine")]
pub use self::profile::StepProfile;
#[cfg(feature = "engine")]
pub use self::proxy::ProxyRun;
pub use self::prune::{prune_samples, read_selection, write_selection};
#[cfg(feature = "engine")]
pub use self::race::Race;
pub use self::table::WebScoreTable;
pub use self::views::WebViews;

#[cfg(target_family = "wasm")]
#[expect(unsafe_code, reason = "a function that the linker makes has no other declaration")]
unsafe extern "C" {
    /// Runs what crates registered to be run at the start. The linker makes this function.
    fn __wasm_call_ctors();
}

/// Sends panics and log lines to the console. Runs by itself when the module is initialised.
#[wasm_bindgen(start)]
#[cfg_attr(target_family = "wasm", expect(unsafe_code, reason = "the linker's function is called"))]
pub fn start() {
    // The linker leaves the registered functions to whoever calls them, or else has every export run them anew,
    // which takes milliseconds a call.
    #[cfg(target_family = "wasm")]
    // SAFETY: called once, by the module's own start, as the linker expects of a module that calls it at all.
    unsafe {
        __wasm_call_ctors();
    }
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
