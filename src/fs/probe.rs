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
    let decision = Decision::new(&**tree, &asked, all, reading.side, options.memory)?;
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
