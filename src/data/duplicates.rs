//! Copies: the same file twice, and the same picture in another encoding.

use std::collections::HashMap;

use super::{ContentHash, Image};

/// Cells of a hash: 8 comparisons in each of 8 rows.
const COLUMNS: usize = 9;
const ROWS: usize = 8;

/// The difference hash of an image: whether each of 9 × 8 cells is brighter than the one to its left.
///
/// A cell is the exact mean of the luma (Rec. 601, weights in 256ths) under it, so that the hash is the
/// same on every machine. Copies that were recompressed or resized differ in a few of the 64 bits,
/// unrelated pictures in about 32 (N. Krawetz, "Kind of Like That", 2013).
pub fn difference_hash(image: &Image) -> u64 {
    difference_hash_of(image.pixels(), image.width() as usize, image.height() as usize)
}

/// [`difference_hash`] of `width` × `height` × 3 bytes.
pub(crate) fn difference_hash_of(pixels: &[u8], width: usize, height: usize) -> u64 {
    // In units of 1/9 of a pixel across and 1/8 down, every cell is `width` × `height` units large and
    // every overlap a whole number. Equal areas need no division before they are compared.
    // Rows are gathered first, channel by channel, in a loop the compiler can vectorise; it sums at
    // most 255 × `height` in a u32.
    let across = overlaps(width, COLUMNS);
    let mut bands = vec![0u32; ROWS * width * 3];
    for (row, shares) in pixels.chunks_exact(width * 3).zip(overlaps(height, ROWS)) {
        for (cell, share) in shares {
            let band = &mut bands[cell * width * 3..][..width * 3];
            band.iter_mut().zip(row).for_each(|(sum, &value)| *sum += u32::from(value) * share);
        }
    }
    let mut cells = [[0u64; COLUMNS]; ROWS];
    for (line, band) in cells.iter_mut().zip(bands.chunks_exact(width * 3)) {
        for (pixel, shares) in band.chunks_exact(3).zip(&across) {
            let luma = 77 * u64::from(pixel[0]) + 150 * u64::from(pixel[1]) + 29 * u64::from(pixel[2]);
            for &(cell, share) in shares {
                line[cell] += luma * u64::from(share);
            }
        }
    }
    cells
        .iter()
        .flat_map(|row| row.windows(2))
        .fold(0, |hash, pair| (hash << 1) | u64::from(pair[1] > pair[0]))
}

/// For each of `length` pixels the cells it lies under, and how much of it, in units of `1 / cells`.
fn overlaps(length: usize, cells: usize) -> Vec<Vec<(usize, u32)>> {
    (0..length)
        .map(|pixel| {
            let (start, end) = (pixel * cells, (pixel + 1) * cells);
            (start / length..=(end - 1) / length)
                .map(|cell| (cell, (end.min((cell + 1) * length) - start.max(cell * length)) as u32))
                .collect()
        })
        .collect()
}

