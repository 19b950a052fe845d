//! Errors as JavaScript expects them: `Error` objects, with a `code` to branch on.

use std::error::Error as StdError;
use std::fmt::Display;

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use crate::fault::{Fault, Faulty};
use crate::words::with_options;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/**
 * Every error that this package throws is an `Error` named `TilepressError` with one of these as its `code`:
 * the request means nothing, images or files cannot be used, a device is not there, or the run failed.
 */
export type ErrorCode = "usage" | "data" | "device" | "run";

/** An error of this package; `cause` is another `Error` where one lies beneath. */
export interface TilepressError extends Error {
    code: ErrorCode;
    cause?: Error;
}
"#;

/// The `code` of an error's kind.
fn code(fault: Fault) -> &'static str {
    match fault {
        Fault::Usage => "usage",
        Fault::Data => "data",
        Fault::Device => "device",
        Fault::Run | Fault::Stopped => "run",
    }
}

/// A failure on its way to JavaScript.
#[derive(Clone, Debug)]
pub struct WebError {
    fault: Fault,
    message: String,
    /// Its causes, from the nearest to the deepest.
    causes: Vec<String>,
}

impl WebError {
    /// A failure of a kind, in words.
    pub fn new(fault: Fault, message: impl Display) -> Self {
        Self { fault, message: in_javascript(&message.to_string()), causes: Vec::new() }
    }

    /// A request that JavaScript wrote, in the words of what read it: its names are JavaScript's already.
    pub fn unread(message: impl Display) -> Self {
        Self { fault: Fault::Usage, message: message.to_string(), causes: Vec::new() }
    }

    /// A request that means nothing.
    pub fn usage(message: impl Display) -> Self {
        Self::new(Fault::Usage, message)
    }

    /// Images or files that cannot be used.
    pub fn data(message: impl Display) -> Self {
        Self::new(Fault::Data, message)
    }

    /// The failure with another one beneath it.
    #[must_use]
    pub fn caused_by(mut self, cause: &(dyn StdError + 'static)) -> Self {
        self.causes = chain(Some(cause));
        self
    }
}

impl Display for WebError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// The messages of an error and of those beneath it.
fn chain(mut error: Option<&(dyn StdError + 'static)>) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(cause) = error {
        messages.push(in_javascript(&cause.to_string()));
        error = cause.source();
    }
    messages
}

impl<E: Faulty> From<E> for WebError {
    /// An error of the core, of the kind that it gives itself.
    fn from(error: E) -> Self {
        Self { causes: chain(error.source()), ..Self::new(error.fault(), &error) }
    }
}

impl From<WebError> for JsValue {
    fn from(error: WebError) -> Self {
        let object = Error::new(&error.message);
        object.set_name("TilepressError");
        // Fails only on frozen objects, and these are a moment old.
        let set = |object: &Error, key: &str, value: &JsValue| Reflect::set(object, &key.into(), value).ok();
        set(&object, "code", &code(error.fault).into());
        let beneath = error.causes.iter().rev().fold(None, |beneath: Option<Error>, message| {
            let cause = Error::new(message);
            if let Some(beneath) = beneath {
                set(&cause, "cause", &beneath);
            }
            Some(cause)
        });
        if let Some(cause) = beneath {
            set(&object, "cause", &cause);
        }
        object.into()
    }
}

/// The core names options neutrally: `window-start` in backticks is `windowStart` here.
pub(super) fn in_javascript(text: &str) -> String {
    with_options(text, |option| {
        let mut parts = option.split('-');
        let mut name = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let mut letters = part.chars();
            name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DecodeError;
    use crate::prune::PruneError;

    #[test]
    fn options_have_the_names_of_javascript() {
        assert_eq!(in_javascript("give `ipc` 1 or more"), "give ipc 1 or more");
        assert_eq!(in_javascript("`window-start` is 2; (`fill` cycle)"), "windowStart is 2; (fill cycle)");
        assert_eq!(in_javascript("a -- b, c--d, --"), "a -- b, c--d, --");
    }

    #[test]
    fn what_a_reader_of_options_says_keeps_its_words() {
        let error = WebError::unread("unknown field `imagesize`, expected `imageSize` or `fit`");
        assert_eq!((code(error.fault), error.message.matches('`').count()), ("usage", 6));
    }

    #[test]
    fn an_error_of_the_core_keeps_its_kind_and_its_causes() {
        let error = WebError::from(PruneError::Nothing);
        assert_eq!((code(error.fault), error.causes.len()), ("usage", 0));
        assert!(error.message.contains("give ipc 1 or more"), "{}", error.message);
        let error = WebError::data("'a.jpg' cannot be used").caused_by(&DecodeError::Empty);
        assert_eq!(error.causes, ["the file is empty"]);
        assert_eq!(code(WebError::from(std::fmt::Error).fault), "run");
    }
}
