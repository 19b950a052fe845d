//! Pruning of a dataset: choosing the images, and noticing copies among them.

use super::{Dataset, PipelineError};
use crate::data::{ClassMap, Sample};
use crate::prune::{Chosen, Copies, Fill, PruneRequest, Rule, select};
use crate::report::words::counted;
use crate::run::Observer;
use crate::score::Suspect;

/// Treatment of small classes and of copies, whichever images are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pruning {
    /// Treatment of a class with too few images.
    pub fill: Fill,
    /// `true` where near-duplicates and images that are also in the validation set are left out.
    pub dedup: bool,
}

/// The copies of a dataset, looked for once.
pub fn copies(data: &Dataset) -> &Copies {
    data.copies()
}

/// A choice of images to make, apart from the data and the treatment of copies.
pub struct Choice<'a> {
    /// Rule that decides the images of a class to keep.
    pub rule: Rule,
    /// Number of images to choose from every class.
    pub per_class: usize,
    /// Number of composites of every class.
    pub composites: usize,
    /// The score of every training image; the random rule needs none.
    pub scores: Option<&'a [f64]>,
    /// Images whose label may be wrong.
    pub suspects: &'a [Suspect],
    /// Seed of the random rule and of the order of equal scores.
    pub seed: u64,
}

/// Chooses the images.
///
/// # Errors
/// The errors of [`choose`](crate::prune::choose).
pub fn choose(
    data: &Dataset,
    copies: &Copies,
    pruning: Pruning,
    choice: &Choice<'_>,
) -> Result<Chosen, PipelineError> {
    let &Choice { rule, per_class, composites, scores, suspects, seed } = choice;
    let request = PruneRequest {
        samples: &data.train.samples,
        classes: &data.classes,
        scores,
        per_class,
        composites,
        rule,
        fill: pruning.fill,
        seed,
        leave_out: &[],
    };
    Ok(crate::prune::choose(&request, copies, pruning.dedup, suspects)?)
}

/// Makes sure, before any score is known, that every class has enough images for `rule`.
///
/// # Errors
/// The errors of [`choose`].
pub fn ensure_enough(
    samples: &[Sample],
    classes: &ClassMap,
    per_class: usize,
    rule: Rule,
    fill: Fill,
) -> Result<(), PipelineError> {
    // All scores equal: only the number of images matters here, not the images taken.
    let scores = vec![0.0; samples.len()];
    select(&PruneRequest {
        samples,
        classes,
        scores: Some(&scores),
        per_class,
        composites: per_class,
        rule,
        fill,
        seed: 0,
        leave_out: &[],
    })?;
    Ok(())
}

/// The method or rule whose choice a warning is about.
pub struct Chooser {
    /// Name of the method or rule, as the user interface writes it.
    pub name: String,
    /// `true` where a report shows the copies of this choice.
    pub reported: bool,
}

/// Tells the user about re-used images and copies; returns the warnings for the report.
pub fn warn(chosen: &Chosen, chooser: &Chooser, pruning: Pruning, observer: &dyn Observer) -> Vec<String> {
    let Chooser { name, reported } = chooser;
    let mut warnings = Vec::new();
    let repeated = chosen.selection.repeated();
    if repeated > 0 {
        warnings.push(format!(
            "{name}: {} an image again, because its class has too few (`fill` cycle); \
             a smaller `ipc` or `grid` would not",
            counted(repeated as u64, "tile uses", "tiles use")
        ));
    }
    let findings = &chosen.findings;
    if !pruning.dedup {
        let groups = findings.near_duplicates.len();
        if groups > 0 {
            warnings.push(format!(
                "{name}: {} look alike{}; `dedup` keeps one of each",
                counted(groups as u64, "group of kept images", "groups of kept images"),
                if *reported { " (report.html shows them)" } else { "" }
            ));
        }
        let (files, alike): (Vec<_>, Vec<_>) =
            findings.shared_with_val.iter().partition(|shared| shared.same_file);
        if !files.is_empty() {
            warnings.push(format!(
                "{name}: {} also in the validation set, which flatters accuracy; `dedup` leaves them out",
                counted(files.len() as u64, "kept image is", "kept images are")
            ));
        }
        if let Some(first) = alike.first() {
            warnings.push(format!(
                "{name}: {} the same as one of the validation set in another encoding or size, such as {} and {}, \
                 which flatters accuracy; `dedup` leaves them out",
                counted(alike.len() as u64, "kept image looks", "kept images look"),
                first.image.path,
                first.val
            ));
        }
    }
    warnings.iter().for_each(|text| observer.warn(text));
    warnings
}
