//! Enums of fixed words, as flags and files have them; and the names of options in messages.
//!
//! The core writes an option as its bare name in backticks, `image-size`; a surface puts its own form in: `--image-size` on the
//! command line, `imageSize` in JavaScript.

use std::borrow::Cow;

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

/// `true` for a character that acts where it is shown: it moves a cursor, ends a line or turns the reading order around.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text on one line in which nothing acts: line breaks, escape sequences and the like are written as `\n` and `\u{1b}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// The same for a text of several lines.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| acts(character) && character != '\n' && character != '\t')
}

fn escaped(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match acts(character) {
            // `\n`, `\t`, `\r` or `\u{…}`.
            true if character.is_control() => out.extend(character.escape_default()),
            true => out.extend(character.escape_unicode()),
            false => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_written_as_its_escape() {
        assert_eq!(visible("cat/\u{1b}[31m\n.png"), "cat/\\u{1b}[31m\\n.png");
        assert_eq!(visible("a\u{202e}gpj.exe\u{9b}1m\u{7f}\r\t"), "a\\u{202e}gpj.exe\\u{9b}1m\\u{7f}\\r\\t");
        assert_eq!(visible_lines("one\n\ttwo\u{7}\u{2028}"), "one\n\ttwo\\u{7}\\u{2028}");
        for text in ["", "ä ö 漢字 العربية 🙂 \\n", "\u{200f}א"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

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
