//! The training dynamics of one row of logits: what a model said of a sample whose label is known.
//!
//! At the very bottom, as both the scores and the CPU's kernels are made of it.

/// The training dynamics of one sample in one forward pass.
///
/// With `p = softmax(z)` and label `y`:
///
/// - EL2N = ‖p − onehot(y)‖₂, in `[0, √2]` (Paul, Ganguli and Dziugaite, "Deep learning on a data
///   diet", NeurIPS 2021);
/// - margin = `p_y − max_{j≠y} p_j`, in `[-1, 1]`: the probability form of AUM's margin, as Coverage-
///   centric Coreset Selection accumulates it (the original, Pleiss et al., NeurIPS 2020, has logits);
/// - entropy = −Σ p ln p, in nats; loss = −ln `p_y`.
///
/// Computed in 64-bit and rounded once. The relative error is below 1e-6 wherever the true value is a
/// normal `f32`, also for probabilities that round to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dynamics {
    /// Probability of the label.
    pub p_label: f32,
    /// Largest probability of another class; 0 where there is no other.
    pub p_other: f32,
    /// Norm of the error vector, `‖p − onehot(y)‖₂`.
    pub el2n: f32,
    /// Entropy of the prediction, in nats.
    pub entropy: f32,
    /// Cross-entropy of the label, in nats.
    pub loss: f32,
    /// Whether the label has the largest logit; of equal logits the lowest class counts as largest.
    pub correct: bool,
}

impl Dynamics {
    /// The dynamics of one row of logits.
    ///
    /// A class with logit −∞ is a class of probability 0. Logits for which softmax has no value (NaN,
    /// +∞, or nothing but −∞) give NaN in every number and `correct: false`.
    ///
    /// # Panics
    /// When the label is no class of this row.
    pub fn from_logits(logits: &[f32], label: u32) -> Self {
        let y = label as usize;
        assert!(y < logits.len(), "the label is one of the classes");
        let mut top = 0;
        for (j, z) in logits.iter().enumerate() {
            if *z > logits[top] {
                top = j;
            }
        }
        if !logits[top].is_finite() || logits.iter().any(|z| z.is_nan()) {
            return Self {
                p_label: f32::NAN,
                p_other: f32::NAN,
                el2n: f32::NAN,
                entropy: f32::NAN,
                loss: f32::NAN,
                correct: false,
            };
        }

        // Everything is relative to exp(z_top). The sums leave the label (or the largest class) out,
        // so that 1 - p_y and ln(total) keep their digits when one class takes nearly everything.
        let highest = f64::from(logits[top]);
        let (mut others, mut squares, mut largest) = (0.0f64, 0.0f64, 0.0f64);
        let (mut below_top, mut spread, mut e_label) = (0.0f64, 0.0f64, 0.0f64);
        for (j, &z) in logits.iter().enumerate() {
            let gap = highest - f64::from(z);
            let e = (-gap).exp();
            if e > 0.0 {
                spread += e * gap;
            }
            if j != top {
                below_top += e;
            }
            if j == y {
                e_label = e;
            } else {
                others += e;
                squares += e * e;
                largest = largest.max(e);
            }
        }
        let total = others + e_label;
        let log_total = below_top.ln_1p();
        Self {
            p_label: (e_label / total) as f32,
            p_other: (largest / total) as f32,
            el2n: ((others * others + squares).sqrt() / total) as f32,
            // Two terms that are never negative: nothing cancels.
            entropy: (log_total + spread / total) as f32,
            loss: (log_total + (highest - f64::from(logits[y]))) as f32,
            correct: top == y,
        }
    }

    /// `p_y − max_{j≠y} p_j`, in `[-1, 1]`; negative where another class is more probable.
    pub fn margin(&self) -> f32 {
        self.p_label - self.p_other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        name: String,
        logits: Vec<f64>,
        label: u32,
        torch: (f64, f64, f64, f64, f64, bool),
        exact: (f64, f64, f64, f64, f64, bool),
    }

    fn golden() -> Vec<Case> {
        serde_json::from_str(include_str!("../tests/golden/dynamics.json")).expect("the golden file parses")
    }

    fn numbers(d: &Dynamics) -> [f64; 5] {
        [d.p_label, d.p_other, d.el2n, d.entropy, d.loss].map(f64::from)
    }

    #[test]
    fn the_numbers_are_those_of_pytorch_from_2_to_1000_classes() {
        let mut sizes = std::collections::BTreeSet::new();
        for case in golden() {
            let logits: Vec<f32> = case.logits.iter().map(|&z| z as f32).collect();
            sizes.insert(logits.len());
            let d = Dynamics::from_logits(&logits, case.label);
            let t = case.torch;
            for (ours, theirs) in numbers(&d).into_iter().zip([t.0, t.1, t.2, t.3, t.4]) {
                let tolerance = 1e-6 * theirs.abs() + 1e-12;
                assert!((ours - theirs).abs() <= tolerance, "{}: {ours} is not {theirs}", case.name);
            }
            assert_eq!(d.correct, t.5, "{}", case.name);
        }
        assert_eq!(Vec::from_iter(sizes), [2, 3, 10, 100, 1000]);
    }

