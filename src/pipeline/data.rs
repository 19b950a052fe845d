//! The data of a request: labelled images, and the files that they came from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use super::claim::Holding;
use super::{Originals, PipelineError};
use crate::data::{ClassMap, Layout, Look, Problem, Sample, Source, guarded};
use crate::prune::{Copies, PruneError};
use crate::report::words::{count, counted};
use crate::report::{DataSummary, Loading, ValOrigin};
use crate::run::{Observer, Storage};

/// A labelled set.
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
    /// Files that were left out because they cannot be used, by what they would have been.
    pub skipped: Skipped,
    /// Folders that were taken for what.
    pub layout: Layout,
    /// Warnings about the tree that the user was told of.
    pub warnings: Vec<String>,
    /// What of the images is in memory.
    pub loading: Loading,
    /// Its copies, once they were looked for: see [`copies`](Self::copies).
    pub copies: OnceLock<Copies>,
}

/// Files that were left out: their number, and the first with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their number.
    pub files: usize,
    /// The first of them.
    pub first: Option<Problem>,
}

impl LeftOut {
    /// Counts a file; they come in the order of their paths.
    pub fn add(&mut self, problem: &Problem) {
        self.files += 1;
        self.first.get_or_insert_with(|| problem.clone());
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = counted(self.files as u64, "file was left out", "files were left out");
        match &self.first {
            Some(Problem { path, reason }) if self.files > 1 => {
                write!(f, "{files}, the first, {path}: {reason}")
            }
            Some(Problem { path, reason }) => write!(f, "{files}, {path}: {reason}"),
            None => f.write_str(&files),
        }
    }
}

/// Files that were left out because they cannot be used, by what they would have been.
#[derive(Clone, Debug, Default)]
pub struct Skipped {
    /// Training images of each class.
    pub of_class: BTreeMap<u32, LeftOut>,
    /// Validation images.
    pub val: LeftOut,
    /// Number of files that were listed as validation images.
    pub val_listed: usize,
}

