//! Standard output and standard error. Both may be closed, or a file on a full disk: that never is a panic, as it would be with
//! `println!`.
//!
//! Where the reader has gone (`tilepress … | head`), nothing more is said and nothing is wrong. Where the result itself cannot
//! be written, the program ends with 1; lines on the way to it, and messages on standard error, are let go.

use std::io::{self, ErrorKind, Write};

use crate::fault::{Fault, Faulty};
use crate::words::visible_lines;

/// A result that does not reach its reader.
#[derive(Debug, thiserror::Error)]
#[error("the result cannot be written to standard output")]
pub(super) struct NotWritten(#[source] io::Error);

impl Faulty for NotWritten {
    fn fault(&self) -> Fault {
        Fault::Run
    }
}

/// Writes a line on the way to the result. Nothing in it acts on a terminal, whatever names it holds.
pub(super) fn say(text: &str) {
    let _gone = write(&mut io::stdout().lock(), &visible_lines(text));
}

/// Writes a line to standard error.
pub(super) fn tell(text: &str) {
    let _gone = write(&mut io::stderr().lock(), &visible_lines(text));
}

/// Writes the result, a text of one or more lines.
///
/// # Errors
/// A failure of the run where there is a reader and the text does not reach it.
pub(super) fn result(text: &str) -> Result<(), NotWritten> {
    reached(write(&mut io::stdout().lock(), &visible_lines(text)))
}

/// Success where the text is written, or nobody reads it.
///
/// # Errors
/// As [`result`].
pub(super) fn reached(written: io::Result<()>) -> Result<(), NotWritten> {
    match written {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => Err(NotWritten(why)),
        _ => Ok(()),
    }
}

/// JSON in which nothing acts on a terminal: what JSON itself lets stand is written as `\u` and four digits.
pub(super) fn json(value: &serde_json::Value) -> String {
    let text = format!("{value:#}");
    if visible_lines(&text) == text {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 32);
    for character in text.chars() {
        let mut buffer = [0; 4];
        let one: &str = character.encode_utf8(&mut buffer);
        if visible_lines(one) == one {
            out.push(character);
        } else {
            // All of them are one unit of UTF-16, and stand in strings only.
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    out
}

fn write(to: &mut impl Write, text: &str) -> io::Result<()> {
    // One write, so that lines of several threads do not mix.
    to.write_all(format!("{text}\n").as_bytes())?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_and_acts_on_nothing() {
        let value = serde_json::json!({ "a\u{9b}31m": ["\u{202e}x", "\u{1b}\n", "é 漢 🙂", 1.5], "b": null });
        let text = json(&value);
        assert!(!text.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{text}");
        assert!(
            text.contains("\\u009b31m") && text.contains("\\u202ex") && text.contains("é 漢 🙂"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }

    #[test]
    fn a_reader_that_is_gone_is_no_failure_and_a_full_disk_is() {
        assert!(reached(Ok(())).is_ok());
        assert!(reached(Err(ErrorKind::BrokenPipe.into())).is_ok());
        let failure = reached(Err(ErrorKind::StorageFull.into())).expect_err("it is full");
        assert!(failure.to_string().contains("standard output"), "{failure}");
    }
}
