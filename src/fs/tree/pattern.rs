//! Several files by one name: `train-{0000..1023}.tar`, `{train,val}-*.tar`.

use std::path::{Path, PathBuf};

use super::error::SourceError;

/// Number of files that a pattern may stand for: more are a slip of the pen.
const MOST: usize = 1 << 20;

/// `true` for a path that can stand for several files. One that is there by that very name stands for itself.
pub(super) fn is_pattern(path: &Path) -> bool {
    let text = path.to_string_lossy();
    (text.contains(['*', '?', '[']) || (text.contains('{') && text.contains('}')))
        && path.symlink_metadata().is_err()
}

/// The files that a pattern stands for, each once, in byte order. Names that braces spell out must be there; `*`, `?` and `[…]` fit
/// what there is.
///
/// # Errors
/// [`SourceError`] where there is no such file, or one that is spelt out is missing.
pub(super) fn expand(pattern: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let text = pattern.to_string_lossy();
    let names = braces(&text).ok_or_else(|| SourceError::NotASource {
        path: pattern.to_owned(),
        what: format!("a pattern of more than {MOST} names, or with braces that do not match"),
    })?;
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    let all = names.len();
    for name in names {
        let literal = PathBuf::from(&name);
        if literal.symlink_metadata().is_ok() {
            files.push(literal);
        } else if name.contains(['*', '?', '[']) {
            let wrong = |why: String| SourceError::NotASource {
                path: pattern.to_owned(),
                what: format!("no pattern ({why})"),
            };
            let before = files.len();
            for found in glob::glob(&name).map_err(|why| wrong(why.to_string()))? {
                files.push(found.map_err(|why| SourceError::Unreadable {
                    path: why.path().to_owned(),
                    why: why.into(),
                })?);
            }
            if files.len() == before && all > 1 {
                missing.push(name);
            }
        } else {
            missing.push(name);
        }
    }
    files.sort_unstable();
    files.dedup();
    match (files.is_empty(), missing.first()) {
        (true, first) => {
            let example = first.cloned().unwrap_or_else(|| text.replace(['*', '?'], "0"));
            Err(SourceError::NoMatch { pattern: pattern.to_owned(), example })
        }
        (false, Some(first)) => {
            Err(SourceError::Incomplete { missing: missing.len(), all, first: first.clone() })
        }
        (false, None) => Ok(files),
    }
}

/// Spells out the braces of a text, as a shell does: `a{0..2}` as `a0`, `a1`, `a2`, with as many digits as the longer end
/// has where one begins with 0, and `{a,b}` as `a` and `b`. `None` for braces that do not match, and for too many texts.
fn braces(text: &str) -> Option<Vec<String>> {
    let Some(open) = text.find('{') else {
        return (!text.contains('}')).then(|| vec![text.to_owned()]);
    };
    let mut depth = 0;
    let close = text[open..].char_indices().find_map(|(at, letter)| {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        (depth == 0).then_some(open + at)
    })?;
    let (before, inner, after) = (&text[..open], &text[open + 1..close], &text[close + 1..]);
    let mut middles = Vec::new();
    match range(inner) {
        Some(range) => middles = range?,
        None => {
            for choice in choices(inner) {
                middles.extend(braces(choice)?);
            }
        }
    }
    let ends = braces(after)?;
    if middles.len().checked_mul(ends.len())? > MOST {
        return None;
    }
    Some(
        middles
            .iter()
            .flat_map(|middle| ends.iter().map(move |end| format!("{before}{middle}{end}")))
            .collect(),
    )
}

/// The numbers of `0000..1023`; `None` for a text that is no range, and within that for a range that is too long.
fn range(inner: &str) -> Option<Option<Vec<String>>> {
    let (from, to) = inner.split_once("..")?;
    let number = |text: &str| {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())?
    };
    let (low, high) = (number(from)?, number(to)?);
    let padded = [from, to].iter().any(|text| text.len() > 1 && text.starts_with('0'));
    let width = if padded { from.len().max(to.len()) } else { 0 };
    if low.abs_diff(high) >= MOST as u64 {
        return Some(None);
    }
    let named = |number: u64| format!("{number:0width$}");
    Some(Some(if low <= high {
        (low..=high).map(named).collect()
    } else {
        (high..=low).rev().map(named).collect()
    }))
}

/// The parts of `a,b{c,d}` that commas outside of inner braces separate.
fn choices(inner: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_spelt_out_as_a_shell_does() {
        for (text, all) in [
            ("a", "a"),
            ("a{0..2}b", "a0b a1b a2b"),
            ("{08..11}", "08 09 10 11"),
            ("{8..11}", "8 9 10 11"),
            ("{2..0}", "2 1 0"),
            ("{000..1}", "000 001"),
            ("{train,val}-{0..1}.tar", "train-0.tar train-1.tar val-0.tar val-1.tar"),
            ("{a{1..2},b}", "a1 a2 b"),
            ("x{a}", "xa"),
        ] {
            assert_eq!(braces(text).unwrap().join(" "), all, "{text}");
        }
        for text in ["{0..1", "a}", "{0..99999999}", "{0..9999}{0..9999}"] {
            assert_eq!(braces(text), None, "{text}");
        }
    }

    #[test]
    fn names_that_are_spelt_out_must_be_there_and_wildcards_fit_what_there_is() {
        let root = tempfile::tempdir().unwrap();
        for name in ["t-00.tar", "t-01.tar", "t-03.tar", "x{1}.tar"] {
            std::fs::write(root.path().join(name), "").unwrap();
        }
        let names = |pattern: &str| {
            expand(&root.path().join(pattern)).map(|files| {
                let name = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().into_owned();
                files.iter().map(name).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(names("t-*.tar").unwrap(), "t-00.tar t-01.tar t-03.tar");
        assert_eq!(names("t-{00..01}.tar").unwrap(), "t-00.tar t-01.tar");
        assert_eq!(names("{t-00,t-0*}.tar").unwrap(), "t-00.tar t-01.tar t-03.tar");
        assert!(!is_pattern(&root.path().join("x{1}.tar")) && is_pattern(&root.path().join("y{1}.tar")));
        let text = names("t-{00..03}.tar").unwrap_err().to_string();
        assert!(text.contains("1 of 4 files are missing") && text.contains("t-02.tar"), "{text}");
        let text = names("q-*.tar").unwrap_err().to_string();
        assert!(text.contains("no file fits") && text.contains("q-0.tar"), "{text}");
    }
}
