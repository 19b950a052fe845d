//! Copies: the same file twice, and the same picture in another encoding or size.

use std::collections::HashMap;

use super::{ContentHash, Look};
use crate::parallel;

/// Groups of images that look the same, directly or through others of the group. Images without a copy are left out. Indices
/// ascend within a group, and groups by their first.
pub fn near_duplicates(looks: &[Look]) -> Vec<Vec<u32>> {
    let distinct = Distinct::among(looks.iter());
    let mut forest = Forest::new(distinct.looks.len());
    for (a, b) in alike(&distinct.looks) {
        forest.join(a, b);
    }
    let mut place: Vec<Option<usize>> = vec![None; distinct.looks.len()];
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (index, &number) in (0..).zip(&distinct.numbers) {
        let root = forest.root(number) as usize;
        let group = *place[root].get_or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(index);
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Index of each image of `ours` that looks like one of `theirs`, with the index of the one it is most like (the first of
/// equals). Ordered by the first.
pub fn look_alikes(ours: &[Look], theirs: &[Look]) -> Vec<(u32, u32)> {
    let distinct = Distinct::among(ours.iter().chain(theirs));
    let (of_ours, of_theirs) = distinct.numbers.split_at(ours.len());
    // Of each distinct look the image of theirs that has it, and then the nearest: how far, and which.
    let mut own: Vec<Option<u32>> = vec![None; distinct.looks.len()];
    for (index, &number) in (0..).zip(of_theirs) {
        own[number as usize].get_or_insert(index);
    }
    let mut nearest: Vec<Option<(u32, u32)>> = own.iter().map(|own| own.map(|index| (0, index))).collect();
    for (a, b) in alike(&distinct.looks) {
        let apart = distinct.looks[a as usize].squares_apart(&distinct.looks[b as usize]);
        for (to, from) in [(a, b), (b, a)] {
            if let Some(index) = own[from as usize] {
                let best = &mut nearest[to as usize];
                *best = Some(best.map_or((apart, index), |best| best.min((apart, index))));
            }
        }
    }
    let found = (0..).zip(of_ours).filter_map(|(index, &number)| Some((index, nearest[number as usize]?.1)));
    found.collect()
}

/// The different looks of some images, and the number of the look that each image has: a thousand copies of one picture are one.
struct Distinct {
    looks: Vec<Look>,
    numbers: Vec<u32>,
}

impl Distinct {
    fn among<'a>(looks: impl Iterator<Item = &'a Look>) -> Self {
        let all: Vec<&Look> = looks.collect();
        let mut order: Vec<u32> = (0..all.len() as u32).collect();
        order.sort_unstable_by_key(|&index| (all[index as usize], index));
        let mut found = Self { looks: Vec::new(), numbers: vec![0; all.len()] };
        for &index in &order {
            let look = all[index as usize];
            if found.looks.last() != Some(look) {
                found.looks.push(*look);
            }
            found.numbers[index as usize] = found.looks.len() as u32 - 1;
        }
        found
    }
}

/// Hash and brightness of a look, which are compared within a bucket before the cells are.
#[derive(Clone, Copy)]
struct Candidate {
    hash: u64,
    sum: u32,
    index: u32,
}

/// All pairs of looks that are alike, each once.
///
/// Exact, without comparing all pairs: of `NEAR + 2` bands of bits, a pair that close agrees in two, and only hashes
/// that agree in two bands are compared, and of these only those of nearly equal brightness.
fn alike(looks: &[Look]) -> Vec<(u32, u32)> {
    let masks = masks(Look::NEAR);
    let candidate = |(index, look): (u32, &Look)| Candidate { hash: look.hash(), sum: look.sum(), index };
    let candidates: Vec<Candidate> = (0..).zip(looks).map(candidate).collect();
    let under = |pass: usize, &mask: &u64| {
        let mut all = candidates.clone();
        all.sort_unstable_by_key(|one| (one.hash & mask, one.sum, one.index));
        let mut pairs = Vec::new();
        for bucket in all.chunk_by(|a, b| (a.hash ^ b.hash) & mask == 0) {
            for (place, a) in bucket.iter().enumerate() {
                for b in bucket[place + 1..].iter().take_while(|b| b.sum - a.sum <= Look::SUMS_APART) {
                    let apart = a.hash ^ b.hash;
                    // A pair that agrees under an earlier mask was looked at there.
                    if apart.count_ones() <= Look::NEAR
                        && masks[..pass].iter().all(|earlier| apart & earlier != 0)
                        && looks[a.index as usize].is_like(&looks[b.index as usize])
                    {
                        pairs.push((a.index.min(b.index), a.index.max(b.index)));
                    }
                }
            }
        }
        pairs
    };
    parallel::map(&masks, under).concat()
}

/// Masks of two bands each, such that hashes within `distance` bits agree under at least one of them.
fn masks(distance: u32) -> Vec<u64> {
    let count = u64::from(distance) + 2;
    // Bands of fewer than four bits would cost more passes than they save comparisons.
    if count > 16 {
        return vec![0];
    }
    let bit = |band: u64| (band * 64 / count) as u32;
    let below = |end: u32| if end == 64 { u64::MAX } else { (1 << end) - 1 };
    let bands: Vec<u64> = (0..count).map(|band| below(bit(band + 1)) & !below(bit(band))).collect();
    let pairs =
        |(place, &a): (usize, &u64)| bands[place + 1..].iter().map(move |&b| a | b).collect::<Vec<_>>();
    bands.iter().enumerate().flat_map(pairs).collect()
}

/// Disjoint sets, each named by its smallest member.
struct Forest {
    parent: Vec<u32>,
}

impl Forest {
    fn new(len: usize) -> Self {
        Self { parent: (0..len as u32).collect() }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let grandparent = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = grandparent;
            node = grandparent;
        }
        node
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}

/// Exact copies of one set's files in another: for every file of `ours` that `theirs` holds too, its
/// index and the lowest index of its copy. Ordered by the first.
pub fn shared_copies(ours: &[ContentHash], theirs: &[ContentHash]) -> Vec<(u32, u32)> {
    let mut first: HashMap<ContentHash, u32> = HashMap::with_capacity(theirs.len());
    for (index, &hash) in theirs.iter().enumerate() {
        first.entry(hash).or_insert(index as u32);
    }
    ours.iter()
        .enumerate()
        .filter_map(|(index, hash)| first.get(hash).map(|&copy| (index as u32, copy)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{Purpose, Stream};

    /// All pairs, and their transitive closure by repeated relabelling.
    fn groups_by_brute_force(looks: &[Look]) -> Vec<Vec<u32>> {
        let mut label: Vec<usize> = (0..looks.len()).collect();
        loop {
            let before = label.clone();
            for a in 0..looks.len() {
                for b in 0..looks.len() {
                    if looks[a].is_like(&looks[b]) {
                        label[a] = label[a].min(label[b]);
                    }
                }
            }
            if label == before {
                break;
            }
        }
        (0..looks.len())
            .map(|first| {
                (0..looks.len()).filter(|&i| label[i] == first).map(|i| i as u32).collect::<Vec<_>>()
            })
            .filter(|group| group.len() > 1)
            .collect()
    }

    /// Looks around a few centres, near the borders of what is alike.
    fn looks() -> impl Strategy<Value = Vec<Look>> {
        let centre = (any::<u64>(), any::<u8>(), 0u8..60);
        let flips = (any::<prop::sample::Index>(), prop::collection::vec(0u32..64, 0..8), 0u8..8);
        (prop::collection::vec(centre, 1..5), prop::collection::vec(flips, 0..40)).prop_map(
            |(centres, flips)| {
                let look = |(centre, bits, brighter): &(prop::sample::Index, Vec<u32>, u8)| {
                    let (hash, level, contrast) = centre.get(&centres);
                    let hash = bits.iter().fold(*hash, |hash, bit| hash ^ (1 << bit));
                    let cell =
                        |i: usize| if i.is_multiple_of(2) { *level } else { level.saturating_add(*contrast) };
                    Look::from_parts(hash, std::array::from_fn(|i| cell(i).saturating_add(*brighter)))
                };
                flips.iter().map(look).collect()
            },
        )
    }

    proptest! {
        #[test]
        fn grouping_is_exact(looks in looks()) {
            prop_assert_eq!(near_duplicates(&looks), groups_by_brute_force(&looks));
        }

        #[test]
        fn the_look_alike_of_an_image_is_the_nearest_of_the_other_set((ours, theirs) in (looks(), looks()), shared in 0usize..20) {
            let ours = [&ours[..], &theirs[..shared.min(theirs.len())]].concat();
            let want: Vec<(u32, u32)> = (0..).zip(&ours).filter_map(|(index, own)| {
                let like = (0u32..).zip(&theirs).filter(|(_, other)| own.is_like(other));
                let nearest = like.min_by_key(|(other, look)| (own.squares_apart(look), own.hash() != look.hash(), *other))?;
                Some((index, nearest.0))
            }).collect();
            let got = look_alikes(&ours, &theirs);
            prop_assert_eq!(got.len(), want.len());
            for (got, want) in got.iter().zip(&want) {
                prop_assert_eq!(got.0, want.0);
                let apart = |other: u32| ours[got.0 as usize].squares_apart(&theirs[other as usize]);
                prop_assert_eq!(apart(got.1), apart(want.1));
            }
        }
    }

    #[test]
    fn two_bands_survive_any_flips_within_the_distance() {
        let mut stream = Stream::new(1, Purpose::Test, 0, 0);
        for distance in 1..=14 {
            let masks = masks(distance);
            for _ in 0..500 {
                let flipped = (0..distance).fold(0u64, |bits, _| bits | (1 << stream.below(64)));
                assert!(masks.iter().any(|mask| mask & flipped == 0), "{distance}");
            }
        }
    }

    #[test]
    fn any_number_of_threads_finds_the_same_copies() {
        let mut stream = Stream::new(2, Purpose::Test, 0, 0);
        let looks: Vec<Look> = (0..400)
            .map(|_| {
                let level = stream.below(4) as u8;
                Look::from_parts(1 << stream.below(20), std::array::from_fn(|i| level + 30 * (i as u8 % 8)))
            })
            .collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (near_duplicates(&looks), look_alikes(&looks[..200], &looks[200..])))
        };
        assert!(!with(1).0.is_empty() && with(1) == with(3));
    }

    #[test]
    fn copies_are_found_by_content() {
        let hash = |text: &str| ContentHash::of(text.as_bytes());
        let ours = [hash("a"), hash("b"), hash("a"), hash("c")];
        let theirs = [hash("x"), hash("a"), hash("c"), hash("a")];
        assert_eq!(shared_copies(&ours, &theirs), [(0, 1), (2, 1), (3, 2)]);
        assert_eq!(shared_copies(&theirs, &[]), []);
    }
}
