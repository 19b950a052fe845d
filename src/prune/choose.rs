//! Choosing with an eye on copies: what [`select`] takes, and what a person should look at.

use super::{Findings, PruneError, PruneRequest, Selection, duplicates_to_leave_out, preference, select};
use crate::data::{ContentHash, Sample, near_duplicates, shared_copies};
use crate::score::Suspect;

/// Differing bits of 64 up to which two perceptual hashes count as near-duplicates.
pub const NEAR: u32 = 2;

/// Copies in a data set: they depend on neither scores nor rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Groups of near-duplicates in the training split.
    pub groups: Vec<Vec<u32>>,
    /// Training and validation image with the same bytes.
    pub shared: Vec<(u32, u32)>,
}

impl Copies {
    /// Finds the copies of a data set; `looks` are the difference hashes of the training images.
    pub fn find(looks: &[u64], train: &[Sample], val: &[Sample]) -> Self {
        let hashes =
            |samples: &[Sample]| -> Vec<ContentHash> { samples.iter().map(|sample| sample.hash).collect() };
        Self { groups: near_duplicates(looks, NEAR), shared: shared_copies(&hashes(train), &hashes(val)) }
    }
}

/// The chosen images and what a person should look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// The images.
    pub selection: Selection,
    /// What was noticed about them.
    pub findings: Findings,
}

/// Chooses the images of a request. With `dedup`, copies are left out beforehand, in place of what the request
/// leaves out.
///
/// # Errors
/// Those of [`select`].
///
/// # Panics
/// When a copy or a suspect is none of the request's samples.
pub fn choose(
    request: &PruneRequest<'_>,
    copies: &Copies,
    dedup: bool,
    suspects: &[Suspect],
) -> Result<Chosen, PruneError> {
    let mut shared = vec![false; request.samples.len()];
    for &(train, _) in &copies.shared {
        shared[train as usize] = true;
    }
    let left_out = if dedup {
        duplicates_to_leave_out(&copies.groups, &shared, &preference(request)?)
    } else {
        request.leave_out.to_vec()
    };
    let selection = select(&PruneRequest { leave_out: &left_out, ..*request })?;
    let findings = Findings::among(
        &selection,
        request.samples,
        request.classes,
        &copies.groups,
        &shared,
        suspects,
        &left_out,
    );
    Ok(Chosen { selection, findings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ClassMap;
    use crate::prune::{Fill, Rule};

    #[test]
    fn copies_are_named_and_left_out_only_where_that_is_asked() {
        let classes = ClassMap::new(["a".to_owned(), "b".to_owned()]);
        let sample = |i: u32, content: &[u8]| Sample {
            path: format!("train/{}/{i}.png", classes.name(i % 2)),
            class: i % 2,
            hash: ContentHash::of(content),
        };
        let train: Vec<Sample> = (0..8).map(|i| sample(i, &[i as u8])).collect();
        // Image 1 is in the validation split too, 0 and 2 look alike.
        let val = [sample(1, &[1])];
        let looks = [0, 0xF0F0, 1, 0xFF_FF00, u64::MAX, 0xF0F0_0000_0000, 0xFF00_FF00_FF00, 0xABCD_EF01_2345];
        let copies = Copies::find(&looks, &train, &val);
        assert_eq!(copies.groups, [[0, 2]]);
        assert_eq!(copies.shared, [(1, 0)]);
        let scores: Vec<f64> = (0..8).map(f64::from).collect();
        let request = PruneRequest {
            samples: &train,
            classes: &classes,
            scores: Some(&scores),
            per_class: 2,
            composites: 2,
            rule: Rule::Easy,
            fill: Fill::Error,
            seed: 0,
            leave_out: &[],
        };
        let kept = |dedup| -> Vec<u32> {
            let chosen = choose(&request, &copies, dedup, &[]).expect("classes are large enough");
            chosen.selection.picks.iter().map(|pick| pick.sample).collect()
        };
        assert_eq!(kept(false), [0, 2, 1, 3]);
        assert_eq!(kept(true), [0, 4, 3, 5]);
    }
}
