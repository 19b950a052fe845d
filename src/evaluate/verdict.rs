//! Verdicts: one method beats another, or the choice of seeds and images alone could have made the difference.

use serde::{Deserialize, Serialize};

use super::correct::Correct;
use super::holm::holm;
use super::noise::{Estimate, Noise};
use super::stats::{Interval, mean, paired_differences};

/// Points by which two methods must differ for a reader to choose by it. "Indistinguishable" is only said where the whole
/// interval lies nearer to 0 than this. Five points are about what one seed more or less moves a student trained on few
/// images (1 to 5 points in docs/reproduce.md) and half of what composites gain or lose where they matter.
pub const MARGIN: f64 = 5.0;

/// Share of reports that may hold a verdict "better" or "worse" of methods that are equal.
const ALPHA: f64 = 0.05;

/// Numbers of seeds that are proposed where too few have been tried.
const MORE_SEEDS: [usize; 4] = [3, 5, 10, 20];

/// The outcome of comparing a method with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The whole interval of the difference lies above zero.
    Better,
    /// The whole interval of the difference lies below zero.
    Worse,
    /// The interval holds zero and nothing as far from it as [`MARGIN`]: a difference that matters is excluded.
    Indistinguishable,
    /// The interval holds zero, and differences that would matter.
    Inconclusive,
    /// There are fewer than two shared seeds, and so no interval.
    Untested,
}

impl Verdict {
    /// `true` where one of the two is better.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Better | Self::Worse)
    }
}

/// The runs of one method: accuracies in percent, one for each seed.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// Name of the method in sentences.
    pub name: &'a str,
    /// The seed of each run.
    pub seeds: &'a [u64],
    /// The accuracy of each run, in percent.
    pub accuracies: &'a [f64],
    /// Answers of each run, image by image, parallel to the others; empty where they were not kept.
    pub correct: &'a [Correct],
}

impl Runs<'_> {
    fn pairs(&self) -> Vec<(u64, f64)> {
        self.seeds.iter().copied().zip(self.accuracies.iter().copied()).collect()
    }

    fn correct(&self, seed: u64) -> Option<&Correct> {
        self.correct.get(self.seeds.iter().position(|&own| own == seed)?)
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
    /// 95 % interval of this difference, as if it were the only one; `None` with fewer than two shared seeds. It covers
    /// the choice of seeds, and that of validation images where answers were kept image by image.
    pub interval: Option<Interval>,
    /// The interval that the verdict follows: wider than `interval`, as [Holm's procedure](super::holm) has it, where
    /// several differences were judged together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjusted_interval: Option<Interval>,
    /// p-value of "there is no difference", for this difference alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The same adjusted for all comparisons of the report (Holm): the verdict is "better" or "worse" up to 0.05.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjusted_p: Option<f64>,
    /// Standard errors of the difference in points, by their source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// Number of shared seeds.
    pub pairs: usize,
    /// Number of seeds that would decide an inconclusive comparison, if the difference and its noise stay as they are; `None`
    /// where 20 would not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds_needed: Option<usize>,
    /// Verdict about `a`.
    pub verdict: Verdict,
    /// The verdict in plain English, without a full stop.
    pub sentence: String,
}

/// Compares two methods by the paired differences of their accuracies on shared seeds: [`compare_all`] of one pair.
pub fn compare(a: Runs<'_>, b: Runs<'_>, val_images: usize) -> Comparison {
    judge(a, b, &Paired::of(&a, &b, val_images), ALPHA, 1, None)
}

/// Compares the methods of every pair by the paired differences on shared seeds, and judges all together: if all methods
/// were equal, at most 5 % of such calls would say of any that it is better or worse.
///
/// `val_images` is the number of images that every accuracy was measured on. Accuracies move in steps of one image, so differences
/// may agree by chance and show no spread at all; the standard deviation over the seeds is never taken smaller than that of
/// rounding two accuracies to such a step, step / √6.
pub fn compare_all(pairs: &[(Runs<'_>, Runs<'_>)], val_images: usize) -> Vec<Comparison> {
    let paired: Vec<Paired> = pairs.iter().map(|(a, b)| Paired::of(a, b, val_images)).collect();
    let tested: Vec<f64> = paired.iter().filter_map(|of| Some(of.estimate?.p())).collect();
    let mut adjusted = holm(&tested, ALPHA).into_iter();
    let judged = pairs.iter().zip(&paired).map(|(&(a, b), of)| {
        let adjusted = of.estimate.and_then(|_| adjusted.next());
        judge(a, b, of, adjusted.map_or(ALPHA, |of| of.alpha), tested.len(), adjusted.map(|of| of.p))
    });
    judged.collect()
}

