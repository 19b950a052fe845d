//! Names that look alike: the same letters in another Unicode form, in another case, or with a blank at an end.

/// A name in composed form (NFC), so that `é` is the same letter however a system wrote it.
pub fn composed(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    #[cfg(target_family = "wasm")]
    {
        // The browser has the tables already.
        String::from(js_sys::JsString::from(name).normalize("NFC"))
    }
    #[cfg(not(target_family = "wasm"))]
    {
        unicode_normalization::UnicodeNormalization::nfc(name).collect()
    }
}

/// What is left of a name when case, blanks at its ends and the Unicode form do not matter.
pub(super) fn folded(name: &str) -> String {
    composed(&composed(name).trim().to_lowercase())
}

/// In what two names differ that look alike; `None` for others.
pub(super) fn difference(a: &str, b: &str) -> Option<&'static str> {
    if a == b || folded(a) != folded(b) {
        return None;
    }
    Some(if composed(a) == composed(b) {
        "the same letters in another Unicode form"
    } else if composed(a).trim() == composed(b).trim() {
        "the same but for a blank at an end"
    } else {
        "the same but for capital letters"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_told_apart_in_words() {
        assert_eq!(difference("Caf\u{e9}", "Cafe\u{301}"), Some("the same letters in another Unicode form"));
        assert_eq!(
            difference("\u{ac00}", "\u{1100}\u{1161}"),
            Some("the same letters in another Unicode form")
        );
        assert_eq!(difference("Cat", "cat"), Some("the same but for capital letters"));
        assert_eq!(difference("cat", "cat "), Some("the same but for a blank at an end"));
        for other in ["cat", "cot", "cats", "c\u{e0}t"] {
            assert_eq!(difference("cat", other), None);
        }
    }
}