/// Groups of images whose hashes differ in at most `max_distance` bits, directly or through others of
/// the group. Images without a neighbour are left out. Indices ascend within a group, and groups by
/// their first.
///
/// Exact, without comparing all pairs: of `max_distance + 2` bands of bits, a pair that close agrees in
/// two, and only hashes that agree in two bands are compared.
pub fn near_duplicates(hashes: &[u64], max_distance: u32) -> Vec<Vec<u32>> {
    // Equal hashes first, so that a thousand copies of one picture are one entry below.
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.sort_unstable_by_key(|&index| (hashes[index as usize], index));
    let mut forest = Forest::new(hashes.len());
    let mut distinct: Vec<u32> = Vec::new();
    for &index in &order {
        match distinct.last() {
            Some(&first) if hashes[first as usize] == hashes[index as usize] => forest.join(first, index),
            _ => distinct.push(index),
        }
    }
    if max_distance > 0 {
        for mask in masks(max_distance) {
            distinct.sort_unstable_by_key(|&index| (hashes[index as usize] & mask, index));
            for bucket in distinct.chunk_by(|&a, &b| (hashes[a as usize] ^ hashes[b as usize]) & mask == 0) {
                for (place, &a) in bucket.iter().enumerate() {
                    for &b in &bucket[place + 1..] {
                        if (hashes[a as usize] ^ hashes[b as usize]).count_ones() <= max_distance {
                            forest.join(a, b);
                        }
                    }
                }
            }
        }
    }
    forest.groups()
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

    fn groups(mut self) -> Vec<Vec<u32>> {
        let mut groups: Vec<Vec<u32>> = vec![Vec::new(); self.parent.len()];
        for node in 0..self.parent.len() as u32 {
            let root = self.root(node);
            groups[root as usize].push(node);
        }
        groups.retain(|group| group.len() > 1);
        groups
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
    use crate::data::{Filter, Fit, Resizer};
    use crate::random::{Purpose, Stream};

    /// A smooth picture that has no symmetry.
    fn picture(seed: u64) -> Image {
        let mut stream = Stream::new(seed, Purpose::Test, 0, 0);
        let waves: Vec<[f64; 4]> = (0..12)
            .map(|_| [stream.range(0.5, 4.0), stream.range(-4.0, 4.0), stream.range(0.0, 6.0), stream.unit()])
            .collect();
        let (width, height) = (120u32, 90u32);
        let pixels = (0..width * height)
            .flat_map(|i| {
                let (x, y) = (f64::from(i % width) / 40.0, f64::from(i / width) / 40.0);
                let value: f64 = waves.iter().map(|[a, b, c, w]| w * (a * x + b * y + c).sin()).sum();
                let level = (128.0 + 20.0 * value).clamp(0.0, 255.0) as u8;
                [level, level / 2 + 40, 255 - level / 3]
            })
            .collect();
        Image::new(width, height, pixels).unwrap()
    }

    fn distance(a: &Image, b: &Image) -> u32 {
        (difference_hash(a) ^ difference_hash(b)).count_ones()
    }

    #[test]
    fn a_resized_copy_is_near_and_another_picture_is_far() {
        for seed in 0..20 {
            let original = picture(seed);
            let small = Resizer::new().resize(&original, 64, 64, Fit::Squash, Filter::Bilinear);
            assert!(distance(&original, &small) <= 3, "{}", distance(&original, &small));
            assert!(distance(&original, &picture(seed + 100)) > 10);
        }
    }

    #[test]
    fn a_hash_says_where_it_gets_brighter() {
        let ramp = |rising: bool| {
            let pixels = (0..5 * 70u32)
                .flat_map(|i| [if rising { i % 70 * 3 } else { 210 - i % 70 * 3 } as u8; 3])
                .collect();
            difference_hash(&Image::new(70, 5, pixels).unwrap())
        };
        assert_eq!(ramp(true), u64::MAX);
        assert_eq!(ramp(false), 0);
        assert_eq!(difference_hash(&Image::filled(1, 1, [200; 3])), 0);
    }

    #[test]
    fn cells_divide_every_side_without_gap_or_overlap() {
        for length in 1..60 {
            for cells in [ROWS, COLUMNS] {
                let mut sums = vec![0; cells];
                for shares in overlaps(length, cells) {
                    assert_eq!(shares.iter().map(|&(_, share)| share).sum::<u32>(), cells as u32);
                    shares.iter().for_each(|&(cell, share)| sums[cell] += share);
                }
                assert_eq!(sums, vec![length as u32; cells]);
            }
        }
    }

    /// All pairs, and their transitive closure by repeated relabelling.
    fn groups_by_brute_force(hashes: &[u64], max_distance: u32) -> Vec<Vec<u32>> {
        let mut label: Vec<usize> = (0..hashes.len()).collect();
        loop {
            let before = label.clone();
            for a in 0..hashes.len() {
                for b in 0..hashes.len() {
                    if (hashes[a] ^ hashes[b]).count_ones() <= max_distance {
                        label[a] = label[a].min(label[b]);
                    }
                }
            }
            if label == before {
                break;
            }
        }
        (0..hashes.len())
            .map(|first| {
                (0..hashes.len()).filter(|&i| label[i] == first).map(|i| i as u32).collect::<Vec<_>>()
            })
            .filter(|group| group.len() > 1)
            .collect()
    }

    proptest! {
        #[test]
        fn grouping_is_exact_at_every_distance(
            centres in proptest::collection::vec(any::<u64>(), 1..6),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), proptest::collection::vec(0u32..64, 0..8)), 0..40),
            max_distance in 0u32..20,
        ) {
            let hashes: Vec<u64> = flips
                .iter()
                .map(|(centre, bits)| bits.iter().fold(*centre.get(&centres), |hash, bit| hash ^ (1 << bit)))
                .collect();
            prop_assert_eq!(near_duplicates(&hashes, max_distance), groups_by_brute_force(&hashes, max_distance));
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
    fn copies_are_found_by_content() {
        let hash = |text: &str| ContentHash::of(text.as_bytes());
        let ours = [hash("a"), hash("b"), hash("a"), hash("c")];
        let theirs = [hash("x"), hash("a"), hash("c"), hash("a")];
        assert_eq!(shared_copies(&ours, &theirs), [(0, 1), (2, 1), (3, 2)]);
        assert_eq!(shared_copies(&theirs, &[]), []);
    }
}
