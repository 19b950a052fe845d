//! A look ahead at reading: what would be kept of a listing, and what its images cost, from a few of them.

use rayon::prelude::*;

use super::FolderError;
use super::folder::{self, LoadOptions};
use super::keep::Decision;
use super::read::{Listing, ReadOptions, Reading};
use crate::data::{DataError, Entry, ImageSet, OnError, Preparation, Sample, Source as _};
use crate::random::{Purpose, permutation};
use crate::report::{Kept, Loading};
use crate::run::Observer;

/// Most images that are tried, and most bytes of their pixels.
const MOST: usize = 1024;
const MOST_BYTES: u64 = 256 << 20;

/// What reading a listing would take and keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Holdings {
    /// Bytes of all files.
    pub bytes: u64,
    /// What would be kept of the images whose pixels are asked for, and its bytes.
    pub loading: Loading,
    /// Bytes of the names, hashes and looks of all images.
    pub names: u64,
    /// What would be kept and why, as a run says it.
    pub sentence: String,
}

/// What a run of these options would keep of a listing. No file is opened.
///
/// # Errors
/// [`FolderError::Memory`], when there is no room for what a run keeps in any case.
pub fn holdings(listing: &Listing, options: &ReadOptions, reading: Reading) -> Result<Holdings, FolderError> {
    let Listing { tree, train, val, .. } = listing;
    let (all, asked) = (train.len() + val.len(), reading.wanted.of(train, val));
    let crop_from = reading.crops();
    let decision = Decision::new(&**tree, &asked, (all, reading.side, crop_from), options.memory)?;
    let size = |entry: &Entry| tree.size(&entry.path).unwrap_or(0);
    Ok(Holdings {
        bytes: train.par_iter().chain(val).map(size).sum(),
        loading: decision.loading(),
        names: Decision::least(all),
        sentence: decision.sentence(),
    })
}

/// A few images of a listing, and what they cost.
#[derive(Debug)]
pub struct Probed {
    /// The images, at the side of the run.
    pub images: ImageSet,
    /// What each of them is.
    pub samples: Vec<Sample>,
    /// Number of files that were tried and cannot be used.
    pub left_out: usize,
    /// Seconds that a file of the first pass takes, with all threads at work.
    pub first_pass: f64,
    /// Seconds that an image takes whenever it is used afterwards, with all threads at work.
    pub again: f64,
    /// Seconds that all of it took.
    pub seconds: f64,
}

