//! `report.csv`: one row for each student.

use std::io::{self, Write};

use super::{Accuracy, Report};
use crate::data::guarded;

/// The columns of `report.csv`, in order.
const COLUMNS: [&str; 13] = [
    "method",
    "ipc",
    "grid",
    "augment",
    "model",
    "labels",
    "images",
    "bytes",
    "run",
    "seed",
    "top1",
    "top5",
    "macro_top1",
];

/// Writes one row for each method and run: accuracies in percent, `top5` empty where it means nothing, `macro_top1` where it
/// was not measured.
///
/// Without results only the header is written.
///
/// # Errors
/// When the writer fails.
pub fn write_csv(report: &Report, out: impl Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    for result in &report.results {
        let setting = &result.setting;
        for (run, (seed, top1)) in result.seeds.iter().zip(&result.top1.runs).enumerate() {
            let cell = |of: &Option<Accuracy>| {
                of.as_ref().and_then(|of| of.runs.get(run)).map_or_else(String::new, f64::to_string)
            };
            table.write_record([
                guarded(&setting.method).into_owned(),
                setting.ipc.to_string(),
                setting.grid.to_string(),
                setting.augment.clone(),
                setting.model.clone(),
                setting.labels.clone(),
                setting.images.to_string(),
                setting.bytes.to_string(),
                run.to_string(),
                seed.to_string(),
                top1.to_string(),
                cell(&result.top5),
                cell(&result.macro_top1),
            ])?;
        }
    }
    table.flush()
}

#[cfg(test)]
mod tests {
    use super::{super::sample::sample, *};

    #[test]
    fn every_run_has_a_row_that_reads_back() {
        let mut report = sample();
        report.results[0].setting.method = "random, \"quoted\"".into();
        report.results[1].top5 = None;
        report.results[1].macro_top1 = None;
        let mut text = Vec::new();
        write_csv(&report, &mut text).expect("memory does not fail");
        let mut reader = csv::Reader::from_reader(text.as_slice());
        assert_eq!(reader.headers().expect("a header"), COLUMNS.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("valid rows");
        assert_eq!(rows.len(), 12);
        assert_eq!(&rows[0][0], "random, \"quoted\"");
        assert_eq!(
            rows[7].iter().collect::<Vec<_>>(),
            [
                "pca", "10", "2", "extract", "convnet", "hard", "100", "812345", "1", "1", "28.8", "78.8",
                "28.8"
            ]
        );
        assert_eq!((&rows[4][11], &rows[4][12]), ("", ""));
        for (row, result) in rows.chunks(3).zip(&report.results) {
            let back: Vec<f64> = row.iter().map(|row| row[10].parse().expect("a number")).collect();
            assert_eq!(back, result.top1.runs);
        }
    }

    #[test]
    fn without_results_the_header_remains() {
        let mut report = sample();
        report.set_results(Vec::new());
        let mut text = Vec::new();
        write_csv(&report, &mut text).expect("memory does not fail");
        assert_eq!(String::from_utf8(text).expect("text"), COLUMNS.join(",") + "\n");
    }
}
