//! Writing a report beside its tables, and showing it.

use super::console::Console;
use super::exit::Result;
use crate::data::Sample;
use crate::report::{self, Report};
use crate::run::Storage;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes `report.json`, `report.csv`, `report.html` and, where students were examined on `val`, `answers.csv`; and shows the
/// result.
pub(super) fn write(out: &dyn Storage, mut report: Report, val: &[Sample], console: &Console) -> Result<()> {
    report.created = Some(now());
    let mut json = Vec::new();
    report.write_json(&mut json)?;
    out.write("report.json", &json)?;
    let mut csv = Vec::new();
    report::write_csv(&report, &mut csv)?;
    out.write("report.csv", &csv)?;
    out.write("report.html", report::html(&report).as_bytes())?;
    let mut answers = Vec::new();
    if report::write_answers(&report, val.iter().map(|sample| sample.path.as_str()), &mut answers)? {
        out.write("answers.csv", &answers)?;
    } else {
        // Those of an earlier report.
        out.remove("answers.csv")?;
    }
    let json = if console.json() { serde_json::to_value(&report)? } else { serde_json::Value::Null };
    if console.json() || !report.results.is_empty() {
        console.result(&json, report::table(&report));
    }
    console.say(format_args!("report: {}", out.shown("report.html")));
    Ok(())
}

/// The date and time in UTC, as `2026-11-23 19:30 UTC`.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

/// Year, month and day of a number of days since 1970-01-01 (Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        // Checked with GNU date.
        for (days, date) in [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (20_780, (2026, 11, 23))] {
            assert_eq!(civil(days), date);
        }
    }
}
