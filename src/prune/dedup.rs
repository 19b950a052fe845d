//! Copies: those to leave out, and those that a person should look at among the kept images.

use serde::{Deserialize, Serialize};

use super::{Copies, Selection};
use crate::data::{ClassMap, Sample};
use crate::score::Suspect;

/// Marks the images that `--dedup` leaves out: of each group of near-duplicates all but the one the
/// rule prefers most, and every image that is also in the val split (`shared_with_val`, empty for
/// none), because what is trained on must not be measured on.
///
/// `preference` is the order of [`preference`](super::preference). Groups may span classes and overlap;
/// a group keeps one of those that no earlier group left out.
///
/// # Panics
/// When a group or `shared_with_val` does not belong to the samples of `preference`.
pub fn duplicates_to_leave_out(
    groups: &[Vec<u32>],
    shared_with_val: &[bool],
    preference: &[u32],
) -> Vec<bool> {
    let mut leave_out = vec![false; preference.len()];
    if !shared_with_val.is_empty() {
        leave_out.copy_from_slice(shared_with_val);
    }
    let mut place = vec![0u32; preference.len()];
    for (at, &sample) in preference.iter().enumerate() {
        place[sample as usize] = at as u32;
    }
    for group in groups {
        let open = group.iter().filter(|&&sample| !leave_out[sample as usize]);
        let Some(best) = open.min_by_key(|&&sample| place[sample as usize]).copied() else {
            continue;
        };
        for &sample in group.iter().filter(|&&sample| sample != best) {
            leave_out[sample as usize] = true;
        }
    }
    leave_out
}

/// An image as a person finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// Path relative to the data folder.
    pub path: String,
    /// Name of its class.
    pub class: String,
}

/// An image whose label may be wrong; see [`SuspectRule`](crate::score::SuspectRule).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedSuspect {
    /// The image.
    #[serde(flatten)]
    pub image: Named,
    /// Mean probability margin over all epochs, in `[-1, 1]`.
    pub aum: f64,
    /// Mean probability margin over the late epochs.
    pub late_margin: f64,
    /// Mean probability of the strongest other class over the late epochs.
    pub confidence: f64,
}

/// A kept image that is in the validation split too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedShared {
    /// The image.
    #[serde(flatten)]
    pub image: Named,
    /// Path of the validation image.
    pub val: String,
    /// `true` for equal files; otherwise the images look the same, such as after another encoding.
    pub same_file: bool,
    /// Bits in which their difference hashes differ.
    pub distance: u32,
}

/// Findings that a person should look at. Lists are ordered by path, suspects by AUM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Groups of near-duplicates of which two or more were kept: those that were kept. A group of more
    /// than one class holds a wrong label.
    pub near_duplicates: Vec<Vec<Named>>,
    /// Kept images that are in the val split too.
    pub shared_with_val: Vec<NamedShared>,
    /// Kept images whose label may be wrong.
    pub suspects: Vec<NamedSuspect>,
    /// Images that `--dedup` left out.
    pub left_out: Vec<Named>,
}

