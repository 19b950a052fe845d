//! The data of a request: labelled images in memory, and the files that they came from.

use std::sync::Arc;

use super::{Originals, PipelineError};
use crate::data::{ClassMap, ImageSet, Look, Problem, Sample, guarded};
use crate::report::words::{count, counted};
use crate::report::{DataSummary, ValOrigin};
use crate::run::{Observer, Storage};

/// A labelled set in memory.
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// The classes in the order of their numbers.
    pub classes: ClassMap,
    /// Images to learn from.
    pub train: Split,
    /// Images to measure on.
    pub val: Split,
    /// Where the validation images come from, if there are any.
    pub val_origin: Option<ValOrigin>,
    /// Files that should have been images and could not be read.
    pub problems: Vec<Problem>,
    /// Files that are not images of a class, such as a licence.
    pub ignored: Vec<Problem>,
    /// The training images at their full size.
    pub originals: Arc<dyn Originals>,
}

/// Images of a split, in the byte order of their paths.
pub struct Split {
    /// Pixels and labels.
    pub images: Arc<ImageSet>,
    /// Path, class and hash of each.
    pub samples: Vec<Sample>,
    /// Perceptual hash of each.
    pub looks: Vec<Look>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// File name of the list of classes in an output folder.
const CLASSES: &str = "classes.json";
/// The list of the files that were left out.
const PROBLEMS: &str = "problems.csv";

impl Dataset {
    /// The part of a report that is about the data.
    pub fn summary(&self) -> DataSummary {
        DataSummary {
            name: self.name.clone(),
            classes: self.classes.len(),
            train: self.train.samples.len(),
            val: self.val.samples.len(),
            val_origin: self.val_origin.filter(|_| !self.val.samples.is_empty()),
            bytes: self.train.bytes,
        }
    }

    /// Writes `classes.json`, and `problems.csv` when files were left out; warns about those that could not be read, and gives
    /// the warnings for the report.
    ///
    /// # Errors
    /// When `classes.json` is there and names other classes, or a file cannot be written.
    pub fn write_lists(
        &self,
        out: &dyn Storage,
        observer: &dyn Observer,
    ) -> Result<Vec<String>, PipelineError> {
        if let Ok(Some(earlier)) = out.read(CLASSES) {
            let earlier: ClassMap = serde_json::from_slice(&earlier).map_err(|why| {
                PipelineError::Input(format!("{} cannot be read: {why}", out.shown(CLASSES)))
            })?;
            self.classes.ensure_same(&earlier)?;
        }
        out.write(CLASSES, &serde_json::to_vec_pretty(&self.classes)?)?;
        let mut listed: Vec<&Problem> = self.problems.iter().chain(&self.ignored).collect();
        listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        if !listed.is_empty() || out.has(PROBLEMS) {
            out.write(PROBLEMS, &problems_csv(&listed)?)?;
        }
        let mut warnings = Vec::new();
        if let Some(first) = self.problems.first() {
            let files = self.problems.len() as u64;
            let text = format!(
                "{} left out: {} ({}){}; repair or remove, see {}",
                counted(files, "file could not be read and was", "files could not be read and were"),
                first.path,
                first.reason,
                if files > 1 { ", …" } else { "" },
                out.shown(PROBLEMS)
            );
            observer.warn(&text);
            warnings.push(text);
        }
        Ok(warnings)
    }

    /// A warning where numbers were measured on a tune split; otherwise `None`.
    pub fn tune_caveat(&self) -> Option<String> {
        let Some(ValOrigin::Tune { fraction, unseen, .. }) = self.val_origin else { return None };
        Some(format!(
            "measured on {} that were held out to tune on (`tune-fraction` {fraction}), not on the {} validation images: \
             choose settings by these numbers, and report those of a last comparison without `tune-fraction`, which trains on \
             these images again and, at the same `seed` and `val-fraction`, has kept its validation images unseen",
            counted(self.val.samples.len() as u64, "training image", "training images"),
            count(unseen as u64)
        ))
    }
}

/// `problems.csv`: a header, then the path and reason of each.
fn problems_csv(problems: &[&Problem]) -> Result<Vec<u8>, PipelineError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["path", "reason"])?;
    let row = |problem: &&Problem| [&problem.path, &problem.reason].map(|text| guarded(text).into_owned());
    problems.iter().try_for_each(|problem| table.write_record(row(problem)))?;
    table.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_a_table_of_paths_and_reasons() {
        let problem = Problem { path: "a/b,c.jpg".to_owned(), reason: "the \"file\" is empty".to_owned() };
        let text = problems_csv(&[&problem]).unwrap();
        assert_eq!(
            String::from_utf8(text.clone()).unwrap(),
            "path,reason\n\"a/b,c.jpg\",\"the \"\"file\"\" is empty\"\n"
        );
        let read: Vec<Problem> =
            csv::Reader::from_reader(text.as_slice()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [problem]);
        assert_eq!(problems_csv(&[]).unwrap(), b"path,reason\n");
        let problem = Problem { path: "=1+1/a.jpg".to_owned(), reason: "-".to_owned() };
        assert_eq!(problems_csv(&[&problem]).unwrap(), b"path,reason\n'=1+1/a.jpg,'-\n");
    }
}
