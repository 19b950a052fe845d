//! A validation set where the user has none.

use crate::random::{Purpose, Stream};

/// Hold-out of a labelled set, sample by sample: `true` for validation, `false` for training.
///
/// Each class gives `round(fraction × its count)` of its samples, at least one and never its last; a
/// class of one gives none. The choice depends only on the seed, the class and the order of its samples.
///
/// # Panics
/// When `fraction` is not in `[0, 1)`, or a label is not below `classes`. With 0 nothing is taken.
pub fn hold_out(labels: &[u32], classes: usize, fraction: f64, seed: u64) -> Vec<bool> {
    hold_out_together(labels, classes, fraction, seed, &[])
}

/// Hold-out that keeps copies together: the samples of each of `groups` are all held out or none, so that no student is
/// measured on images it was trained on. A group may span classes; no sample is in two.
///
/// Without groups it takes the same samples as [`hold_out`]. With groups a class gives as many, unless its groups allow no such
/// number: then it gives fewer, but at least one, as long as every class keeps a sample to learn from.
///
/// # Panics
/// As [`hold_out`], and when a group has a sample that does not exist.
pub fn hold_out_together(
    labels: &[u32],
    classes: usize,
    fraction: f64,
    seed: u64,
    groups: &[Vec<u32>],
) -> Vec<bool> {
    assert!((0.0..1.0).contains(&fraction), "a hold-out takes a fraction in [0, 1), not {fraction}");
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label as usize].push(index as u32);
    }
    let mut held = vec![false; labels.len()];
    if fraction == 0.0 {
        return held;
    }
    let mut group_of: Vec<Option<u32>> = vec![None; labels.len()];
    for (number, group) in (0..).zip(groups) {
        group.iter().for_each(|&sample| group_of[sample as usize] = Some(number));
    }
    let mut shares: Vec<Share> = members.iter().map(|members| Share::of(members.len(), fraction)).collect();
    for (class, mut members) in members.into_iter().enumerate() {
        Stream::new(seed, Purpose::Split, 0, class as u64).shuffle(&mut members);
        // First what does not exceed a share; then, for a class with none, what leaves something to all.
        for last_resort in [false, true] {
            for sample in &members {
                let share = &shares[class];
                let enough = if last_resort { share.taken > 0 } else { share.taken >= share.wanted };
                if enough {
                    break;
                }
                if held[*sample as usize] {
                    continue;
                }
                let together = match group_of[*sample as usize] {
                    Some(group) => groups[group as usize].as_slice(),
                    None => std::slice::from_ref(sample),
                };
                for &sample in together {
                    shares[labels[sample as usize] as usize].taken += 1;
                }
                let fits = together.iter().all(|&sample| {
                    let share = &shares[labels[sample as usize] as usize];
                    share.taken <= if last_resort { share.most } else { share.wanted }
                });
                for &sample in together {
                    held[sample as usize] = fits;
                    shares[labels[sample as usize] as usize].taken -= usize::from(!fits);
                }
            }
        }
    }
    held
}

/// Numbers of held-out samples of a class: taken, wanted and allowed.
struct Share {
    taken: usize,
    wanted: usize,
    /// All but one, of a class of one none.
    most: usize,
}