/// Two methods on the seeds they share.
struct Paired {
    seeds: usize,
    difference: f64,
    estimate: Option<Estimate>,
}

impl Paired {
    fn of(a: &Runs<'_>, b: &Runs<'_>, val_images: usize) -> Self {
        let differences = paired_differences(&a.pairs(), &b.pairs());
        let difference = mean(&differences).unwrap_or_else(|| {
            mean(a.accuracies).unwrap_or_default() - mean(b.accuracies).unwrap_or_default()
        });
        let least_sd = 100.0 / val_images.max(1) as f64 / 6.0_f64.sqrt();
        let by_image: Option<Vec<(&Correct, &Correct)>> = a
            .seeds
            .iter()
            .filter(|seed| b.seeds.contains(seed))
            .map(|&seed| Some((a.correct(seed)?, b.correct(seed)?)).filter(|(a, b)| a.len() == b.len()))
            .collect();
        let estimate = by_image
            .and_then(|runs| {
                let images = runs.first()?.0.len();
                let equal = runs.iter().all(|(a, _)| a.len() == images);
                let value = |seed: usize, image| {
                    let (a, b): (&Correct, &Correct) = runs[seed];
                    i64::from(a.get(image)) - i64::from(b.get(image))
                };
                if equal { Estimate::crossed(runs.len(), images, least_sd, value) } else { None }
            })
            .or_else(|| Estimate::over_seeds(&differences, least_sd));
        Self { seeds: differences.len(), difference, estimate }
    }
}

/// The comparison of a pair whose p-value is judged at the level `alpha`, as one of `family`.
fn judge(
    a: Runs<'_>,
    b: Runs<'_>,
    paired: &Paired,
    alpha: f64,
    family: usize,
    adjusted_p: Option<f64>,
) -> Comparison {
    let Paired { seeds, difference, estimate } = *paired;
    let adjusted_interval = estimate.map(|of| of.interval(alpha).clamped(-100.0, 100.0));
    let verdict = match adjusted_interval {
        None => Verdict::Untested,
        Some(interval) if interval.low > 0.0 => Verdict::Better,
        Some(interval) if interval.high < 0.0 => Verdict::Worse,
        Some(interval) if -MARGIN < interval.low && interval.high < MARGIN => Verdict::Indistinguishable,
        Some(_) => Verdict::Inconclusive,
    };
    let enough = |of: Estimate| {
        let enough = |&seeds: &usize| {
            let noise = Noise { seeds: of.noise.seeds * (of.seeds as f64 / seeds as f64).sqrt(), ..of.noise };
            seeds > of.seeds && Estimate { noise, seeds, ..of }.half(alpha) < of.mean.abs()
        };
        MORE_SEEDS.into_iter().find(enough)
    };
    let p = estimate.map(|of| of.p());
    Comparison {
        a: a.name.to_owned(),
        b: b.name.to_owned(),
        difference,
        interval: estimate.map(|of| of.interval(ALPHA).clamped(-100.0, 100.0)),
        adjusted_interval,
        p,
        adjusted_p: adjusted_p.or(p),
        noise: estimate.map(|of| of.noise),
        pairs: seeds,
        seeds_needed: estimate.filter(|_| verdict == Verdict::Inconclusive).and_then(enough),
        verdict,
        sentence: sentence(a.name, b.name, paired, adjusted_interval, family, verdict),
    }
}

fn sentence(
    a: &str,
    b: &str,
    paired: &Paired,
    interval: Option<Interval>,
    family: usize,
    verdict: Verdict,
) -> String {
    let &Paired { seeds, difference, .. } = paired;
    let size = points(difference.abs());
    let Some(interval) = interval else {
        return if seeds == 0 {
            format!(
                "{a} and {b} share no seed and are untested: they cannot be compared fairly ({size} points apart)"
            )
        } else {
            format!(
                "{a} and {b} are untested: {size} points apart on a single seed, which cannot be told from seed noise \
                 (`repeats` 3 or more gives an interval)"
            )
        };
    };
    // Read from the side where the numbers are positive.
    let seen = if verdict == Verdict::Worse { interval.negated() } else { interval };
    let (low, high) = (points(seen.low), points(seen.high));
    let range = match family {
        1 => format!("95 % interval {low} to {high}"),
        _ => format!("interval {low} to {high}, adjusted for {family} comparisons"),
    };
    match verdict {
        Verdict::Better => format!("{a} is {size} points above {b} ({range})"),
        Verdict::Worse => format!("{a} is {size} points below {b} ({range})"),
        Verdict::Indistinguishable => format!(
            "{a} and {b} are indistinguishable on {seeds} shared seeds: they differ by less than {MARGIN} points \
             (difference {}, {range})",
            points(difference)
        ),
        Verdict::Inconclusive | Verdict::Untested => format!(
            "{a} against {b} is inconclusive on {seeds} shared seeds: {a} could be anything between {} points below and \
             {high} points above (difference {}, {})",
            points(-seen.low),
            points(difference),
            match family {
                1 => "95 % interval".to_owned(),
                _ => format!("interval adjusted for {family} comparisons"),
            }
        ),
    }
}

