//! The whole softmax of every sample in every epoch, for small sets.

/// A proxy's softmax of every sample, class by class. The training log itself keeps only a few numbers of it.
#[derive(Clone, Debug)]
pub struct SoftmaxLog {
    samples: usize,
    classes: usize,
    epochs: Vec<Epoch>,
}

#[derive(Clone, Debug, Default)]
struct Epoch {
    /// `[samples, classes]`; empty before the first sample.
    probabilities: Vec<f32>,
    recorded: usize,
}

impl SoftmaxLog {
    pub(super) fn new(epochs: usize, samples: usize, classes: usize) -> Self {
        Self { samples, classes, epochs: vec![Epoch::default(); epochs] }
    }

    /// Records the logits of some samples. Each sample comes once in an epoch.
    pub(super) fn record(&mut self, epoch: u32, samples: &[u32], logits: &[f32]) {
        let (count, classes) = (self.samples, self.classes);
        let Epoch { probabilities, recorded } = &mut self.epochs[epoch as usize];
        probabilities.resize(count * classes, 0.0);
        *recorded += samples.len();
        for (&sample, logits) in samples.iter().zip(logits.chunks_exact(classes)) {
            let row = &mut probabilities[sample as usize * classes..][..classes];
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter_mut().zip(logits).for_each(|(p, z)| *p = (z - highest).exp());
            let total: f32 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= total);
        }
    }

    /// Probabilities `[samples, classes]` of an epoch, when all samples were recorded in it. `None` before its end, and for
    /// epochs before a run was interrupted.
    pub fn epoch(&self, epoch: u32) -> Option<&[f32]> {
        let epoch = self.epochs.get(epoch as usize)?;
        (epoch.recorded == self.samples).then_some(&epoch.probabilities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_shown_when_every_sample_was_recorded() {
        let mut log = SoftmaxLog::new(2, 3, 2);
        log.record(1, &[2, 0], &[0.0, 0.0, 1000.0, 0.0]);
        assert!(log.epoch(0).is_none() && log.epoch(1).is_none() && log.epoch(2).is_none());
        log.record(1, &[1], &[0.0, f32::ln(3.0)]);
        let expected = [1.0, 0.0, 0.25, 0.75, 0.5, 0.5];
        let found = log.epoch(1).expect("all three are recorded");
        assert!(found.iter().zip(expected).all(|(p, q)| (p - q).abs() < 1e-6), "{found:?}");
    }
}
