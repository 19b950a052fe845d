//! The training log: the dynamics of every sample in every epoch of a proxy's run.

mod file;

use std::ops::Range;

use super::{Dynamics, ScoreError};

/// The dynamics of `epochs` × `samples`, of one run or the average of several.
///
/// One array for each number, epoch by epoch: 18 bytes for each sample and epoch (about 230 MB for ten
/// epochs of ImageNet-1K). Epochs are counted from 0.
#[derive(Clone, Debug)]
pub struct TrainingLog {
    epochs: u32,
    samples: u32,
    runs: u32,
    p_label: Vec<f32>,
    p_other: Vec<f32>,
    /// NaN where nothing is recorded yet.
    el2n: Vec<f32>,
    entropy: Vec<f32>,
    /// The number of runs whose prediction was the label.
    correct: Vec<u16>,
}

impl TrainingLog {
    /// An empty log of one run.
    ///
    /// # Panics
    /// When it cannot fit the memory's address space.
    pub fn new(epochs: u32, samples: u32) -> Self {
        let len = (epochs as usize).checked_mul(samples as usize).expect("the log fits the address space");
        Self {
            epochs,
            samples,
            runs: 1,
            p_label: vec![0.0; len],
            p_other: vec![0.0; len],
            el2n: vec![f32::NAN; len],
            entropy: vec![0.0; len],
            correct: vec![0; len],
        }
    }

    /// Number of epochs the log has room for.
    pub fn epochs(&self) -> u32 {
        self.epochs
    }

    /// Number of samples.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// Number of runs this log is the average of.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// Records a batch: `dynamics[i]` are those of sample `indices[i]` in this epoch.
    ///
    /// Nothing is recorded when an error is returned.
    ///
    /// # Errors
    /// [`ScoreError::OutOfRange`] for an epoch or sample the log has no room for or slices of unequal
    /// length, [`ScoreError::RecordedTwice`], and [`ScoreError::NotFinite`] (naming the place in the
    /// batch) for dynamics that are not finite.
    pub fn record(&mut self, epoch: u32, indices: &[u32], dynamics: &[Dynamics]) -> Result<(), ScoreError> {
        if indices.len() != dynamics.len() {
            return Err(self.out_of_range(format!(
                "{} samples with {} dynamics",
                indices.len(),
                dynamics.len()
            )));
        }
        if epoch >= self.epochs {
            return Err(self.out_of_range(format!("epoch {}", u64::from(epoch) + 1)));
        }
        if let Some(&index) = indices.iter().find(|&&index| index >= self.samples) {
            return Err(self.out_of_range(format!("sample {index}")));
        }
        if let Some(row) = dynamics
            .iter()
            .position(|d| ![d.p_label, d.p_other, d.el2n, d.entropy].iter().all(|v| v.is_finite()))
        {
            return Err(ScoreError::NotFinite { row });
        }
        for (done, (&sample, d)) in indices.iter().zip(dynamics).enumerate() {
            let at = self.at(epoch, sample);
            if !self.el2n[at].is_nan() {
                // What this call wrote so far is taken back; the second of a pair inside one batch is
                // only seen here.
                for &sample in &indices[..done] {
                    let at = self.at(epoch, sample);
                    self.el2n[at] = f32::NAN;
                }
                return Err(ScoreError::RecordedTwice { epoch, sample });
            }
            self.p_label[at] = d.p_label;
            self.p_other[at] = d.p_other;
            self.el2n[at] = d.el2n;
            self.entropy[at] = d.entropy;
            self.correct[at] = u16::from(d.correct);
        }
        Ok(())
    }

    /// Checks that every sample is recorded in every epoch of `window`.
    ///
    /// # Errors
    /// [`ScoreError::Incomplete`] for the first epoch that lacks samples, [`ScoreError::Window`] for
    /// epochs the log does not have.
    pub fn check_complete(&self, window: Range<u32>) -> Result<(), ScoreError> {
        if window.end > self.epochs {
            return Err(ScoreError::Window { given: super::window_text(&window), epochs: self.epochs });
        }
        for epoch in window {
            let row = self.epoch_el2n(epoch);
            if let Some(first) = row.iter().position(|v| v.is_nan()) {
                return Err(ScoreError::Incomplete {
                    epoch,
                    missing: row.iter().filter(|v| v.is_nan()).count(),
                    samples: row.len(),
                    first: first as u32,
                });
            }
        }
        Ok(())
    }

