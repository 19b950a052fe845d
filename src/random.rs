//! Every random choice of the program, from one counter-based generator.
//!
//! A stream is addressed by `(seed, purpose, epoch, index)` and needs no history: the crop of image 17
//! in epoch 3 is the same whichever thread draws it and wherever a run was resumed. The generator is
//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

/// What a random number is drawn for. Streams of different purposes are independent.
///
/// The numbers are part of what makes a run reproducible: never renumber, only append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Purpose {
    /// Which samples a hold-out takes from each class.
    Split = 1,
    /// The order of the training samples in an epoch.
    Shuffle = 2,
    /// Initial weights of a model; `index` numbers the tensor.
    Init = 3,
    /// The secondary key that orders samples of equal score.
    Tie = 4,
    /// The `random` pruning rule.
    RandomRule = 5,
    /// A training view: tile, patch order, crop box, flip, cutout; `index` is the image.
    View = 6,
    /// Mixup and CutMix, and whatever is drawn once for a whole batch; `index` is the batch.
    Batch = 7,
    /// Numbers for tests and self-checks.
    Test = 8,
    /// The seed of a proxy, which decides its weights, order and views.
    Proxy = 9,
    /// The seed of the hold-out that settings are tuned on.
    Tune = 10,
    /// Which validation images are asked about together, where their statistics are taken.
    Adapt = 11,
    /// The order of images in packed shards.
    Pack = 12,
    /// Which images a plan tries.
    Probe = 13,
}

/// A seed derived from another for one purpose, so that whoever draws with it shares no stream with whoever draws with
/// the first.
pub fn seed_for(seed: u64, purpose: Purpose) -> u64 {
    Stream::new(seed, purpose, 0, 0).next_u64()
}

/// A stream of random numbers; see the [module](self) for how it is addressed.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of `(seed, purpose, epoch, index)`.
    ///
    /// `index` may be up to 2^48 - 1; higher bits are ignored.
    pub fn new(seed: u64, purpose: Purpose, epoch: u32, index: u64) -> Self {
        let high = ((index >> 32) as u32 & 0xFFFF) | (u32::from(purpose as u16) << 16);
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, epoch, index as u32, high],
            block: [0; 4],
            used: 4,
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32_10(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | (u64::from(self.next_u32()) << 32)
    }

    /// Uniform in `[0, 1)`, with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform among `0..n`, without bias (Lemire, "Fast random integer generation in an interval",
    /// 2019).
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "an empty range has no element to draw");
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A standard normal number (Box and Muller's method).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A number of the Beta(a, a) distribution, by Jöhnk's method, which is exact for a ≤ 1 and slow
    /// for large a.
    ///
    /// # Panics
    /// When `a` is not in `(0, 8]`.
    pub fn beta(&mut self, a: f64) -> f64 {
        assert!(a > 0.0 && a <= 8.0, "Beta(a, a) is drawn for 0 < a <= 8");
        loop {
            let x = self.unit().powf(1.0 / a);
            let y = self.unit().powf(1.0 / a);
            if x + y <= 1.0 && x + y > 0.0 {
                return x / (x + y);
            }
        }
    }

    /// Puts the items in a uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u32 + 1) as usize;
            items.swap(i, j);
        }
    }
}

/// A uniformly random order of `0..n` for one epoch.
pub fn permutation(seed: u64, purpose: Purpose, epoch: u32, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    Stream::new(seed, purpose, epoch, 0).shuffle(&mut order);
    order
}

fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9E37_79B9);
            key[1] = key[1].wrapping_add(0xBB67_AE85);
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the authors' own library (Random123, `kat_vectors`, philox4x32 10).
    #[test]
    fn philox_gives_the_known_answers_of_its_authors() {
        assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32_10([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_differ_in_every_part_of_their_address() {
        let first = |seed, purpose, epoch, index| Stream::new(seed, purpose, epoch, index).next_u64();
        let base = first(1, Purpose::View, 2, 3);
        assert_eq!(base, first(1, Purpose::View, 2, 3));
        assert_ne!(base, first(2, Purpose::View, 2, 3));
        assert_ne!(base, first(1 << 40, Purpose::View, 2, 3));
        assert_ne!(base, first(1, Purpose::Shuffle, 2, 3));
        assert_ne!(base, first(1, Purpose::View, 3, 3));
        assert_ne!(base, first(1, Purpose::View, 2, 4));
        assert_ne!(base, first(1, Purpose::View, 2, 3 + (1 << 33)));
    }

    #[test]
    fn a_derived_seed_is_another_one_for_every_seed() {
        let mut seeds: Vec<u64> = (0..1000).flat_map(|seed| [seed, seed_for(seed, Purpose::Proxy)]).collect();
        assert_eq!(seed_for(3, Purpose::Proxy), seed_for(3, Purpose::Proxy));
        assert_ne!(seed_for(3, Purpose::Proxy), seed_for(3, Purpose::Test));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 2000);
    }

    #[test]
    fn bounded_numbers_are_uniform() {
        let mut stream = Stream::new(7, Purpose::Test, 0, 0);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6) as usize] += 1;
        }
        // Five standard deviations of a binomial with n = 60,000 and p = 1/6.
        assert!(counts.iter().all(|&c| (f64::from(c) - 10_000.0).abs() < 460.0), "{counts:?}");
    }

    #[test]
    fn a_permutation_holds_every_index_once_and_changes_with_the_epoch() {
        let mut order = permutation(3, Purpose::Shuffle, 0, 1000);
        assert_ne!(order, permutation(3, Purpose::Shuffle, 1, 1000));
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(i, &v)| i as u32 == v));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut stream = Stream::new(11, Purpose::Test, 0, 0);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = stream.normal();
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        assert!(mean.abs() < 0.016, "{mean}");
        assert!((squares / f64::from(n) - 1.0).abs() < 0.023);
    }
}
