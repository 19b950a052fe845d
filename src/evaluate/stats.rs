//! Statistics of a handful of accuracies: mean, spread and 95 % intervals.
//!
//! Runs are few (3 is usual), so intervals of a mean are Student's; where the answers are known image by image,
//! [noise](super::Noise) of the images is added. A single run has no spread between seeds; all that is left is the Wilson
//! interval of its accuracy over the validation images.

use serde::{Deserialize, Serialize};
use statrs::function::beta::checked_beta_reg;

/// 97.5 % quantile of the standard normal distribution, for two-sided 95 % intervals.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// A closed interval. Written `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// `true` where a value lies inside, ends included.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The interval with both ends moved into `low..=high`.
    pub fn clamped(self, low: f64, high: f64) -> Self {
        Self { low: self.low.clamp(low, high), high: self.high.clamp(low, high) }
    }

    /// The same interval seen from the other side: of `b - a` when this one is of `a - b`.
    pub fn negated(self) -> Self {
        Self { low: -self.high, high: -self.low }
    }
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (n - 1 in the denominator); `None` of fewer than two values.
pub fn sample_sd(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Student's 95 % interval of the mean; `None` of fewer than two values.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    t_interval(mean(values)?, sample_sd(values)?, values.len())
}

/// Student's 95 % interval of a mean, given the sample's mean, standard deviation and size; `None` for
/// fewer than two values.
pub fn t_interval(mean: f64, sd: f64, count: usize) -> Option<Interval> {
    (count > 1).then(|| {
        let half = t_quantile(0.975, (count - 1) as f64) * sd / (count as f64).sqrt();
        Interval { low: mean - half, high: mean + half }
    })
}

/// Wilson's 95 % score interval of a proportion, without continuity correction; both ends in `[0, 1]`.
///
/// `None` without trials.
pub fn wilson(successes: usize, trials: usize) -> Option<Interval> {
    (trials > 0).then(|| {
        let n = trials as f64;
        let p = successes as f64 / n;
        let centre = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Interval { low: (centre - half) / scale, high: (centre + half) / scale }.clamped(0.0, 1.0)
    })
}

/// The values of `b` taken from those of `a`, for every seed that both have, in `a`'s order.
///
/// Equal seeds start from the same weights and draw the same views, so that much of a seed's luck falls out of the difference.
pub fn paired_differences(a: &[(u64, f64)], b: &[(u64, f64)]) -> Vec<f64> {
    a.iter()
        .filter_map(|(seed, value)| {
            let (_, other) = b.iter().find(|(other, _)| other == seed)?;
            Some(value - other)
        })
        .collect()
}

/// The `p` quantile of Student's t distribution with `df` degrees of freedom.
///
/// Found by bisection of the distribution function, to about 10 digits. The quantile of statrs 0.19 is off by 2e-7 at 50,000
/// degrees of freedom, and by a factor of 7,000 in tails as thin as those that p-values by bisection ask for.
///
/// # Panics
/// When `p` is not inside `(0, 1)` or `df` is not positive.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0 && df > 0.0, "a probability and degrees of freedom");
    if p < 0.5 {
        return -t_quantile(1.0 - p, df);
    }
    let tail = 1.0 - p;
    let (mut low, mut high) = (0.0, 1.0);
    while t_upper_tail(high, df) > tail {
        low = high;
        high *= 2.0;
    }
    // Each step halves the bracket; 60 exhaust the digits of the smallest one.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if t_upper_tail(middle, df) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// P(T > t) for t >= 0; NaN of NaN.
pub(super) fn t_upper_tail(t: f64, df: f64) -> f64 {
    // Of 0 over 0 there is no probability, and no argument that the function takes.
    0.5 * checked_beta_reg(0.5 * df, 0.5, df / (df + t * t)).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        quantiles: Vec<Quantile>,
        means: Vec<Mean>,
        paired: Vec<Paired>,
        wilson: Vec<Wilson>,
    }

    #[derive(Deserialize)]
    struct Quantile {
        p: f64,
        df: f64,
        t: f64,
    }

    #[derive(Deserialize)]
    struct Mean {
        values: Vec<f64>,
        mean: f64,
        sd: f64,
        interval: Interval,
    }

    #[derive(Deserialize)]
    struct Paired {
        a: Vec<f64>,
        b: Vec<f64>,
        interval: Interval,
        p: f64,
    }

    #[derive(Deserialize)]
    struct Wilson {
        successes: usize,
        trials: usize,
        interval: Interval,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/golden/stats.json")).expect("valid golden numbers")
    }

    fn close(ours: f64, theirs: f64) {
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}");
    }

    fn same(ours: Interval, theirs: Interval) {
        close(ours.low, theirs.low);
        close(ours.high, theirs.high);
    }

    #[test]
    fn t_quantiles_are_those_of_scipy() {
        for Quantile { p, df, t } in golden().quantiles {
            close(t_quantile(p, df), t);
        }
    }

    #[test]
    fn what_is_no_number_has_no_probability() {
        assert!(t_upper_tail(f64::NAN, 2.0).is_nan());
        assert_eq!((t_upper_tail(0.0, 2.0), t_upper_tail(f64::INFINITY, 2.0)), (0.5, 0.0));
    }

    #[test]
    fn means_spreads_and_intervals_are_those_of_scipy() {
        for golden in golden().means {
            close(mean(&golden.values).expect("values"), golden.mean);
            close(sample_sd(&golden.values).expect("values"), golden.sd);
            same(mean_interval(&golden.values).expect("values"), golden.interval);
        }
    }

    #[test]
    fn paired_intervals_are_those_of_scipy_whatever_the_order_of_the_seeds() {
        for golden in golden().paired {
            let a: Vec<_> = (0..).zip(golden.a).collect();
            let mut b: Vec<_> = (0..).zip(golden.b).collect();
            b.reverse();
            b.push((99, 1000.0));
            let differences = paired_differences(&a, &b);
            assert_eq!(differences.len(), a.len());
            same(mean_interval(&differences).expect("values"), golden.interval);
            let estimate = super::super::noise::Estimate::over_seeds(&differences, 0.0).expect("values");
            same(estimate.interval(0.05), golden.interval);
            close(estimate.p(), golden.p);
        }
    }

    #[test]
    fn wilson_intervals_are_those_of_scipy() {
        for golden in golden().wilson {
            same(wilson(golden.successes, golden.trials).expect("trials"), golden.interval);
        }
    }

    #[test]
    fn too_few_values_have_no_spread_and_no_interval() {
        assert_eq!(mean(&[]), None);
        assert_eq!(sample_sd(&[1.0]), None);
        assert_eq!(mean_interval(&[1.0]), None);
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn an_interval_is_written_as_two_numbers() {
        let interval = Interval { low: 1.5, high: 2.0 };
        let text = serde_json::to_string(&interval).expect("plain numbers");
        assert_eq!(text, "[1.5,2.0]");
        assert_eq!(serde_json::from_str::<Interval>(&text).expect("what was written"), interval);
    }
}
