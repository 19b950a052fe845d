//! Where results go: preparing the output folder, writing reports and tables.

use std::path::Path;

use jiff::Timestamp;

use crate::cli::args::OutArgs;
use crate::cli::console::Console;
use crate::cli::exit::InputError;
use crate::cli::output::{ensure_apart, write_atomic};
use crate::data::Sample;
use crate::report::{self, Report};

/// Makes sure that [`empty_folder`] will find nothing in its way, before any work is done. The folder is
/// made, so that one which cannot be made is noticed now; what is in it stays until there is something
/// to replace it.
///
/// # Errors
/// Those of [`empty_folder`].
pub(in crate::cli) fn ensure_free(out: &OutArgs, data: &Path) -> anyhow::Result<()> {
    let folder = &out.out;
    ensure_apart(data, folder)?;
    if is_occupied(folder)? && !out.force {
        return Err(occupied(folder, "it is not empty").into());
    }
    create(folder)
}

/// Makes sure `out` is an empty folder, or becomes one by `--force`.
///
/// # Errors
/// [`InputError`] when it holds something and `--force` was not given, or holds the data itself.
pub(in crate::cli) fn empty_folder(out: &OutArgs, data: &Path) -> anyhow::Result<()> {
    ensure_free(out, data)?;
    clear(&out.out, data)
}

/// Makes a folder and those above it.
pub(in crate::cli) fn create(folder: &Path) -> anyhow::Result<()> {
    Ok(std::fs::create_dir_all(folder).map_err(|why| {
        InputError(format!("--out {}: the folder cannot be made ({why})", folder.display()))
    })?)
}

/// Whether there is something in the way.
pub(in crate::cli) fn is_occupied(folder: &Path) -> anyhow::Result<bool> {
    if !folder.exists() {
        return Ok(false);
    }
    if !folder.is_dir() {
        return Err(InputError(format!("--out {} is a file, not a folder", folder.display())).into());
    }
    Ok(std::fs::read_dir(folder)?.next().is_some())
}

/// The error of a folder that must not be touched.
pub(in crate::cli) fn occupied(folder: &Path, why: &str) -> InputError {
    let shown = folder.display();
    InputError(format!("--out {shown}: {why}; name another folder, or replace this one by --force"))
}

/// Removes what is in a folder, unless the data lies there.
pub(in crate::cli) fn clear(folder: &Path, data: &Path) -> anyhow::Result<()> {
    ensure_apart(data, folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what a killed run left half-written in its output folder.
pub(in crate::cli) fn sweep(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(".tilepress-") {
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Writes a file that `fill` fills, whole or not at all.
pub(in crate::cli) fn file<E: Into<anyhow::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    fill(&mut bytes).map_err(Into::into)?;
    Ok(write_atomic(path, &bytes)?)
}

/// Writes `report.json`, `report.csv`, `report.html` and, where students were examined on `val`, `answers.csv`; and shows the
/// result.
pub(in crate::cli) fn report(
    out: &Path,
    mut report: Report,
    val: &[Sample],
    console: &Console,
) -> anyhow::Result<()> {
    report.created = Some(now());
    file(&out.join("report.json"), |bytes| report.write_json(bytes))?;
    file(&out.join("report.csv"), |bytes| report::write_csv(&report, bytes))?;
    write_atomic(&out.join("report.html"), report::html(&report).as_bytes())?;
    let (mut answers, file) = (Vec::new(), out.join("answers.csv"));
    if report::write_answers(&report, val.iter().map(|sample| sample.path.as_str()), &mut answers)? {
        write_atomic(&file, &answers)?;
    } else if file.exists() {
        // Those of an earlier report.
        std::fs::remove_file(&file)?;
    }
    let json = if console.json() { serde_json::to_value(&report)? } else { serde_json::Value::Null };
    if console.json() || !report.results.is_empty() {
        console.result(&json, report::table(&report));
    }
    console.say(format_args!("report: {}", out.join("report.html").display()));
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
