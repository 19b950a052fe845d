//! Whether one method beats another, or the seeds alone could have made the difference.

use serde::{Deserialize, Serialize};

use super::stats::{Interval, mean, paired_differences, sample_sd, t_interval};

/// The outcome of comparing a method with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The whole interval of the difference lies above zero.
    Better,
    /// The whole interval of the difference lies below zero.
    Worse,
    /// The interval holds zero, or there are too few shared seeds for an interval.
    Indistinguishable,
}

/// The runs of one method: accuracies in percent, one for each seed.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// What the method is called in sentences.
    pub name: &'a str,
    /// The seed of each run.
    pub seeds: &'a [u64],
    /// The accuracy of each run, in percent.
    pub accuracies: &'a [f64],
}

impl Runs<'_> {
    fn pairs(&self) -> Vec<(u64, f64)> {
        self.seeds.iter().copied().zip(self.accuracies.iter().copied()).collect()
    }
}

/// A method compared with another on the seeds they share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The method the verdict is about.
    pub a: String,
    /// The method it is compared with.
    pub b: String,
    /// Mean of `a - b` over the shared seeds (of the means where there is none), in percentage points.
    pub difference: f64,
    /// Student's 95 % interval of the difference; `None` with fewer than two shared seeds.
    pub interval: Option<Interval>,
    /// Number of shared seeds.
    pub pairs: usize,
    /// What follows for `a`.
    pub verdict: Verdict,
    /// The same in plain English, without a full stop.
    pub sentence: String,
}

/// Compares two methods by the paired differences of their accuracies on shared seeds.
///
/// `val_images` is how many images every accuracy was measured on. Accuracies move in steps of one image,
/// so differences may agree by chance and show no spread at all; the standard deviation is never taken
/// smaller than that of rounding two accuracies to such a step, step / √6.
///
/// The interval covers the seeds. It says nothing about other validation images, and it is not corrected
/// for the number of comparisons made.
pub fn compare(a: Runs<'_>, b: Runs<'_>, val_images: usize) -> Comparison {
    let differences = paired_differences(&a.pairs(), &b.pairs());
    let pairs = differences.len();
    let difference = mean(&differences)
        .unwrap_or_else(|| mean(a.accuracies).unwrap_or_default() - mean(b.accuracies).unwrap_or_default());
    let step = 100.0 / val_images.max(1) as f64;
    let interval =
        sample_sd(&differences).and_then(|sd| t_interval(difference, sd.max(step / 6.0_f64.sqrt()), pairs));
    let verdict = match interval {
        Some(interval) if interval.low > 0.0 => Verdict::Better,
        Some(interval) if interval.high < 0.0 => Verdict::Worse,
        _ => Verdict::Indistinguishable,
    };
    let sentence = sentence(a.name, b.name, difference, interval, pairs, verdict);
    Comparison { a: a.name.to_owned(), b: b.name.to_owned(), difference, interval, pairs, verdict, sentence }
}

fn sentence(
    a: &str,
    b: &str,
    difference: f64,
    interval: Option<Interval>,
    pairs: usize,
    verdict: Verdict,
) -> String {
    let Some(interval) = interval else {
        let apart = points(difference.abs());
        return if pairs == 0 {
            format!("{a} and {b} share no seed and cannot be compared fairly ({apart} points apart)")
        } else {
            format!(
                "{a} and {b} are {apart} points apart on a single seed, which cannot be told from seed noise; \
                 --repeats 3 or more gives an interval"
            )
        };
    };
    // Read from the side where the numbers are positive.
    let seen = if verdict == Verdict::Worse { interval.negated() } else { interval };
    let (low, high) = (points(seen.low), points(seen.high));
    let size = points(difference.abs());
    match verdict {
        Verdict::Better => format!("{a} is {size} points above {b} (95 % interval {low} to {high})"),
        Verdict::Worse => format!("{a} is {size} points below {b} (95 % interval {low} to {high})"),
        Verdict::Indistinguishable => format!(
            "{a} and {b} are indistinguishable on {pairs} shared seeds (difference {}, 95 % interval {low} to \
             {high} points)",
            points(difference)
        ),
    }
}

