//! The copies in a data set.

use std::collections::HashSet;

use crate::data::{ContentHash, Look, Sample, look_alikes, near_duplicates, shared_copies};

/// A training image that is in the validation split too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedCopy {
    /// Index of the training image.
    pub train: u32,
    /// Path of the validation image.
    pub val: String,
    /// `true` for equal files; otherwise the images look the same ([`Look::is_like`]), such as after another encoding.
    pub same_file: bool,
    /// Bits in which their difference hashes differ: 0 to [`Look::NEAR`].
    pub distance: u32,
}

/// Copies in a data set: they depend on neither scores nor rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Groups of near-duplicates in the training split.
    pub groups: Vec<Vec<u32>>,
    /// Training images that are in the validation split, in their order.
    pub shared: Vec<SharedCopy>,
}

impl Copies {
    /// Finds the copies of a data set: of a file by its hash, and in another encoding or size by the look of the images.
    /// `looks` are those of the training images and `val_looks` those of the validation images; where they are empty, nothing is
    /// found by them.
    pub fn find(looks: &[Look], train: &[Sample], val_looks: &[Look], val: &[Sample]) -> Self {
        let hashes =
            |samples: &[Sample]| -> Vec<ContentHash> { samples.iter().map(|sample| sample.hash).collect() };
        let path = |of_val: u32| val[of_val as usize].path.clone();
        let same = |(train, of_val)| SharedCopy { train, val: path(of_val), same_file: true, distance: 0 };
        let mut shared: Vec<SharedCopy> =
            shared_copies(&hashes(train), &hashes(val)).into_iter().map(same).collect();
        let known: HashSet<u32> = shared.iter().map(|shared| shared.train).collect();
        let like = |(train, of_val): (u32, u32)| {
            let distance = looks[train as usize].distance(&val_looks[of_val as usize]);
            SharedCopy { train, val: path(of_val), same_file: false, distance }
        };
        let others = look_alikes(looks, val_looks).into_iter().filter(|(train, _)| !known.contains(train));
        shared.extend(others.map(like));
        shared.sort_unstable_by_key(|shared| shared.train);
        Self { groups: near_duplicates(looks), shared }
    }
}
