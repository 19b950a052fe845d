//! Noise of an accuracy, or of a difference of two: its distance from the value that other seeds and other validation images
//! would give.
//!
//! Students of n seeds answer the same N images, so a measurement has two sources of noise, which cross: a lucky seed
//! is lucky on all images, an easy image is easy for all seeds. With the mean squares of a two-way layout without repetition (between
//! seeds S, between images I, the rest E),
//!
//! ```text
//! variance of the mean  =  S / (n N)  +  max(I - E, 0) / (n N)
//! half of the interval² =  t(n - 1)² S / (n N)  +  t(N - 1)² max(I - E, 0) / (n N)
//! ```
//!
//! so the interval is Student's over the seeds, widened by what the choice of images adds. Giving each source a t of its own
//! is what Cochran and Cox did for two variances that are not equal, here on the squares. Simulated coverage of 95 %
//! intervals of a difference, the worst of 16 settings at each of 2, 3, 5 and 10 seeds × 50, 100, 400 and 1,000 images:
//! 93.9 % or more, 95 to 99 % on average. Tried beside it: Satterthwaite's degrees of freedom, 87 % at worst (two seeds),
//! and the percentile bootstrap of seeds and images, 65 % (two seeds) and 80 % (three), which also counts E up to three times
//! (Owen, "The pigeonhole bootstrap", 2007). docs/statistics.md has the numbers, tests/golden/intervals_check.py makes them.

use serde::{Deserialize, Serialize};

use super::correct::Correct;
use super::stats::{Interval, mean, sample_sd, t_quantile, t_upper_tail};

/// The standard errors of a mean, by source, in the unit of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Standard error from the choice of seeds.
    pub seeds: f64,
    /// Standard error from the choice of validation images; 0 where the answers were not kept image by image.
    pub images: f64,
}

/// A mean with its noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) noise: Noise,
    /// Number of seeds, at least 2.
    pub(crate) seeds: usize,
    /// Number of images; below 2, their noise is not known and 0.
    pub(crate) images: usize,
}

impl Estimate {
    /// Estimate from values that differ in their seeds alone. They move in steps of `step` times something uniform, so those that
    /// agree by chance are not free of noise: their standard deviation is never taken smaller than `least_sd`. `None` of
    /// fewer than two values.
    pub(crate) fn over_seeds(values: &[f64], least_sd: f64) -> Option<Self> {
        let seeds = sample_sd(values)?.max(least_sd) / (values.len() as f64).sqrt();
        Some(Self {
            mean: mean(values)?,
            noise: Noise { seeds, images: 0.0 },
            seeds: values.len(),
            images: 0,
        })
    }

    /// Estimate from answers image by image, in percent: `value(seed, image)` is 1, 0 or -1. `least_sd` as above. `None` with fewer
    /// than two seeds or images.
    pub(crate) fn crossed(
        seeds: usize,
        images: usize,
        least_sd: f64,
        value: impl Fn(usize, usize) -> i64,
    ) -> Option<Self> {
        if seeds < 2 || images < 2 {
            return None;
        }
        let mut by_seed = vec![0i64; seeds];
        let mut by_image = vec![0i64; images];
        let mut squares = 0i64;
        for (seed, of_seed) in by_seed.iter_mut().enumerate() {
            for (image, of_image) in by_image.iter_mut().enumerate() {
                let value = value(seed, image);
                *of_seed += value;
                *of_image += value;
                squares += value * value;
            }
        }
        let (n, m) = (seeds as f64, images as f64);
        let square = |sums: &[i64]| sums.iter().map(|&sum| sum as f64 * sum as f64).sum::<f64>();
        let total = by_seed.iter().sum::<i64>() as f64;
        let common = total * total / (n * m);
        let of_seeds = (square(&by_seed) / m - common).max(0.0);
        let of_images = (square(&by_image) / n - common).max(0.0);
        let rest = (squares as f64 - common - of_seeds - of_images).max(0.0);
        let (of_seeds, of_images) = (of_seeds / (n - 1.0), of_images / (m - 1.0));
        let rest = rest / ((n - 1.0) * (m - 1.0));
        let noise = Noise {
            seeds: (100.0 * (of_seeds / m).sqrt()).max(least_sd) / n.sqrt(),
            images: 100.0 * ((of_images - rest).max(0.0) / (n * m)).sqrt(),
        };
        Some(Self { mean: 100.0 * total / (n * m), noise, seeds, images })
    }

    /// Estimate of the accuracy of these runs, in percent. `None` with fewer than two runs or images, or runs that answered
    /// different numbers of images.
    pub(crate) fn accuracy(runs: &[Correct]) -> Option<Self> {
        let images = runs.first()?.len();
        if runs.iter().any(|run| run.len() != images) {
            return None;
        }
        let least_sd = 100.0 / images.max(1) as f64 / 12f64.sqrt();
        Self::crossed(runs.len(), images, least_sd, |seed, image| i64::from(runs[seed].get(image)))
    }