/// Images of a split, in the byte order of their paths.
pub struct Split {
    /// Pixels and labels.
    pub images: Arc<dyn Source>,
    /// Path, class and hash of each.
    pub samples: Arc<[Sample]>,
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
            layout: Some(self.layout.clone()).filter(|layout| *layout != Layout::default()),
        }
    }

    /// Its copies, looked for once.
    pub fn copies(&self) -> &Copies {
        let find =
            || Copies::find(&self.train.looks, &self.train.samples, &self.val.looks, &self.val.samples);
        self.copies.get_or_init(find)
    }

    /// Makes sure that there are images to measure on, before anything trains.
    ///
    /// # Errors
    /// [`PipelineError::Input`] with the reason and the remedy.
    pub fn ensure_measurable(&self) -> Result<(), PipelineError> {
        if !self.val.samples.is_empty() {
            return Ok(());
        }
        let folder = self.layout.val.as_deref().unwrap_or("val");
        Err(PipelineError::Input(match self.val_origin {
            Some(ValOrigin::Given) if self.skipped.val.files > 0 => format!(
                "none of the validation images in {folder}/ can be read: {}. Repair them, or move {folder}/ out of the data \
                 folder to have images held out of the others",
                self.skipped.val
            ),
            Some(ValOrigin::Given) => format!("{folder}/ holds no validation images: put some in, or move it away"),
            Some(ValOrigin::HeldOut { fraction: 0.0, .. }) => {
                "there are no validation images, as `val-fraction` 0 holds none out: raise it, or add a val/ folder".to_owned()
            }
            _ => "there are no validation images: none can be held out, as no class has two images that differ; add images, or \
                  a val/ folder"
                .to_owned(),
        }))
    }

    /// A warning where classes have no validation images, so that their accuracy is not measured.
    pub fn unmeasured(&self) -> Option<String> {
        let mut measured = vec![false; self.classes.len()];
        self.val.images.labels().iter().for_each(|&class| measured[class as usize] = true);
        let without = measured.iter().zip(self.classes.names()).filter(|(measured, _)| !**measured);
        let names: Vec<String> = without.map(|(_, name)| format!("'{name}'")).collect();
        let first = names.first()?;
        let others = match names.len() {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        Some(format!(
            "not measured: class {first}{others} {} no validation images; accuracies are those of the others",
            if names.len() == 1 { "has" } else { "have" }
        ))
    }

    /// The error of a class with too few images, with the files of that class that were left out. Then `problems.csv` is
    /// written as well, if nothing of the user's is in `out`.
    #[must_use]
    pub fn explain(&self, error: PipelineError, out: &dyn Storage) -> PipelineError {
        if !self.problems.is_empty()
            && out.claim().is_ok()
            && Holding::of(out).is_ok_and(|holding| holding.is_empty())
        {
            // The error itself is what matters.
            let _ = write_problems(&self.problems, &self.ignored, out);
        }
        let PipelineError::Prune(PruneError::TooSmall { class, .. }) = &error else { return error };
        match self.classes.index(class).and_then(|class| self.skipped.of_class.get(&class)) {
            Some(left) => PipelineError::Input(format!("{error}. Of class '{class}' {left}")),
            None => error,
        }
    }

    /// Warnings about the same file in two classes.
    fn copies_in_words(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut first: HashMap<_, &Sample> = HashMap::new();
        let mut pairs: Vec<(&Sample, &Sample)> = Vec::new();
        for sample in self.train.samples.iter().chain(&*self.val.samples) {
            let other = first.entry(sample.hash).or_insert(sample);
            if other.class != sample.class {
                pairs.push((other, sample));
            }
        }
        if let Some((one, other)) = pairs.first() {
            warnings.push(format!(
                "{} in two classes: {} and {} are equal, so one label is wrong; remove one of each",
                counted(pairs.len() as u64, "file lies", "files lie"),
                one.path,
                other.path
            ));
        }
        warnings
    }

    /// Warns about training images that are validation images, too, whether they are kept or not; gives the warning for the
    /// report. With `dedup` they are left out, and there is nothing to warn of.
    pub fn warn_of_shared(&self, observer: &dyn Observer) -> Option<String> {
        let shared = &self.copies().shared;
        if let (Some(copy), Some(ValOrigin::Given)) = (shared.first(), self.val_origin) {
            let same =
                if copy.same_file { "the same file" } else { "the same picture in another encoding or size" };
            let text = format!(
                "{} among the validation images as well, which flatters accuracy: {} and {} are {same}; take them out of one of \
                 the two, or use `dedup`",
                counted(shared.len() as u64, "training image is", "training images are"),
                self.train.samples[copy.train as usize].path,
                copy.val
            );
            observer.warn(&text);
            return Some(text);
        }
        None
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
        if let Some(earlier) = out.read(CLASSES)? {
            let earlier: ClassMap = serde_json::from_slice(&earlier).map_err(|why| {
                PipelineError::Input(format!("{} cannot be read: {why}", out.shown(CLASSES)))
            })?;
            self.classes
                .ensure_same(&earlier)
                .map_err(|why| PipelineError::Input(format!("{}: {why}", out.shown(CLASSES))))?;
        }
        out.write(CLASSES, &serde_json::to_vec_pretty(&self.classes)?)?;
        if !self.problems.is_empty() || !self.ignored.is_empty() || out.has(PROBLEMS) {
            write_problems(&self.problems, &self.ignored, out)?;
        }
        let copies = self.copies_in_words();
        copies.iter().for_each(|text| observer.warn(text));
        let mut warnings = self.warnings.clone();
        warnings.extend(copies);
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

/// Writes `problems.csv`: the files that were left out, as they cannot be read or are no images of a class.
///
/// # Errors
/// When the file cannot be written.
pub fn write_problems(
    problems: &[Problem],
    ignored: &[Problem],
    out: &dyn Storage,
) -> Result<(), PipelineError> {
    let mut listed: Vec<&Problem> = problems.iter().chain(ignored).collect();
    listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(out.write(PROBLEMS, &problems_csv(&listed)?)?)
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
