//! From what pruning noticed to what a report says of it.

use std::collections::BTreeMap;

use crate::cli::stage::data::Dataset;
use crate::cli::stage::prune::Copies;
use crate::prune;
use crate::report::{Duplicate, Findings, Found, SharedWithVal, SuspectedLabel};

/// Examples of each kind in a report.
const EXAMPLES: usize = 20;

/// The report's findings.
pub(in crate::cli) fn findings(found: &prune::Findings, copies: &Copies, data: &Dataset) -> Findings {
    let place: BTreeMap<&str, usize> =
        data.train.samples.iter().enumerate().map(|(i, sample)| (sample.path.as_str(), i)).collect();
    let hash = |path: &str| place.get(path).map_or(0, |&i| data.train.hashes[i]);
    let duplicates: Vec<Duplicate> = found
        .near_duplicates
        .iter()
        .filter_map(|group| group.split_first())
        .flat_map(|(first, others)| {
            others.iter().map(|other| Duplicate {
                path: first.path.clone(),
                other: other.path.clone(),
                distance: (hash(&first.path) ^ hash(&other.path)).count_ones(),
            })
        })
        .collect();
    let shared: Vec<SharedWithVal> = found
        .shared_with_val
        .iter()
        .filter_map(|image| {
            let train = *place.get(image.path.as_str())?;
            let (_, val) = copies.shared.iter().find(|&&(ours, _)| ours as usize == train)?;
            Some(SharedWithVal {
                train: image.path.clone(),
                val: data.val.samples[*val as usize].path.clone(),
            })
        })
        .collect();
    let suspected: Vec<SuspectedLabel> = found
        .suspects
        .iter()
        .map(|suspect| SuspectedLabel {
            path: suspect.image.path.clone(),
            class: suspect.image.class.clone(),
            looks_like: None,
        })
        .collect();
    Findings {
        near_duplicates: first_of(duplicates),
        shared_with_val: first_of(shared),
        suspected_labels: first_of(suspected),
    }
}

fn first_of<T>(mut all: Vec<T>) -> Found<T> {
    let count = all.len();
    all.truncate(EXAMPLES);
    Found { count, examples: all }
}
