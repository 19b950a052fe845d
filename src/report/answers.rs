//! `answers.csv`: right or wrong for each validation image and student.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Report;
use crate::data::guarded;

/// Writes one row for each validation image, in the order of `paths`: its path, then for each result and seed 1 where that
/// student was right and 0 where it was wrong. Columns are called as the results are in comparisons, with the seed:
/// `pca-0`. Results whose answers were not kept, or are of another number of images, have no column.
///
/// Gives `false`, and writes nothing, where no answers were kept.
///
/// # Errors
/// When the writer fails.
pub fn write_answers<'a>(
    report: &Report,
    paths: impl ExactSizeIterator<Item = &'a str>,
    out: impl Write,
) -> io::Result<bool> {
    let labels = report.labels();
    let kept = report.results.iter().zip(&labels).flat_map(|(result, label)| {
        let runs = result.seeds.iter().zip(&result.correct);
        runs.map(move |(seed, correct)| (format!("{label}-{seed}"), correct))
    });
    let kept: Vec<_> = kept.filter(|(_, correct)| correct.len() == paths.len()).collect();
    if kept.is_empty() {
        return Ok(false);
    }
    let mut table = csv::Writer::from_writer(out);
    let names = kept.iter().map(|(name, _)| guarded(name));
    table.write_record(std::iter::once("path".into()).chain(names).map(Cow::into_owned))?;
    for (image, path) in paths.enumerate() {
        let answers = kept.iter().map(|(_, correct)| if correct.get(image) { "1" } else { "0" });
        table.write_record(std::iter::once(&*guarded(path)).chain(answers))?;
    }
    table.flush()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{super::sample::sample, *};

    #[test]
    fn every_image_has_a_row_and_every_student_a_column() {
        let mut report = sample();
        report.results.truncate(2);
        report.results[1].seeds.truncate(1);
        report.results[1].correct = vec![[true, false].into_iter().collect()];
        let write = |report: &Report| {
            let mut text = Vec::new();
            let written = write_answers(report, ["val/a/1, \"x\".png", "val/b/2.png"].into_iter(), &mut text);
            (written.expect("memory does not fail"), String::from_utf8(text).expect("text"))
        };
        let expected = "path,el2n-0\n\"val/a/1, \"\"x\"\".png\",1\nval/b/2.png,0\n";
        assert_eq!(write(&report), (true, expected.to_owned()));
        report.results[1].correct = vec![[true].into_iter().collect()];
        assert_eq!(write(&report), (false, String::new()), "answers on other images");
    }
}
