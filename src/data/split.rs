//! A validation set where the user has none.

use crate::random::{Purpose, Stream};

/// Which samples a hold-out takes: `true` for validation, `false` for training.
///
/// Each class gives `round(fraction × its count)` of its samples, at least one and never its last; a
/// class of one gives none. Which ones depends only on the seed, the class and the order of its samples.
///
/// # Panics
/// When `fraction` is not in `[0, 1)`, or a label is not below `classes`. With 0 nothing is taken.
pub fn hold_out(labels: &[u32], classes: usize, fraction: f64, seed: u64) -> Vec<bool> {
    assert!((0.0..1.0).contains(&fraction), "a hold-out takes a fraction in [0, 1), not {fraction}");
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label as usize].push(index as u32);
    }
    let mut held = vec![false; labels.len()];
    if fraction == 0.0 {
        return held;
    }
    for (class, mut members) in members.into_iter().enumerate() {
        if members.len() < 2 {
            continue;
        }
        let wanted = (members.len() as f64 * fraction).round() as usize;
        Stream::new(seed, Purpose::Split, 0, class as u64).shuffle(&mut members);
        for &index in &members[..wanted.clamp(1, members.len() - 1)] {
            held[index as usize] = true;
        }
    }
    held
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
    fn a_fraction_of_zero_takes_nothing() {
        assert_eq!(hold_out(&[0, 0, 1, 1], 2, 0.0, 5), [false; 4]);
    }
}
