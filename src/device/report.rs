//! What a driver reports, in words for people.

/// What is said of memory that ran out, whoever noticed.
pub(super) const MEMORY: &str = "its memory ran out; a smaller `batch-size` or image size takes less";

/// A driver's report in one line, without the trace of our own calls behind it.
pub(super) fn reason(report: &str) -> String {
    // cubecl's words, where it is not wgpu that allocates.
    if let Some(which) = report.lines().find(|line| line.contains("out of device memory")) {
        return format!("{MEMORY} ({})", which.trim());
    }
    let report = report.split("Backtrace:").next().unwrap_or_default();
    let lines = report.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_report_is_told_in_one_line() {
        let report =
            "An error happened\n\nCaused by:\n  the device is lost\n\nBacktrace:\n  0: here\n  1: there\n";
        assert_eq!(reason(report), "An error happened Caused by: the device is lost");
        assert_eq!(reason("gone"), "gone");
    }

    #[test]
    fn memory_that_ran_out_is_told_with_a_remedy() {
        let report =
            "Several failures at once\nCaused by:\n  out of device memory allocating 8 bytes\n  no trace\n";
        let told = reason(report);
        assert!(
            told.contains("a smaller `batch-size`")
                && told.ends_with("(out of device memory allocating 8 bytes)")
        );
    }
}
