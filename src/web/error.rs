//! Errors as JavaScript expects them: `Error` objects, with a `code` to branch on.

use std::error::Error as StdError;
use std::fmt::Display;

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use crate::fault::{Fault, Faulty};

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
        Self { fault, message: without_flags(&message.to_string()), causes: Vec::new() }
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
        messages.push(without_flags(&cause.to_string()));
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

/// The core names options as the command line does. Here `--window-start` is `windowStart`.
fn without_flags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        out.push_str(before);
        let name = &flag[2..];
        let end = name
            .find(|character: char| !character.is_ascii_lowercase() && character != '-')
            .unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        let starts_a_word = !before.ends_with(|character: char| character.is_ascii_alphanumeric());
        if name.is_empty() || !starts_a_word {
            out.push_str("--");
            out.push_str(name);
        } else {
            let mut parts = name.split('-');
            out.push_str(parts.next().unwrap_or_default());
            for part in parts {
                let mut letters = part.chars();
                out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
                out.push_str(letters.as_str());
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DecodeError;
    use crate::prune::PruneError;

    #[test]
    fn flags_become_the_names_of_options() {
        assert_eq!(without_flags("give --ipc 1 or more"), "give ipc 1 or more");
        assert_eq!(without_flags("--window-start is 2; (--fill cycle)"), "windowStart is 2; (fill cycle)");
        assert_eq!(without_flags("a -- b, c--d, --"), "a -- b, c--d, --");
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
