//! Enums of fixed words, as flags and files have them; and the names of options in messages.
//!
//! The core writes an option as its bare name in backticks, `image-size`; a surface puts its own form in: `--image-size` on the
//! command line, `imageSize` in JavaScript.

/// Gives an enum of fixed words its `Display` and `FromStr`.
macro_rules! words {
    ($type:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!(
                        concat!("'{}' is not a ", $what, "; use one of: {}"),
                        other,
                        [$($word),+].join(", ")
                    )),
                }
            }
        }
    };
}

pub(crate) use words;

/// A text in which every word in backticks that `name` knows as an option has the form that it gives. Anything else in
/// backticks stays as it is.
#[cfg(any(feature = "cli", feature = "web", target_family = "wasm", test))]
pub(crate) fn with_options(text: &str, name: impl Fn(&str) -> Option<String>) -> String {
    let is_option = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|character| character.is_ascii_lowercase() || character == '-')
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('`') {
        out.push_str(before);
        let named = after.split_once('`').filter(|(word, _)| is_option(word));
        match named.and_then(|(word, behind)| Some((name(word)?, behind))) {
            Some((form, behind)) => {
                out.push_str(&form);
                rest = behind;
            }
            None => {
                out.push('`');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_form_of_the_surface_and_all_else_stays() {
        let known = |word: &str| (word != "look").then(|| format!("<{word}>"));
        let named = |text: &str| with_options(text, known);
        assert_eq!(
            named("give `ipc` 1, or `fill` cycle (`image-size`)"),
            "give <ipc> 1, or <fill> cycle (<image-size>)"
        );
        for text in [
            "`tilepress doctor` says",
            "a ` b",
            "`Look` and `look`",
            "``",
            "`a` `".get(..0).unwrap_or(""),
            "the end `",
        ] {
            assert_eq!(named(text), text);
        }
        assert_eq!(named("an odd ` before `grid`"), "an odd ` before <grid>");
    }
}
