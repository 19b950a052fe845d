//! Helpers shared by the kernels' tests.

/// Numbers from a linear congruential generator with a mixed output.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let x = self.0 ^ (self.0 >> 33);
        (x.wrapping_mul(0xff51_afd7_ed55_8ccd)) >> 24
    }

    /// From 0 to below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }

    /// Floats from -1 to 1.
    pub(super) fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.below(20_001) as f32 / 10_000.0 - 1.0).collect()
    }

    /// One of these.
    pub(super) fn of(&mut self, choices: &[usize]) -> usize {
        choices[self.below(choices.len())]
    }
}

/// The largest error, as a share of the largest sum of magnitudes.
pub(super) fn error(got: &[f32], want: &[(f64, f64)]) -> f64 {
    assert_eq!(got.len(), want.len());
    got.iter()
        .zip(want)
        .map(|(&got, &(want, size))| (f64::from(got) - want).abs() / size.max(1e-3))
        .fold(0.0, f64::max)
}

/// Runs a closure on a pool with the given number of threads.
pub(super) fn in_pool<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(work)
}