    /// The average of several runs, each weighted by the runs it stands for. Paul et al. average ten.
    ///
    /// # Errors
    /// [`ScoreError::Average`] when there is no log or they differ in shape, and
    /// [`ScoreError::Incomplete`] when one of them is not complete.
    pub fn average(logs: &[Self]) -> Result<Self, ScoreError> {
        let Some(first) = logs.first() else {
            return Err(ScoreError::Average("there is none".into()));
        };
        let mut runs = 0u32;
        for log in logs {
            if (log.epochs, log.samples) != (first.epochs, first.samples) {
                return Err(ScoreError::Average(format!(
                    "{} epochs of {} samples beside {} epochs of {} samples",
                    first.epochs, first.samples, log.epochs, log.samples
                )));
            }
            log.check_complete(0..log.epochs)?;
            runs = runs.saturating_add(log.runs);
        }
        if runs > u32::from(u16::MAX) {
            return Err(ScoreError::Average(format!("{runs} runs are more than {}", u16::MAX)));
        }
        let mean = |field: fn(&Self) -> &[f32]| -> Vec<f32> {
            (0..first.el2n.len())
                .map(|i| {
                    let sum: f64 =
                        logs.iter().map(|log| f64::from(field(log)[i]) * f64::from(log.runs)).sum();
                    (sum / f64::from(runs)) as f32
                })
                .collect()
        };
        Ok(Self {
            epochs: first.epochs,
            samples: first.samples,
            runs,
            p_label: mean(|log| &log.p_label),
            p_other: mean(|log| &log.p_other),
            el2n: mean(|log| &log.el2n),
            entropy: mean(|log| &log.entropy),
            correct: (0..first.el2n.len()).map(|i| logs.iter().map(|log| log.correct[i]).sum()).collect(),
        })
    }

