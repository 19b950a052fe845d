//! Text in the cells of a CSV file: a spreadsheet must not run it, and we read it back as it was.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a line break is a formula to a spreadsheet, and a class folder may be
//! called so. Such a text gets a `'` in front, by which spreadsheets know plain text; a text that has one or more there already
//! and would be taken for one of these gets another, so that reading takes off just what writing put on. Other texts, and
//! numbers, stay as they are.

use std::borrow::Cow;

const MARK: char = '\'';

/// `true` for a text that a spreadsheet would take for a formula, whatever number of marks is in front of it.
fn is_formula(text: &str) -> bool {
    let bare = text.trim_start_matches(MARK);
    bare.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && bare.parse::<f64>().is_err()
}

/// The text of a cell, as a file has it.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("{MARK}{text}")) } else { Cow::Borrowed(text) }
}

/// The text that [`guarded`] was given.
pub fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix(MARK) {
        Some(text) if is_formula(cell) => text,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_marked_as_text_and_all_else_stays() {
        for (text, cell) in [
            ("=cmd|'/c calc'!A0/1.png", "'=cmd|'/c calc'!A0/1.png"),
            ("+1+1/a.png", "'+1+1/a.png"),
            ("-1/a.png", "'-1/a.png"),
            ("@sum(A1)", "'@sum(A1)"),
            ("\t=1", "'\t=1"),
            ("\r", "'\r"),
            ("'=1", "''=1"),
            ("-1", "-1"),
            ("+2.5e3", "+2.5e3"),
            ("'ant'/1.png", "'ant'/1.png"),
            ("'", "'"),
            ("", ""),
            ("train/=1/a.png", "train/=1/a.png"),
            ("ant/0.png", "ant/0.png"),
        ] {
            assert_eq!(guarded(text), cell);
            assert_eq!(unguarded(cell), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_comes_back(text in "['=+@a1\t-]{0,6}") {
            let cell = guarded(&text).into_owned();
            proptest::prop_assert_eq!(unguarded(&cell), text.as_str());
            proptest::prop_assert!(cell.parse::<f64>().is_ok() || !cell.starts_with(['=', '+', '-', '@', '\t']));
        }
    }
}
