//! The methods by name, so that a page needs no list of its own.

use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

use super::error::WebError;
use super::value::to_js;
use crate::evaluate::{METHODS, NamedMethod};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The name of a method: what `--methods` of the program takes, and what reports call it. */
export type MethodName =
    | "random"
    | "el2n"
    | "el2n-hard"
    | "el2n-window"
    | "pca"
    | "random-composites"
    | "el2n-hard-composites"
    | "el2n-window-composites";

/** A way to make a small set, and what a reader is told of it. */
export interface MethodInfo {
    name: MethodName;
    /** Its name in a sentence or above a column, such as `"Easiest whole images"`. */
    title: string;
    /** One sentence on what its stored images are. */
    about: string;
    /** Rule for the images of a class that it keeps. */
    rule: "easy" | "hard" | "window" | "random";
    /** `true` where several images share a stored image. */
    composites: boolean;
}
"#;

#[derive(Serialize)]
struct Info {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    rule: &'static str,
    composites: bool,
}

impl From<NamedMethod> for Info {
    fn from(NamedMethod { name, title, about, method }: NamedMethod) -> Self {
        Self { name, title, about, rule: method.rule.name(), composites: method.composites }
    }
}

/// The list of the methods, each with its name, its title and one sentence on it.
///
/// # Errors
/// None that is known.
#[wasm_bindgen(unchecked_return_type = "MethodInfo[]")]
pub fn methods() -> Result<JsValue, WebError> {
    to_js(&METHODS.map(Info::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This file: wasm-bindgen takes the constant with the types away.
    const SOURCE: &str = include_str!("methods.rs");

    /// The strings of a TypeScript type between its first line and its semicolon.
    fn strings(start: &str) -> Vec<&'static str> {
        let (_, rest) = SOURCE.split_once(start).expect("the type");
        let (union, _) = rest.split_once(';').expect("its end");
        union.split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_union_of_typescript_has_the_names_of_the_list_in_its_order() {
        assert_eq!(strings("export type MethodName ="), METHODS.map(|named| named.name));
    }

    #[test]
    fn the_rules_of_the_list_are_those_of_the_interface() {
        let rules = strings("    rule: ");
        assert!(METHODS.map(Info::from).iter().all(|info| rules.contains(&info.rule)), "{rules:?}");
    }
}