    /// EL2N of a sample in each epoch; NaN where nothing is recorded.
    ///
    /// # Panics
    /// When there is no such sample or epoch, as in all look-ups here.
    pub fn el2n(&self, sample: u32) -> impl ExactSizeIterator<Item = f32> + '_ {
        (0..self.epochs).map(move |epoch| self.el2n[self.at(epoch, sample)])
    }

    /// EL2N of all samples in one epoch.
    pub fn epoch_el2n(&self, epoch: u32) -> &[f32] {
        &self.el2n[self.row(epoch)]
    }

    /// The sum of a sample's EL2N over the epochs of `window`, the score of the paper.
    pub fn el2n_sum(&self, sample: u32, window: Range<u32>) -> f64 {
        window.map(|epoch| f64::from(self.el2n[self.at(epoch, sample)])).sum()
    }

    /// The mean probability margin `p_y − max_{j≠y} p_j` over the epochs of `window`, in `[-1, 1]`.
    /// Over all epochs this is AUM in its probability form.
    pub fn mean_margin(&self, sample: u32, window: Range<u32>) -> f64 {
        self.mean(window, |epoch| self.margin(epoch, sample))
    }

    /// The mean of the largest other probability over the epochs of `window`.
    pub fn mean_p_other(&self, sample: u32, window: Range<u32>) -> f64 {
        self.mean(window, |epoch| f64::from(self.p_other[self.at(epoch, sample)]))
    }

    /// The share of epochs (and runs) in `window` that predicted the label, in `[0, 1]`.
    pub fn correct_share(&self, sample: u32, window: Range<u32>) -> f64 {
        self.mean(window, |epoch| f64::from(self.correct[self.at(epoch, sample)]) / f64::from(self.runs))
    }

    /// `p_y − max_{j≠y} p_j` of a sample in one epoch.
    pub fn margin(&self, epoch: u32, sample: u32) -> f64 {
        let at = self.at(epoch, sample);
        f64::from(self.p_label[at]) - f64::from(self.p_other[at])
    }

    /// Probability of the label in one epoch.
    pub fn p_label(&self, epoch: u32, sample: u32) -> f32 {
        self.p_label[self.at(epoch, sample)]
    }

    /// Largest other probability in one epoch.
    pub fn p_other(&self, epoch: u32, sample: u32) -> f32 {
        self.p_other[self.at(epoch, sample)]
    }

    /// Entropy of the prediction in one epoch, in nats.
    pub fn entropy(&self, epoch: u32, sample: u32) -> f32 {
        self.entropy[self.at(epoch, sample)]
    }

    /// Share of samples predicted correctly in one epoch, in `[0, 1]`; 0 for a log without samples.
    pub fn accuracy(&self, epoch: u32) -> f64 {
        let correct: u64 = self.correct[self.row(epoch)].iter().map(|&n| u64::from(n)).sum();
        correct as f64 / (f64::from(self.samples) * f64::from(self.runs)).max(1.0)
    }

    fn at(&self, epoch: u32, sample: u32) -> usize {
        assert!(sample < self.samples, "no such sample");
        self.row(epoch).start + sample as usize
    }

    fn row(&self, epoch: u32) -> Range<usize> {
        assert!(epoch < self.epochs, "no such epoch");
        let samples = self.samples as usize;
        epoch as usize * samples..(epoch as usize + 1) * samples
    }

    fn mean(&self, window: Range<u32>, value: impl Fn(u32) -> f64) -> f64 {
        let epochs = window.len().max(1);
        window.map(value).sum::<f64>() / epochs as f64
    }

    fn out_of_range(&self, what: String) -> ScoreError {
        ScoreError::OutOfRange { epochs: self.epochs, samples: self.samples as usize, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};

    fn random_dynamics(stream: &mut Stream) -> Dynamics {
        let logits: Vec<f32> = (0..4).map(|_| stream.range(-5.0, 5.0) as f32).collect();
        Dynamics::from_logits(&logits, stream.below(4))
    }

    /// A full log of random dynamics, and what was recorded, `[epochs][samples]`.
    pub(super) fn full(epochs: u32, samples: u32, seed: u64) -> (TrainingLog, Vec<Vec<Dynamics>>) {
        let mut log = TrainingLog::new(epochs, samples);
        let mut recorded = Vec::new();
        for epoch in 0..epochs {
            let mut stream = Stream::new(seed, Purpose::Test, epoch, 0);
            let all: Vec<Dynamics> = (0..samples).map(|_| random_dynamics(&mut stream)).collect();
            let order = crate::random::permutation(seed, Purpose::Shuffle, epoch, samples as usize);
            for batch in order.chunks(7) {
                let dynamics: Vec<Dynamics> = batch.iter().map(|&i| all[i as usize]).collect();
                log.record(epoch, batch, &dynamics).expect("a valid batch");
            }
            recorded.push(all);
        }
        (log, recorded)
    }

    #[test]
    fn every_number_is_found_again_under_its_sample_and_epoch() {
        let (log, recorded) = full(3, 20, 1);
        log.check_complete(0..3).expect("complete");
        for sample in 0..20u32 {
            let of = |epoch: usize| recorded[epoch][sample as usize];
            assert_eq!(Vec::from_iter(log.el2n(sample)), [of(0).el2n, of(1).el2n, of(2).el2n]);
            let sum = f64::from(of(1).el2n) + f64::from(of(2).el2n);
            assert_eq!(log.el2n_sum(sample, 1..3), sum);
            let margin = |e: usize| f64::from(of(e).p_label) - f64::from(of(e).p_other);
            assert_eq!(log.mean_margin(sample, 0..2), (margin(0) + margin(1)) / 2.0);
            let correct = (0..3).filter(|&e| of(e).correct).count() as f64;
            assert_eq!(log.correct_share(sample, 0..3), correct / 3.0);
            assert_eq!(log.entropy(2, sample), of(2).entropy);
        }
        let correct = recorded[1].iter().filter(|d| d.correct).count() as f64;
        assert_eq!(log.accuracy(1), correct / 20.0);
        assert_eq!(log.epoch_el2n(1)[4], recorded[1][4].el2n);
    }

    #[test]
    fn a_sample_is_recorded_exactly_once_in_an_epoch() {
        let (mut log, recorded) = full(2, 5, 2);
        let d = recorded[0][0];
        assert!(matches!(log.record(1, &[3], &[d]), Err(ScoreError::RecordedTwice { epoch: 1, sample: 3 })));

        let mut log = TrainingLog::new(2, 4);
        log.record(0, &[0], &[d]).expect("a valid batch");
        assert!(matches!(
            log.record(0, &[1, 2, 1], &[d; 3]),
            Err(ScoreError::RecordedTwice { sample: 1, .. })
        ));
        let missing = log.check_complete(0..1);
        assert!(
            matches!(missing, Err(ScoreError::Incomplete { epoch: 0, missing: 3, samples: 4, first: 1 })),
            "a refused batch leaves nothing behind: {missing:?}"
        );
        log.record(0, &[3, 2, 1], &[d; 3]).expect("a valid batch");
        log.check_complete(0..1).expect("complete");
        assert!(log.check_complete(0..2).is_err() && log.check_complete(0..3).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let d = Dynamics::from_logits(&[0.0, 1.0], 0);
        let mut log = TrainingLog::new(2, 4);
        assert!(matches!(log.record(2, &[0], &[d]), Err(ScoreError::OutOfRange { .. })));
        assert!(matches!(log.record(0, &[4], &[d]), Err(ScoreError::OutOfRange { .. })));
        assert!(matches!(log.record(0, &[1, 2], &[d]), Err(ScoreError::OutOfRange { .. })));
        let nan = Dynamics::from_logits(&[f32::NAN, 1.0], 0);
        assert!(matches!(log.record(0, &[1, 2], &[d, nan]), Err(ScoreError::NotFinite { row: 1 })));
    }

    #[test]
    fn the_average_weighs_every_run_alike() {
        let (a, _) = full(2, 9, 3);
        let (b, _) = full(2, 9, 4);
        let (c, _) = full(2, 9, 5);
        let pair = TrainingLog::average(&[a.clone(), b.clone()]).expect("equal shapes");
        let three = TrainingLog::average(&[pair, c.clone()]).expect("equal shapes");
        assert_eq!(three.runs(), 3);
        for sample in 0..9 {
            let mean = [&a, &b, &c].map(|log| log.el2n_sum(sample, 0..2)).iter().sum::<f64>() / 3.0;
            assert!((three.el2n_sum(sample, 0..2) - mean).abs() < 1e-6);
            let share = [&a, &b, &c].map(|log| log.correct_share(sample, 0..2)).iter().sum::<f64>() / 3.0;
            assert!((three.correct_share(sample, 0..2) - share).abs() < 1e-12);
        }
        assert!(matches!(TrainingLog::average(&[]), Err(ScoreError::Average(_))));
        assert!(matches!(TrainingLog::average(&[a.clone(), full(2, 8, 1).0]), Err(ScoreError::Average(_))));
        assert!(TrainingLog::average(&[a, TrainingLog::new(2, 9)]).is_err());
    }
}