    #[test]
    fn nothing_cancels_however_sure_the_model_is() {
        for case in golden() {
            let logits: Vec<f32> = case.logits.iter().map(|&z| z as f32).collect();
            let d = Dynamics::from_logits(&logits, case.label);
            let e = case.exact;
            for (ours, exact) in numbers(&d).into_iter().zip([e.0, e.1, e.2, e.3, e.4]) {
                let tolerance = 1e-6 * exact.abs() + f64::from(f32::MIN_POSITIVE);
                assert!((ours - exact).abs() <= tolerance, "{}: {ours} is not {exact}", case.name);
            }
        }
    }

    #[test]
    fn of_equal_logits_the_lowest_class_is_the_prediction() {
        assert!(Dynamics::from_logits(&[1.0, 2.0, 2.0], 1).correct);
        assert!(!Dynamics::from_logits(&[1.0, 2.0, 2.0], 2).correct);
        assert!(Dynamics::from_logits(&[0.0, -0.0], 0).correct);
    }

    #[test]
    fn a_class_ruled_out_has_probability_zero() {
        let ruled_out = f32::NEG_INFINITY;
        let with = Dynamics::from_logits(&[1.0, ruled_out, 0.5], 0);
        assert_eq!(with, Dynamics::from_logits(&[1.0, 0.5], 0));
        let label = Dynamics::from_logits(&[1.0, ruled_out], 1);
        assert_eq!((label.p_label, label.loss), (0.0, f32::INFINITY));
        assert_eq!(label.el2n, std::f32::consts::SQRT_2);
    }

    #[test]
    fn logits_without_a_softmax_are_nan() {
        for bad in [f32::NAN, f32::INFINITY] {
            let d = Dynamics::from_logits(&[0.0, bad, 1.0], 2);
            assert!(numbers(&d).iter().all(|v| v.is_nan()) && !d.correct);
        }
        assert!(Dynamics::from_logits(&[f32::NAN, 0.0], 1).el2n.is_nan());
        assert!(Dynamics::from_logits(&[f32::NEG_INFINITY; 2], 1).el2n.is_nan());
    }

    fn logits() -> impl Strategy<Value = (Vec<f32>, u32)> {
        prop::collection::vec(prop_oneof![-4f32..4.0, -100f32..100.0, -1e4f32..1e4], 2..60)
            .prop_flat_map(|z| (Just(z.clone()), 0..z.len() as u32))
    }

    proptest! {
        #[test]
        fn every_number_stays_in_its_range((z, label) in logits()) {
            let d = Dynamics::from_logits(&z, label);
            prop_assert!((0.0..=1.0).contains(&d.p_label) && (0.0..=1.0).contains(&d.p_other));
            prop_assert!((0.0..=std::f32::consts::SQRT_2).contains(&d.el2n));
            prop_assert!(d.entropy >= 0.0);
            prop_assert!(f64::from(d.entropy) <= (z.len() as f64).ln() * (1.0 + 1e-7));
            prop_assert!(d.loss >= 0.0 && (-1.0..=1.0).contains(&d.margin()));
            // 1 - p_y <= EL2N <= sqrt(2) (1 - p_y)
            let missing = 1.0 - f64::from(d.p_label);
            prop_assert!(f64::from(d.el2n) >= missing - 1e-6);
            prop_assert!(f64::from(d.el2n) <= missing * std::f64::consts::SQRT_2 + 1e-6);
        }

        #[test]
        fn adding_a_constant_to_all_logits_changes_nothing((z, label) in logits(), shift in -64i8..64) {
            // Multiples of 1/64 that stay below 2^15 are exact in f32, and so is their sum.
            let z: Vec<f32> = z.iter().map(|v| (v * 64.0).round() / 64.0).collect();
            let moved: Vec<f32> = z.iter().map(|v| v + f32::from(shift)).collect();
            prop_assert_eq!(Dynamics::from_logits(&z, label), Dynamics::from_logits(&moved, label));
        }

        #[test]
        fn the_order_of_the_other_classes_does_not_matter((mut z, label) in logits()) {
            let one = Dynamics::from_logits(&z, label);
            let y = label as usize;
            z[y + 1..].reverse();
            z[..y].reverse();
            let other = Dynamics::from_logits(&z, label);
            for (a, b) in numbers(&one).into_iter().zip(numbers(&other)) {
                prop_assert!((a - b).abs() <= 2e-7 * a.abs(), "{} {}", a, b);
            }
        }
    }
}
