//! The order of samples with equal scores: seeded, and the same however the samples are listed.

use crate::random::{Purpose, Stream};

/// Place of every sample in the byte order of the paths, which does not depend on the order in which a folder was read.
pub(crate) fn path_places<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<u32> {
    let paths: Vec<&str> = paths.into_iter().collect();
    let mut order: Vec<u32> = (0..paths.len() as u32).collect();
    order.sort_by_key(|&i| paths[i as usize]);
    let mut places = vec![0; paths.len()];
    for (place, &i) in order.iter().enumerate() {
        places[i as usize] = place as u32;
    }
    places
}

/// A random key for each of these places, drawn for `purpose`.
pub(crate) fn keys(seed: u64, purpose: Purpose, places: &[u32]) -> Vec<u64> {
    crate::parallel::map(places, |_, &place| Stream::new(seed, purpose, 0, u64::from(place)).next_u64())
}
