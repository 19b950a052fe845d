//! Turns the findings of pruning into those of a report.

use std::collections::BTreeMap;

use super::Dataset;
use crate::prune;
use crate::report::{DataFindings, Duplicate, Found, SharedWithVal, SuspectedLabel};

/// Number of examples of each kind in a report.
const EXAMPLES: usize = 20;

/// The report's findings.
pub(super) fn findings(found: &prune::Findings, data: &Dataset) -> DataFindings {
    let place: BTreeMap<&str, usize> =
        data.train.samples.iter().enumerate().map(|(i, sample)| (sample.path.as_str(), i)).collect();
    let look = |path: &str| place.get(path).map(|&i| data.train.looks[i]);
    let distance = |one: &str, other: &str| look(one).zip(look(other)).map_or(0, |(a, b)| a.distance(&b));
    let duplicates: Vec<Duplicate> = found
        .near_duplicates
        .iter()
        .filter_map(|group| group.split_first())
        .flat_map(|(first, others)| {
            others.iter().map(|other| Duplicate {
                path: first.path.clone(),
                other: other.path.clone(),
                distance: distance(&first.path, &other.path),
            })
        })
        .collect();
    let shared: Vec<SharedWithVal> = found
        .shared_with_val
        .iter()
        .map(|shared| SharedWithVal {
            train: shared.image.path.clone(),
            val: shared.val.clone(),
            same_file: shared.same_file,
            distance: shared.distance,
        })
        .collect();
    let suspected: Vec<SuspectedLabel> = found
        .suspects
        .iter()
        .map(|suspect| SuspectedLabel {
            path: suspect.image.path.clone(),
            class: suspect.image.class.clone(),
        })
        .collect();
    DataFindings {
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