    /// Half of the interval of confidence `1 - alpha`.
    pub(crate) fn half(&self, alpha: f64) -> f64 {
        let seeds = t_quantile(1.0 - alpha / 2.0, (self.seeds - 1) as f64) * self.noise.seeds;
        if self.images < 2 {
            return seeds;
        }
        seeds.hypot(t_quantile(1.0 - alpha / 2.0, (self.images - 1) as f64) * self.noise.images)
    }

    /// The interval of confidence `1 - alpha`.
    pub(crate) fn interval(&self, alpha: f64) -> Interval {
        let half = self.half(alpha);
        Interval { low: self.mean - half, high: self.mean + half }
    }

    /// The two-sided p-value of "the true mean is 0": the `alpha` whose interval ends at 0, by bisection where there are two
    /// sources of noise.
    pub(crate) fn p(&self) -> f64 {
        if self.noise.images == 0.0 {
            return 2.0 * t_upper_tail(self.mean.abs() / self.noise.seeds, (self.seeds - 1) as f64);
        }
        let (mut low, mut high) = (0.0f64, 1.0f64);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            // The quantiles of what is as good as never end in infinity.
            if middle > 1e-12 && self.half(middle) <= self.mean.abs() {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    /// The 95 % interval of a mean that is an accuracy in percent: Wilson's score interval, whose shape holds near 0 and
    /// 100 too, with the variance measured here in place of a proportion's own.
    pub(crate) fn accuracy_interval(&self) -> Interval {
        let p = (self.mean / 100.0).clamp(0.0, 1.0);
        let own = p * (1.0 - p);
        let half = self.half(0.05) / 100.0;
        // Wilson's z² / n: nothing but one draw an image where all answers are alike, and never less than one an answer.
        let z2 = super::stats::Z.powi(2);
        let images = self.images.max(1) as f64;
        let c = if own > 0.0 { half * half / own } else { z2 / images };
        let c = c.max(z2 / (images * self.seeds as f64));
        let (centre, half) = ((p + c / 2.0) / (1.0 + c), (c * own + c * c / 4.0).sqrt() / (1.0 + c));
        Interval { low: 100.0 * (centre - half), high: 100.0 * (centre + half) }.clamped(0.0, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        by_image: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        a: Vec<Correct>,
        b: Vec<Correct>,
        difference: f64,
        seeds: f64,
        images: f64,
        interval: Interval,
        p: f64,
        accuracy: Interval,
    }

    fn close(ours: f64, theirs: f64) {
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}");
    }

    #[test]
    fn noise_and_intervals_of_answers_are_those_of_numpy_and_scipy() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/stats.json"))
            .expect("valid golden numbers");
        for case in golden.by_image {
            let images = case.a[0].len();
            let least_sd = 100.0 / images as f64 / 6f64.sqrt();
            let ours = Estimate::crossed(case.a.len(), images, least_sd, |seed, image| {
                i64::from(case.a[seed].get(image)) - i64::from(case.b[seed].get(image))
            })
            .expect("seeds and images");
            close(ours.mean, case.difference);
            close(ours.noise.seeds, case.seeds);
            close(ours.noise.images, case.images);
            close(ours.interval(0.05).low, case.interval.low);
            close(ours.interval(0.05).high, case.interval.high);
            close(ours.p(), case.p);
            let accuracy = Estimate::accuracy(&case.a).expect("seeds and images").accuracy_interval();
            close(accuracy.low, case.accuracy.low);
            close(accuracy.high, case.accuracy.high);
        }
    }

    #[test]
    fn seeds_that_answer_alike_leave_the_noise_of_their_images() {
        let runs = vec![(0..100).map(|image| image < 40).collect::<Correct>(); 2];
        let estimate = Estimate::accuracy(&runs).expect("seeds and images");
        // sqrt(0.4 * 0.6 / 99), and what rounding to one image of a hundred leaves between two seeds.
        close(estimate.noise.images, 100.0 * (0.24f64 / 99.0).sqrt());
        close(estimate.noise.seeds, 1.0 / 24f64.sqrt());
        // All right on all images: Wilson's interval of one run, since the second brought nothing new.
        let right = vec![[true; 50].into_iter().collect::<Correct>(); 2];
        let interval = Estimate::accuracy(&right).expect("seeds and images").accuracy_interval();
        let wilson = super::super::stats::wilson(50, 50).expect("images");
        close(interval.low, 100.0 * wilson.low);
        close(interval.high, 100.0);
    }

    #[test]
    fn without_two_seeds_and_two_images_there_is_no_noise_to_measure() {
        let run: Correct = [true, false].into_iter().collect();
        assert_eq!(Estimate::accuracy(&[]), None);
        assert_eq!(Estimate::accuracy(std::slice::from_ref(&run)), None);
        let other: Correct = [true].into_iter().collect();
        assert_eq!(Estimate::accuracy(&[other.clone(), other.clone()]), None);
        assert_eq!(Estimate::accuracy(&[run, other]), None, "runs on other images");
        assert_eq!(Estimate::over_seeds(&[1.0], 1.0), None);
    }
}
