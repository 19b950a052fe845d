//! Counting tests over runners that each print their own summary.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// The numbers of a line that Rust's test harness ends a binary with:
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; ...`.
    pub(crate) fn from_libtest(line: &str) -> Option<Self> {
        let (_, counts) = line.split_once("test result: ")?;
        let mut tally = Self::default();
        for part in counts.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => tally.passed = count.parse().ok()?,
                Some((count, "failed")) => tally.failed = count.parse().ok()?,
                Some((count, "ignored")) => tally.skipped = count.parse().ok()?,
                _ => {}
            }
        }
        Some(tally)
    }

    /// The numbers of the comments that Node's test runner ends its TAP output with: `# pass 2`, `# fail 0`,
    /// `# cancelled 0`, `# skipped 0`.
    pub(crate) fn from_node_tap(text: &str) -> Self {
        let mut tally = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            if words.next() != Some("#") {
                continue;
            }
            let (Some(name), Some(count), None) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else { continue };
            match name {
                "pass" => tally.passed += count,
                "fail" | "cancelled" => tally.failed += count,
                "skipped" | "todo" => tally.skipped += count,
                _ => {}
            }
        }
        tally
    }

    /// The numbers of the report that vitest writes as JSON; none of a report that is none.
    pub(crate) fn from_vitest(json: &str) -> Self {
        let report: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let count = |key: &str| report[key].as_u64().unwrap_or(0);
        Self {
            passed: count("numPassedTests"),
            failed: count("numFailedTests"),
            skipped: count("numPendingTests") + count("numTodoTests"),
        }
    }

    /// Whether the run as a whole may be called good: something ran, and nothing failed.
    pub(crate) fn is_good(self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vitests_report_is_read_and_a_broken_one_counts_nothing() {
        let report = r#"{"numTotalTests":9,"numPassedTests":5,"numFailedTests":1,"numPendingTests":2,"numTodoTests":1}"#;
        assert_eq!(Tally::from_vitest(report), Tally { passed: 5, failed: 1, skipped: 3 });
        assert_eq!(Tally::from_vitest(""), Tally::default());
    }

    #[test]
    fn the_harness_summary_is_read_whether_it_went_well_or_not() {
        let good =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.31s";
        assert_eq!(Tally::from_libtest(good), Some(Tally { passed: 12, failed: 0, skipped: 1 }));
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        assert_eq!(Tally::from_libtest(bad), Some(Tally { passed: 3, failed: 2, skipped: 0 }));
    }

    #[test]
    fn coloured_harness_output_counts_too() {
        let line = "test result: \u{1b}[32mok\u{1b}[0m. 7 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(Tally::from_libtest(line).map(|tally| tally.passed), Some(7));
    }

    #[test]
    fn other_lines_are_not_summaries() {
        assert_eq!(Tally::from_libtest("test random::tests::streams_differ ... ok"), None);
        assert_eq!(Tally::from_node_tap("ok 1 - pass 3\n# Subtest: pass 4\n# note pass"), Tally::default());
    }

    #[test]
    fn nodes_summary_counts_cancelled_tests_as_failed() {
        let text = "TAP version 13\nok 1 - a\n1..1\n# tests 4\n# suites 0\n# pass 2\n# fail 0\n# cancelled 1\n\
                    # skipped 1\n# todo 0\n# duration_ms 5.2\n";
        assert_eq!(Tally::from_node_tap(text), Tally { passed: 2, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_run_of_nothing_is_not_good() {
        assert!(!Tally::default().is_good());
        assert!(!Tally { passed: 3, failed: 1, skipped: 0 }.is_good());
        assert!(Tally { passed: 1, failed: 0, skipped: 2 }.is_good());
    }

    #[test]
    fn skipped_tests_are_named_only_when_there_are_any() {
        assert_eq!(Tally { passed: 3, failed: 0, skipped: 0 }.to_string(), "3 passed, 0 failed");
        assert_eq!(Tally { passed: 3, failed: 1, skipped: 2 }.to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