impl Share {
    fn of(count: usize, fraction: f64) -> Self {
        let most = count.saturating_sub(1);
        let wanted = ((count as f64 * fraction).round() as usize).max(1).min(most);
        Self { taken: 0, wanted, most }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken_of(class: u32, labels: &[u32], held: &[bool]) -> (usize, usize) {
        let of_class = || labels.iter().zip(held).filter(|(label, _)| **label == class);
        (of_class().filter(|(_, held)| **held).count(), of_class().count())
    }

    proptest! {
        #[test]
        fn every_class_gives_its_share_and_keeps_its_last(
            labels in proptest::collection::vec(0u32..7, 0..200),
            fraction in 0.001f64..0.999,
            seed: u64,
        ) {
            let held = hold_out(&labels, 7, fraction, seed);
            prop_assert_eq!(held.len(), labels.len());
            for class in 0..7 {
                let (taken, count) = taken_of(class, &labels, &held);
                if count < 2 {
                    prop_assert_eq!(taken, 0);
                } else {
                    prop_assert!(taken >= 1 && taken < count);
                    let share = count as f64 * fraction;
                    let off = (taken as f64 - share).abs();
                    prop_assert!(off <= 0.5 || taken == 1 || taken == count - 1, "{} of {}", taken, count);
                }
            }
            prop_assert_eq!(hold_out(&labels, 7, fraction, seed), held);
        }

        #[test]
        fn copies_are_held_out_together_or_not_at_all(
            labels in proptest::collection::vec(0u32..4, 0..120),
            of in proptest::collection::vec(0u32..60, 120),
            fraction in 0.001f64..0.6,
            seed: u64,
        ) {
            // Groups 0 to 19; the rest are alone.
            let mut groups: Vec<Vec<u32>> = vec![Vec::new(); 20];
            for (sample, &group) in (0..labels.len() as u32).zip(&of) {
                if let Some(group) = groups.get_mut(group as usize) {
                    group.push(sample);
                }
            }
            groups.retain(|group| group.len() > 1);
            let held = hold_out_together(&labels, 4, fraction, seed, &groups);
            for group in &groups {
                let of_group = group.iter().filter(|&&sample| held[sample as usize]).count();
                prop_assert!(of_group == 0 || of_group == group.len());
            }
            let alone = hold_out(&labels, 4, fraction, seed);
            for class in 0..4 {
                let ((taken, count), (wanted, _)) = (taken_of(class, &labels, &held), taken_of(class, &labels, &alone));
                prop_assert!(count == 0 || taken < count);
                // More only where a class would have had none, once a class.
                let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
                prop_assert!(taken <= wanted + 4 * largest, "{} of {}, {}", taken, count, wanted);
                // With so many that are alone, groups prevent no number.
                let singles = (0..labels.len()).filter(|&i| labels[i] == class && groups.iter().all(|g| !g.contains(&(i as u32))));
                prop_assert!(taken >= wanted || singles.count() < wanted);
            }
            prop_assert_eq!(hold_out_together(&labels, 4, fraction, seed, &groups), held);
        }

        #[test]
        fn other_classes_do_not_change_what_a_class_gives(
            ours in 2usize..40,
            others in 0usize..40,
            seed: u64,
        ) {
            let alone = hold_out(&vec![0; ours], 2, 0.3, seed);
            let labels: Vec<u32> = (0..ours).map(|_| 0).chain((0..others).map(|_| 1)).collect();
            prop_assert_eq!(&hold_out(&labels, 2, 0.3, seed)[..ours], &alone[..]);
        }
    }

    #[test]
    fn another_seed_takes_other_samples() {
        let labels = vec![0; 100];
        assert_ne!(hold_out(&labels, 1, 0.5, 1), hold_out(&labels, 1, 0.5, 2));
    }

    #[test]
    fn every_sample_is_taken_equally_often() {
        let mut counts = [0u32; 10];
        for seed in 0..4000 {
            for (count, held) in counts.iter_mut().zip(hold_out(&[0; 10], 1, 0.3, seed)) {
                *count += u32::from(held);
            }
        }
        // Five standard deviations of a binomial with n = 4000 and p = 0.3.
        assert!(counts.iter().all(|&count| count.abs_diff(1200) < 145), "{counts:?}");
    }

    #[test]
    fn copies_among_few_images_leave_something_to_learn_from_and_to_measure_on() {
        // Pairs only, of which a share of one is wanted.
        let pairs = [vec![0, 1], vec![2, 3]];
        let held = hold_out_together(&[0; 4], 1, 0.2, 3, &pairs);
        assert_eq!(held.iter().filter(|&&held| held).count(), 2);
        assert_eq!(held[0], held[1]);
        // All images of a class are one.
        assert_eq!(hold_out_together(&[0; 3], 1, 0.3, 3, &[vec![0, 1, 2]]), [false; 3]);
        // A copy with another label goes with the first, and counts in its own class.
        let labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
        for seed in 0..20 {
            let held = hold_out_together(&labels, 2, 0.2, seed, &[vec![0, 5]]);
            assert_eq!(held[0], held[5]);
            assert_eq!((taken_of(0, &labels, &held).0, taken_of(1, &labels, &held).0), (1, 1));
        }
    }

    #[test]
    fn a_fraction_of_zero_takes_nothing() {
        assert_eq!(hold_out(&[0, 0, 1, 1], 2, 0.0, 5), [false; 4]);
    }
}
