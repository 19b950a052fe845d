//! Pruning: choosing the images, and noticing copies among them.

use crate::cli::args::PruneArgs;
use crate::cli::console::Console;
use crate::cli::stage::data::Dataset;
pub(in crate::cli) use crate::prune::{Chosen, Copies};
use crate::prune::{Fill, PruneRequest, Rule, select};
use crate::report::words::counted;
use crate::score::Suspect;

/// Finds the copies of a dataset.
pub(in crate::cli) fn copies(data: &Dataset) -> Copies {
    Copies::find(&data.train.looks, &data.train.samples, &data.val.looks, &data.val.samples)
}

/// What to choose, apart from the data and the flags.
pub(in crate::cli) struct Choice<'a> {
    pub(in crate::cli) rule: Rule,
    /// Images of every class.
    pub(in crate::cli) per_class: usize,
    /// Composites of every class.
    pub(in crate::cli) composites: usize,
    /// The score of every training image; the random rule needs none.
    pub(in crate::cli) scores: Option<&'a [f64]>,
    pub(in crate::cli) suspects: &'a [Suspect],
    pub(in crate::cli) seed: u64,
}

/// Chooses the images.
pub(in crate::cli) fn choose(
    data: &Dataset,
    copies: &Copies,
    args: &PruneArgs,
    choice: &Choice<'_>,
) -> anyhow::Result<Chosen> {
    let &Choice { rule, per_class, composites, scores, suspects, seed } = choice;
    let request = PruneRequest {
        samples: &data.train.samples,
        classes: &data.classes,
        scores,
        per_class,
        composites,
        rule,
        fill: args.fill,
        seed,
        leave_out: &[],
    };
    Ok(crate::prune::choose(&request, copies, args.dedup, suspects)?)
}

/// Makes sure, before any score is known, that every class has enough images for `rule`.
///
/// # Errors
/// As [`choose`].
pub(in crate::cli) fn ensure_enough(
    samples: &[crate::data::Sample],
    classes: &crate::data::ClassMap,
    per_class: usize,
    rule: Rule,
    fill: Fill,
) -> anyhow::Result<()> {
    // All scores equal: which images are taken is not looked at, only how many there are.
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

/// Whose choice a warning is about.
pub(in crate::cli) struct Chooser {
    /// The method or the flag, as the command line has it.
    pub(in crate::cli) name: String,
    /// Whether a report shows the copies of this choice.
    pub(in crate::cli) reported: bool,
}

/// Tells the user about re-used images and copies; gives the warnings for the report.
pub(in crate::cli) fn warn(
    chosen: &Chosen,
    chooser: &Chooser,
    args: &PruneArgs,
    console: &Console,
) -> Vec<String> {
    let Chooser { name, reported } = chooser;
    let mut warnings = Vec::new();
    let repeated = chosen.selection.repeated();
    if repeated > 0 {
        warnings.push(format!(
            "{name}: {} an image again, because its class has too few (--fill cycle); \
             a smaller --ipc or --grid would not",
            counted(repeated as u64, "tile uses", "tiles use")
        ));
    }
    let findings = &chosen.findings;
    if !args.dedup {
        let groups = findings.near_duplicates.len();
        if groups > 0 {
            warnings.push(format!(
                "{name}: {} look alike{}; --dedup keeps one of each",
                counted(groups as u64, "group of kept images", "groups of kept images"),
                if *reported { " (report.html shows them)" } else { "" }
            ));
        }
        let (files, alike): (Vec<_>, Vec<_>) =
            findings.shared_with_val.iter().partition(|shared| shared.same_file);
        if !files.is_empty() {
            warnings.push(format!(
                "{name}: {} also in the validation set, which flatters accuracy; --dedup leaves them out",
                counted(files.len() as u64, "kept image is", "kept images are")
            ));
        }
        if let Some(first) = alike.first() {
            warnings.push(format!(
                "{name}: {} the same as one of the validation set in another encoding or size, such as {} and {}, \
                 which flatters accuracy; --dedup leaves them out",
                counted(alike.len() as u64, "kept image looks", "kept images look"),
                first.image.path,
                first.val
            ));
        }
    }
    warnings.iter().for_each(|text| console.warn(text));
    warnings
}