/// One decimal, or two where one would round a real difference to nothing; never "-0.0".
fn points(value: f64) -> String {
    let text = if value != 0.0 && value.abs() < 0.1 { format!("{value:.2}") } else { format!("{value:.1}") };
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => digits.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEEDS: [u64; 3] = [0, 1, 2];

    fn runs<'a>(name: &'a str, accuracies: &'a [f64]) -> Runs<'a> {
        Runs { name, seeds: &SEEDS[..accuracies.len()], accuracies }
    }

    #[test]
    fn composites_that_lose_are_said_to_lose() {
        let pca = runs("pca", &[29.0, 30.0, 30.0]);
        let el2n = runs("el2n", &[40.0, 41.0, 42.0]);
        let comparison = compare(pca, el2n, 1000);
        assert_eq!(comparison.verdict, Verdict::Worse);
        assert_eq!(comparison.sentence, "pca is 11.3 points below el2n (95 % interval 9.9 to 12.8)");
        let comparison = compare(el2n, pca, 1000);
        assert_eq!(comparison.verdict, Verdict::Better);
        assert_eq!(comparison.sentence, "el2n is 11.3 points above pca (95 % interval 9.9 to 12.8)");
    }

    #[test]
    fn a_difference_inside_the_noise_is_indistinguishable() {
        let comparison = compare(runs("random", &[33.2, 37.3, 37.8]), runs("pca", &[37.0, 35.0, 36.2]), 1000);
        assert_eq!(comparison.verdict, Verdict::Indistinguishable);
        assert_eq!(
            comparison.sentence,
            "random and pca are indistinguishable on 3 shared seeds (difference 0.03, 95 % interval -8.3 to 8.3 \
             points)"
        );
    }

    #[test]
    fn one_repeat_tells_nothing_from_seed_noise() {
        let comparison = compare(runs("pca", &[90.0]), runs("random", &[10.0]), 1000);
        assert_eq!(comparison.verdict, Verdict::Indistinguishable);
        assert_eq!(comparison.interval, None);
        assert!(comparison.sentence.contains("cannot be told from seed noise"), "{}", comparison.sentence);
    }

    #[test]
    fn methods_without_a_shared_seed_are_not_compared() {
        let a = Runs { name: "a", seeds: &[1, 2], accuracies: &[50.0, 51.0] };
        let b = Runs { name: "b", seeds: &[3, 4], accuracies: &[10.0, 11.0] };
        let comparison = compare(a, b, 1000);
        assert_eq!((comparison.pairs, comparison.verdict), (0, Verdict::Indistinguishable));
        assert_eq!(comparison.difference, 40.0);
    }

    #[test]
    fn two_seeds_that_agree_by_chance_on_few_images_prove_nothing() {
        // One image more of ten right on both seeds: no spread, and no proof either.
        let comparison = compare(runs("a", &[60.0, 70.0]), runs("b", &[50.0, 60.0]), 10);
        assert_eq!(comparison.verdict, Verdict::Indistinguishable);
        // The same on a thousand images is far outside the step of one.
        let comparison = compare(runs("a", &[60.0, 70.0]), runs("b", &[50.0, 60.0]), 1000);
        assert_eq!(comparison.verdict, Verdict::Better);
    }

    #[test]
    fn verdicts_are_written_in_lower_case() {
        let text = serde_json::to_string(&Verdict::Indistinguishable).expect("a plain word");
        assert_eq!(text, "\"indistinguishable\"");
    }

    proptest! {
        #[test]
        fn swapping_the_methods_mirrors_the_verdict(
            a in prop::collection::vec(0.0..100.0f64, 3),
            b in prop::collection::vec(0.0..100.0f64, 3),
        ) {
            let there = compare(runs("a", &a), runs("b", &b), 500);
            let back = compare(runs("b", &b), runs("a", &a), 500);
            let mirrored = match there.verdict {
                Verdict::Better => Verdict::Worse,
                Verdict::Worse => Verdict::Better,
                Verdict::Indistinguishable => Verdict::Indistinguishable,
            };
            prop_assert_eq!(back.verdict, mirrored);
            prop_assert!((there.difference + back.difference).abs() < 1e-9);
        }
    }
}
