//! Writing a report beside its tables, and showing it.

use jiff::Timestamp;

use super::console::Console;
use super::exit::Result;
use super::options::flags;
use crate::data::Sample;
use crate::report::{self, Report};
use crate::run::Storage;

/// Writes `report.json`, `report.csv`, `report.html` and, where students were examined on `val`, `answers.csv`; and shows the
/// result.
pub(super) fn write(out: &dyn Storage, mut report: Report, val: &[Sample], console: &Console) -> Result<()> {
    report.created = Some(now());
    report.name_options(flags);
    let mut json = Vec::new();
    report.write_json(&mut json)?;
    out.write("report.json", &json)?;
    let mut csv = Vec::new();
    report::write_csv(&report, &mut csv)?;
    out.write("report.csv", &csv)?;
    out.write("report.html", report::html(&report, flags).as_bytes())?;
    let mut answers = Vec::new();
    if report::write_answers(&report, val.iter().map(|sample| sample.path.as_str()), &mut answers)? {
        out.write("answers.csv", &answers)?;
    } else {
        // Those of an earlier report.
        out.remove("answers.csv")?;
    }
    let json = if console.json() { serde_json::to_value(&report)? } else { serde_json::Value::Null };
    if console.json() || !report.results.is_empty() {
        console.result(&json, report::table(&report, flags))?;
    }
    console.say(format_args!("report: {}", out.shown("report.html")));
    Ok(())
}

/// The date and time in UTC, as `2026-11-23 19:30 UTC`.
fn now() -> String {
    written(Timestamp::now())
}

fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        // Checked with GNU date.
        for (days, date) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_780, "2026-11-23")] {
            let at =
                Timestamp::from_second(86_400 * days + 19 * 3600 + 1859).expect("a moment of these years");
            assert_eq!(written(at), format!("{date} 19:30 UTC"));
        }
    }
}