impl Findings {
    /// The findings among the images of `selection`. `left_out` marks samples and may be empty; `copies` and `suspects` may
    /// hold samples that were not kept, which are not reported.
    ///
    /// # Panics
    /// When an index is none of `samples`.
    pub fn among(
        selection: &Selection,
        samples: &[Sample],
        classes: &ClassMap,
        copies: &Copies,
        suspects: &[Suspect],
        left_out: &[bool],
    ) -> Self {
        let mut kept = vec![false; samples.len()];
        for pick in &selection.picks {
            kept[pick.sample as usize] = true;
        }
        let named = |i: u32| {
            let sample = &samples[i as usize];
            Named { path: sample.path.clone(), class: classes.name(sample.class).to_owned() }
        };
        let mut left_out: Vec<Named> =
            (0..left_out.len() as u32).filter(|&i| left_out[i as usize]).map(named).collect();
        left_out.sort();
        let shared = copies.shared.iter().filter(|shared| kept[shared.train as usize]);
        let mut shared_with_val: Vec<NamedShared> = shared
            .map(|shared| NamedShared {
                image: named(shared.train),
                val: shared.val.clone(),
                same_file: shared.same_file,
                distance: shared.distance,
            })
            .collect();
        shared_with_val.sort();
        let mut near_duplicates: Vec<Vec<Named>> = copies
            .groups
            .iter()
            .map(|group| {
                let mut list: Vec<Named> =
                    group.iter().filter(|&&i| kept[i as usize]).map(|&i| named(i)).collect();
                list.sort();
                list.dedup();
                list
            })
            .filter(|list| list.len() > 1)
            .collect();
        near_duplicates.sort();
        let suspects = suspects.iter().filter(|suspect| kept[suspect.sample as usize]);
        Self {
            near_duplicates,
            shared_with_val,
            suspects: suspects
                .map(|suspect| NamedSuspect {
                    image: named(suspect.sample),
                    aum: suspect.aum,
                    late_margin: suspect.late_margin,
                    confidence: suspect.confidence,
                })
                .collect(),
            left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ContentHash;
    use crate::prune::{Fill, PruneRequest, Rule, SharedCopy, preference, select};

    fn nothing_to_look_at(found: &Findings) -> bool {
        found.near_duplicates.is_empty() && found.shared_with_val.is_empty() && found.suspects.is_empty()
    }

    fn in_val(train: u32) -> SharedCopy {
        SharedCopy { train, val: format!("val/{train}.png"), same_file: true, distance: 0 }
    }

    fn folder() -> (Vec<Sample>, ClassMap, Vec<f64>) {
        let classes = ClassMap::new(["a".to_owned(), "b".to_owned()]);
        let sample = |i: u32| {
            let path = format!("train/{}/{i:02}.png", classes.name(i % 2));
            Sample { hash: ContentHash::of(path.as_bytes()), path, class: i % 2 }
        };
        let scores = (0..12).map(|i| f64::from((i * 5) % 12)).collect();
        ((0..12).map(sample).collect(), classes, scores)
    }

    #[test]
    fn of_each_group_the_one_the_rule_prefers_is_kept() {
        let (samples, classes, scores) = folder();
        let groups = vec![vec![0, 2, 4], vec![3, 6], vec![4, 8]];
        let asked = |rule| PruneRequest {
            samples: &samples,
            classes: &classes,
            scores: Some(&scores),
            per_class: 3,
            composites: 3,
            rule,
            fill: Fill::Error,
            seed: 1,
            leave_out: &[],
        };
        // Scores of the groups: 0, 10, 8; 3, 6; 8, 4. Sample 4 is gone when the last group is looked at.
        for (rule, expected) in [(Rule::Easy, [2, 4, 6]), (Rule::Hard, [0, 3, 4])] {
            let order = preference(&asked(rule)).expect("finite scores");
            let out = duplicates_to_leave_out(&groups, &[], &order);
            let out: Vec<usize> = (0..12).filter(|&i| out[i]).collect();
            assert_eq!(out, expected, "{rule}");
        }
        let mut shared = vec![false; 12];
        shared[0] = true;
        shared[8] = true;
        let order = preference(&asked(Rule::Easy)).expect("finite scores");
        let out = duplicates_to_leave_out(&groups, &shared, &order);
        assert_eq!(Vec::from_iter((0..12).filter(|&i| out[i])), [0, 2, 6, 8]);

        let with = PruneRequest { leave_out: &out, per_class: 2, ..asked(Rule::Easy) };
        let selection = select(&with).expect("enough is left");
        assert!(selection.picks.iter().all(|pick| !out[pick.sample as usize]));
        let copies = Copies { groups, shared: [0, 8].map(in_val).into() };
        let findings = Findings::among(&selection, &samples, &classes, &copies, &[], &out);
        assert!(nothing_to_look_at(&findings));
        assert_eq!(findings.left_out.len(), 4);
    }

    #[test]
    fn findings_name_kept_images_only() {
        let (samples, classes, scores) = folder();
        let asked = PruneRequest {
            samples: &samples,
            classes: &classes,
            scores: Some(&scores),
            per_class: 8,
            composites: 8,
            rule: Rule::Easy,
            fill: Fill::Cycle,
            seed: 1,
            leave_out: &[],
        };
        let all = select(&asked).expect("cycled");
        let two = select(&PruneRequest { per_class: 2, ..asked }).expect("large enough");
        let kept: Vec<u32> = two.picks.iter().map(|pick| pick.sample).collect();
        assert_eq!(kept, [0, 10, 5, 3], "scores 0 and 2, 1 and 3");
        let groups = vec![vec![5, 0, 2], vec![10, 8], vec![3, 9]];
        let copies = Copies { groups, shared: (0..12).map(in_val).collect() };
        let suspect = |sample| Suspect { sample, aum: -0.5, late_margin: -0.6, confidence: 0.7 };
        let suspects = [suspect(9), suspect(3)];
        let paths = |list: &[Named]| Vec::from_iter(list.iter().map(|n| n.path.clone()));

        let findings = Findings::among(&two, &samples, &classes, &copies, &suspects, &[]);
        assert_eq!(findings.near_duplicates.len(), 1);
        assert_eq!(paths(&findings.near_duplicates[0]), ["train/a/00.png", "train/b/05.png"]);
        assert_eq!(findings.shared_with_val.len(), 4);
        assert_eq!(findings.suspects.len(), 1);
        assert_eq!(findings.suspects[0].image.path, "train/b/03.png");
        assert!(findings.left_out.is_empty() && !nothing_to_look_at(&findings));

        let findings = Findings::among(&all, &samples, &classes, &copies, &suspects, &[]);
        assert_eq!(findings.near_duplicates.len(), 3, "an image used twice is no near-duplicate of itself");
        assert_eq!(findings.shared_with_val.len(), 12);
        let json = serde_json::to_string(&findings).expect("findings are JSON");
        assert_eq!(serde_json::from_str::<Findings>(&json).expect("its own JSON"), findings);
    }
}
