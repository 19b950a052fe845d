//! Windows of epochs, as people write them.

use std::ops::Range;

/// The text of a window as files and `--window` have it: counted from 1, both ends belong (`0..10` is
/// `1..10`).
pub fn window_text(window: &Range<u32>) -> String {
    format!("{}..{}", u64::from(window.start) + 1, window.end)
}

/// Reads a window as [`window_text`] writes it; a single number `k` is the window `k..k`.
///
/// # Errors
/// A message for the user when it is not `a..b` with 1 ≤ a ≤ b.
pub fn parse_window(text: &str) -> Result<Range<u32>, String> {
    let (start, end) = text.split_once("..").unwrap_or((text, text));
    let parse = |part: &str| part.trim().parse::<u32>().ok();
    match parse(start).zip(parse(end)) {
        Some((start, end)) if 1 <= start && start <= end => Ok(start - 1..end),
        _ => Err(format!("'{text}' is not a window of epochs; give a..b with 1 <= a <= b, such as 1..10")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_back_what_it_writes() {
        for window in [0..10, 3..4, 0..1] {
            assert_eq!(parse_window(&window_text(&window)), Ok(window));
        }
        assert_eq!(parse_window("4"), Ok(3..4));
        for text in ["", "0..4", "5..4", "1-10", "a..b", "1..", "-1..3"] {
            assert!(parse_window(text).is_err(), "{text}");
        }
    }
}
