//! Several comparisons at once: Holm's step-down procedure.

/// One of several p-values, adjusted by Holm's procedure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adjusted {
    /// The adjusted p-value: at most 0.05 where the hypothesis is rejected while at most 5 % of all reports reject any
    /// that is true.
    pub p: f64,
    /// The level at which the p-value itself was judged: `alpha / m` for the smallest of m, `alpha / (m - 1)` for the next,
    /// and so on until one is not rejected; that one and all larger ones have its level. The interval of confidence one
    /// minus this excludes 0 just where the hypothesis is rejected.
    pub alpha: f64,
}

/// Adjusts p-values of one family (Holm, "A simple sequentially rejective multiple test procedure", 1979), in their order.
pub fn holm(values: &[f64], alpha: f64) -> Vec<Adjusted> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut adjusted = vec![Adjusted { p: 1.0, alpha }; values.len()];
    let (mut least, mut stopped) = (0.0f64, None);
    for (place, &at) in order.iter().enumerate() {
        let left = (values.len() - place) as f64;
        least = least.max(left * values[at]).min(1.0);
        let level = stopped.unwrap_or(alpha / left);
        if values[at] > level {
            stopped = Some(level);
        }
        adjusted[at] = Adjusted { p: least, alpha: level };
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        holm: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        p: Vec<f64>,
        adjusted: Vec<f64>,
    }

    #[test]
    fn adjusted_values_are_those_of_an_independent_implementation() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/stats.json"))
            .expect("valid golden numbers");
        for case in golden.holm {
            for (ours, theirs) in holm(&case.p, 0.05).iter().zip(&case.adjusted) {
                assert!((ours.p - theirs).abs() < 1e-12, "{} is not {theirs}", ours.p);
            }
        }
    }

    #[test]
    fn the_first_that_is_not_rejected_sets_the_level_of_the_rest() {
        let levels = |values: &[f64]| holm(values, 0.05).iter().map(|of| of.alpha).collect::<Vec<_>>();
        assert_eq!(levels(&[0.04]), [0.05]);
        assert_eq!(levels(&[0.9, 0.001, 0.03]), [0.025, 0.05 / 3.0, 0.025]);
        // 0.03 would pass alone, and 0.04 as the last: but 0.03 has to pass first.
        assert_eq!(levels(&[0.03, 0.04]), [0.025, 0.025]);
        assert_eq!(holm(&[], 0.05), []);
    }

    proptest! {
        #[test]
        fn the_adjusted_value_and_the_level_agree(values in prop::collection::vec(0.0..1.0f64, 1..8), shrink in 1.0..40.0f64) {
            let values: Vec<f64> = values.iter().map(|p| p / shrink).collect();
            for (p, adjusted) in values.iter().zip(holm(&values, 0.05)) {
                prop_assert!(adjusted.p >= *p);
                // But for rounding at the border itself.
                if (adjusted.p - 0.05).abs() > 1e-9 {
                    prop_assert_eq!(adjusted.p <= 0.05, *p <= adjusted.alpha);
                }
            }
        }
    }
}