/// One decimal, or as many as it takes where that would round a real difference to nothing; never "-0.0".
pub(crate) fn points(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 0.1 || size == 0.0 => 1,
        size if size >= 0.01 => 2,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
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
        Runs { name, seeds: &SEEDS[..accuracies.len()], accuracies, correct: &[] }
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
    fn a_wide_interval_that_holds_zero_is_inconclusive_and_says_what_is_known() {
        let comparison = compare(runs("random", &[33.2, 37.3, 37.8]), runs("pca", &[37.0, 35.0, 36.2]), 1000);
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
        assert_eq!(
            comparison.sentence,
            "random against pca is inconclusive on 3 shared seeds: random could be anything between 8.3 points below \
             and 8.3 points above (difference 0.03, 95 % interval)"
        );
        assert_eq!(comparison.seeds_needed, None, "no twenty seeds would find so small a difference");
    }

    #[test]
    fn indistinguishable_is_only_said_where_a_difference_that_matters_is_excluded() {
        let comparison = compare(runs("random", &[36.2, 37.3, 37.8]), runs("pca", &[37.0, 37.0, 37.2]), 1000);
        assert_eq!(comparison.verdict, Verdict::Indistinguishable);
        assert_eq!(
            comparison.sentence,
            "random and pca are indistinguishable on 3 shared seeds: they differ by less than 5 points (difference \
             0.03, 95 % interval -1.8 to 1.9)"
        );
        // The same spread around a difference of four points reaches beyond five.
        let comparison = compare(runs("a", &[40.0, 44.0, 45.0]), runs("b", &[40.0, 40.0, 40.0]), 1000);
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_difference_that_more_seeds_would_decide_says_how_many() {
        let comparison = compare(runs("a", &[44.0, 46.0, 50.0]), runs("b", &[40.0, 40.0, 40.0]), 1000);
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
        // Standard deviation 3.06: five seeds have 2.78 * 3.06 / sqrt(5) = 3.8, less than 6.7.
        assert_eq!(comparison.seeds_needed, Some(5));
    }

    #[test]
    fn one_repeat_is_untested() {
        let comparison = compare(runs("pca", &[90.0]), runs("random", &[10.0]), 1000);
        assert_eq!(comparison.verdict, Verdict::Untested);
        assert_eq!((comparison.interval, comparison.adjusted_interval, comparison.p), (None, None, None));
        assert_eq!(
            comparison.sentence,
            "pca and random are untested: 80.0 points apart on a single seed, which cannot be told from seed noise \
             (`repeats` 3 or more gives an interval)"
        );
    }

    #[test]
    fn methods_without_a_shared_seed_are_not_compared() {
        let a = Runs { name: "a", seeds: &[1, 2], accuracies: &[50.0, 51.0], correct: &[] };
        let b = Runs { name: "b", seeds: &[3, 4], accuracies: &[10.0, 11.0], correct: &[] };
        let comparison = compare(a, b, 1000);
        assert_eq!((comparison.pairs, comparison.verdict), (0, Verdict::Untested));
        assert_eq!(comparison.difference, 40.0);
        assert!(comparison.sentence.contains("share no seed and are untested"), "{}", comparison.sentence);
    }

    #[test]
    fn two_seeds_that_agree_by_chance_on_few_images_prove_nothing() {
        // One image more of ten right on both seeds: no spread, and no proof either.
        let comparison = compare(runs("a", &[60.0, 70.0]), runs("b", &[50.0, 60.0]), 10);
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
        // The same on a thousand images is far outside the step of one.
        let comparison = compare(runs("a", &[60.0, 70.0]), runs("b", &[50.0, 60.0]), 1000);
        assert_eq!(comparison.verdict, Verdict::Better);
    }

    #[test]
    fn verdicts_are_written_in_lower_case() {
        let all = [
            (Verdict::Better, "better"),
            (Verdict::Worse, "worse"),
            (Verdict::Indistinguishable, "indistinguishable"),
            (Verdict::Inconclusive, "inconclusive"),
            (Verdict::Untested, "untested"),
        ];
        for (verdict, word) in all {
            assert_eq!(serde_json::to_value(verdict).expect("a plain word"), word);
        }
    }

    #[test]
    fn a_difference_that_passes_alone_may_not_among_many() {
        let (a, b) = ([44.0, 45.0, 47.0], [40.0, 40.0, 40.0]);
        let alone = compare(runs("a", &a), runs("b", &b), 1000);
        assert_eq!(alone.verdict, Verdict::Better);
        let other = [40.0, 43.0, 37.0];
        let pairs: Vec<_> = std::iter::once((runs("a", &a), runs("b", &b)))
            .chain((0..5).map(|_| (runs("b", &b), runs("c", &other))))
            .collect();
        let all = compare_all(&pairs, 1000);
        assert_eq!(all[0].verdict, Verdict::Inconclusive, "{}", all[0].sentence);
        assert!(all[0].sentence.ends_with("interval adjusted for 6 comparisons)"), "{}", all[0].sentence);
        assert_eq!(all[0].interval, alone.interval, "the interval of this difference alone stays");
        assert_eq!(all[0].p, alone.p);
        assert_eq!(all[0].adjusted_p, all[0].p.map(|p| 6.0 * p));
        // Two that cannot be tested say nothing, and so cost the others nothing.
        let one = [41.0];
        let untested = (runs("b", &one), runs("c", &one));
        let pairs = [(runs("a", &a), runs("b", &b)), untested, untested];
        let verdicts: Vec<Verdict> = compare_all(&pairs, 1000).iter().map(|of| of.verdict).collect();
        assert_eq!(verdicts, [Verdict::Better, Verdict::Untested, Verdict::Untested]);
    }

    #[test]
    fn answers_image_by_image_widen_the_interval_where_images_are_few() {
        // Both students of `a` are right on the same images, of which other ones might have been drawn.
        let right = |from: usize| {
            vec![(0..40).map(|image| (from..from + 20).contains(&image)).collect::<Correct>(); 3]
        };
        let (a, b) = (right(0), right(4));
        let accuracies = [50.0, 50.0, 50.0];
        let of = |name, correct| Runs { correct, ..runs(name, &accuracies) };
        let by_image = compare(of("a", &a), of("b", &b), 40);
        let by_seed = compare(of("a", &[]), of("b", &[]), 40);
        let width = |of: &Comparison| of.interval.map_or(0.0, |interval| interval.high - interval.low);
        assert!(width(&by_image) > 2.0 * width(&by_seed), "{} {}", width(&by_image), width(&by_seed));
        assert!(by_image.noise.is_some_and(|noise| noise.images > 5.0), "{:?}", by_image.noise);
        // Where one run's answers are missing, or of other images, the seeds are what is left.
        assert_eq!(compare(of("a", &a[..2]), of("b", &b), 40), by_seed);
        let mut other = b.clone();
        other[1] = [true; 39].into_iter().collect();
        assert_eq!(compare(of("a", &a), of("b", &other), 40), by_seed);
    }

    #[test]
    fn points_never_round_a_difference_to_nothing() {
        assert_eq!([0.0, 0.04, -0.004, 12.34, -0.1].map(points), ["0.0", "0.04", "-0.0040", "12.3", "-0.1"]);
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
                other => other,
            };
            prop_assert_eq!(back.verdict, mirrored);
            prop_assert!((there.difference + back.difference).abs() < 1e-9);
        }

        #[test]
        fn verdict_interval_and_p_value_agree(
            methods in prop::collection::vec(prop::collection::vec(30.0..50.0f64, 3), 2..5),
            apart in 0.0..20.0f64,
        ) {
            let names = ["a", "b", "c", "d"];
            let shifted: Vec<Vec<f64>> = methods
                .iter()
                .enumerate()
                .map(|(i, of)| of.iter().map(|value| value / 4.0 + apart * i as f64).collect())
                .collect();
            let all: Vec<Runs<'_>> = shifted.iter().zip(names).map(|(of, name)| runs(name, of)).collect();
            let pairs: Vec<_> = (0..all.len()).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
            let pairs: Vec<_> = pairs.into_iter().map(|(i, j)| (all[i], all[j])).collect();
            for of in compare_all(&pairs, 1000) {
                let interval = of.adjusted_interval.expect("three seeds");
                let p = of.adjusted_p.expect("three seeds");
                prop_assert_eq!(of.verdict.is_decided(), !interval.contains(0.0));
                if (p - 0.05).abs() > 1e-6 {
                    prop_assert_eq!(of.verdict.is_decided(), p <= 0.05);
                }
                let alone = of.interval.expect("three seeds");
                prop_assert!(interval.low <= alone.low && alone.high <= interval.high);
            }
        }
    }
}