/// Reads, decodes and prepares images drawn from all over a listing, for about so many seconds, as a run does that keeps `kept`.
///
/// # Errors
/// [`FolderError`] for a file that cannot be used where that is not tolerated, or where none of those tried can be used; and when the
/// observer stops the run.
pub fn probe(
    listing: &Listing,
    (side, on_error): (u32, OnError),
    kept: Kept,
    seconds: f64,
    observer: &dyn Observer,
) -> Result<Probed, FolderError> {
    let all = &listing.train;
    let most = (MOST_BYTES / ImageSet::bytes_of(1, side).max(1)).clamp(1, MOST as u64) as usize;
    let order = permutation(0, Purpose::Probe, 0, all.len());
    let mut rest = order.get(..most).unwrap_or(&order);
    let options = LoadOptions { how: Preparation::whole(side), on_error, kept };
    let threads = rayon::current_num_threads();
    let (mut samples, mut labels, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
    let (mut problems, mut tried, mut at_once) = (Vec::new(), 0, 4 * threads);
    let (mut first, mut again) = (0.0, 0.0);
    let (mut read_first, mut read_again) = (0.0, 0.0);
    let begun = observer.seconds();
    while !rest.is_empty() && (tried == 0 || observer.seconds() - begun < seconds) {
        let (now, later) = rest.split_at(at_once.min(rest.len()));
        (rest, at_once) = (later, 2 * at_once);
        tried += now.len();
        let entries = now.iter().map(|&place| all[place as usize].clone()).collect();
        let start = observer.seconds();
        let mut loaded = folder::load(&listing.tree, entries, &options, &|| !observer.wants_stop())?;
        first += observer.seconds() - start;
        read_first += loaded.spent.read;
        problems.append(&mut loaded.problems);
        samples.extend_from_slice(&loaded.samples);
        labels.extend(loaded.labels());
        let images = loaded.into_images();
        let start = observer.seconds();
        let fetched: Vec<Vec<u8>> = (0..images.len())
            .into_par_iter()
            .map(|image| Ok(images.fetch(image, &mut Vec::new())?.to_vec()))
            .collect::<Result<_, DataError>>()?;
        again += observer.seconds() - start;
        read_again += images.spent().read;
        fetched.iter().for_each(|image| pixels.extend_from_slice(image));
    }
    if observer.wants_stop() {
        return Err(FolderError::Stopped);
    }
    if let (true, Some(problem)) = (samples.is_empty(), problems.into_iter().next()) {
        return Err(DataError::File { path: problem.path, reason: problem.reason }.into());
    }
    // The second time files come out of the system's own memory, which a large set has no room in.
    let from_disk = ((read_first - read_again) / threads as f64).max(0.0);
    let of = |sum: f64| sum / tried.max(1) as f64;
    Ok(Probed {
        left_out: tried - samples.len(),
        first_pass: of(first),
        again: match kept {
            Kept::Pixels => 0.0,
            Kept::Files => of(again),
            Kept::Nothing => of(again + from_disk),
        },
        seconds: observer.seconds() - begun,
        images: ImageSet::from_parts(side, pixels, labels)?,
        samples,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::folder::testing::{JPEG, PNG, tree};
    use super::super::keep::Wanted;
    use super::super::read::list;
    use super::*;
    use crate::data::CropFrom;
    use crate::run::{Silent, Stage};

    /// An observer whose clock goes on by a second each time it is asked.
    #[derive(Default)]
    struct Ticking(AtomicU64);

    impl Observer for Ticking {
        fn say(&self, _text: &str) {}
        fn warn(&self, _text: &str) {}
        fn stage(&self, _name: &'static str, _unit: &'static str, _total: usize) -> Box<dyn Stage + '_> {
            Box::new(Silent)
        }
        fn wants_stop(&self) -> bool {
            false
        }
        fn seconds(&self) -> f64 {
            self.0.fetch_add(1, Ordering::Relaxed) as f64
        }
    }

    fn listing(torn: usize) -> (tempfile::TempDir, Listing, ReadOptions) {
        let torn_bytes = &JPEG[..300];
        let files: Vec<(String, &[u8])> = (0..60)
            .map(|i| {
                let bytes = if i < torn { torn_bytes } else { [JPEG, PNG][i % 2] };
                (format!("{}/{i:02}", ["a", "b"][i % 2]), bytes)
            })
            .collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
        let root = tree(&files);
        let options = ReadOptions::new(root.path());
        let listing = list(&options, 0, &Silent).unwrap();
        (root, listing, options)
    }

    #[test]
    fn a_probe_is_of_real_images_and_ends_with_its_time_or_its_images() {
        let (_root, listing, _) = listing(0);
        let of = |seconds| probe(&listing, (8, OnError::Fail), Kept::Nothing, seconds, &Ticking::default());
        let short = of(0.0).unwrap();
        let first = short.samples.len();
        assert!(first > 0 && first <= listing.train.len());
        let all = of(1e9).unwrap();
        assert_eq!(all.samples.len(), listing.train.len());
        for (place, sample) in all.samples.iter().enumerate() {
            let entry = listing.train.iter().find(|entry| entry.path == sample.path).unwrap();
            assert_eq!(entry.class, sample.class);
            assert_eq!(all.images.labels()[place], sample.class);
        }
        // A second on the clock for each batch of images.
        assert!(all.first_pass > 0.0 && all.first_pass <= 1.0 && all.again > 0.0);
        let pixels = probe(&listing, (8, OnError::Fail), Kept::Pixels, 1e9, &Ticking::default()).unwrap();
        assert_eq!((pixels.again, pixels.images), (0.0, all.images));
    }

    #[test]
    fn files_that_cannot_be_used_are_counted_or_end_the_probe() {
        let (_root, listing, _) = listing(20);
        let of = |on_error| probe(&listing, (8, on_error), Kept::Files, 1e9, &Silent);
        let probed = of(OnError::Skip).unwrap();
        assert_eq!(probed.samples.len() + probed.left_out, listing.train.len());
        assert!(probed.left_out > 0);
        assert!(matches!(of(OnError::Fail), Err(FolderError::Data(DataError::File { .. }))));
        let (_root, listing, _) = self::listing(60);
        let error = probe(&listing, (8, OnError::Skip), Kept::Files, 1e9, &Silent).unwrap_err();
        assert!(matches!(error, FolderError::Data(DataError::File { .. })), "{error}");
    }

    #[test]
    fn holdings_are_those_of_a_run() {
        let (_root, listing, options) = listing(0);
        let reading = Reading {
            side: 8,
            val_short: None,
            wanted: Wanted { train: true, val: false },
            crop_from: CropFrom::Square,
        };
        let held = holdings(&listing, &options, reading).unwrap();
        assert_eq!(held.bytes, 30 * (JPEG.len() + PNG.len()) as u64);
        let pixels = ImageSet::bytes_of(listing.train.len() as u64, 8);
        assert_eq!(held.loading, Loading { kept: Kept::Pixels, memory_bytes: pixels });
        let less = ReadOptions { memory: Some(pixels - 1), ..options };
        assert_ne!(holdings(&listing, &less, reading).unwrap().loading.kept, Kept::Pixels);
    }
}
