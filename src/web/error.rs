//! Errors as JavaScript expects them: `Error` objects, with a `code` to branch on.

use std::fmt::Display;

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

/// The kinds of failure; the same four that the command line's exit codes tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// An argument that means nothing.
    Usage,
    /// Images or files that cannot be used.
    Data,
    /// A device that is not there or does not work.
    Device,
    /// Anything that went wrong under way.
    Run,
}

impl Code {
    /// The `code` property's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Data => "data",
            Self::Device => "device",
            Self::Run => "run",
        }
    }
}

/// A failure on its way to JavaScript.
#[derive(Clone, Debug)]
pub struct WebError {
    code: Code,
    message: String,
}

impl WebError {
    /// A failure of a kind, in words.
    pub fn new(code: Code, message: &dyn Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl From<WebError> for JsValue {
    fn from(error: WebError) -> Self {
        let object = Error::new(&error.message);
        object.set_name("TilepressError");
        // Fails only on frozen objects, and this one is a moment old.
        Reflect::set(&object, &"code".into(), &error.code.as_str().into()).ok();
        object.into()
    }
}
