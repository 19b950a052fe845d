//! Reads images of a folder into memory.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::memory::free_memory;
use super::super::tree::Tree;
use super::FolderError;
use crate::data::{
    DataError, Entry, ImageSet, Look, OnError, Preparation, Prepared, Problem, Resizer, Sample, prepare,
};

/// Options for loading images into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Size of the images in memory, and the way they are resized.
    pub how: Preparation,
    /// Treatment of a file that cannot be used.
    pub on_error: OnError,
}

/// Images in memory, in the order of the entries they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Their pixels and labels.
    pub images: ImageSet,
    /// Path, class and hash of each image.
    pub samples: Vec<Sample>,
    /// Perceptual hash of each image.
    pub looks: Vec<Look>,
    /// Size of each image's file in bytes.
    pub sizes: Vec<u64>,
    /// Files that were left out.
    pub problems: Vec<Problem>,
    /// The class of each of them.
    pub skipped: Vec<u32>,
}

impl Loaded {
    /// Total size of the files in bytes.
    pub fn bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Moves the images marked `true` in `apart` into a set of their own; both sets keep their order. The problems stay with
    /// this one. Memory: that of the moved images, in addition to that of the whole set.
    ///
    /// # Errors
    /// [`DataError`] only when pixels and labels do not fit each other.
    ///
    /// # Panics
    /// When `apart` does not have one mark for each image.
    pub fn split_off(&mut self, apart: &[bool]) -> Result<Self, DataError> {
        assert_eq!(apart.len(), self.samples.len(), "one mark for each image");
        let side = self.images.side();
        let image_bytes = side as usize * side as usize * 3;
        let (mut pixels, labels) = std::mem::take(&mut self.images).into_parts();
        let taken = apart.iter().filter(|&&apart| apart).count();
        let mut others = Vec::with_capacity(taken * image_bytes);
        let mut kept = 0;
        for (place, &apart) in apart.iter().enumerate() {
            let image = place * image_bytes..(place + 1) * image_bytes;
            if apart {
                others.extend_from_slice(&pixels[image]);
            } else {
                pixels.copy_within(image, kept * image_bytes);
                kept += 1;
            }
        }
        pixels.truncate(kept * image_bytes);
        let (labels, of_others) = parted(labels, apart);
        self.images = ImageSet::from_parts(side, pixels, labels)?;
        let (samples, other_samples) = parted(std::mem::take(&mut self.samples), apart);
        let (looks, other_looks) = parted(std::mem::take(&mut self.looks), apart);
        let (sizes, other_sizes) = parted(std::mem::take(&mut self.sizes), apart);
        (self.samples, self.looks, self.sizes) = (samples, looks, sizes);
        Ok(Self {
            images: ImageSet::from_parts(side, others, of_others)?,
            samples: other_samples,
            looks: other_looks,
            sizes: other_sizes,
            problems: Vec::new(),
            skipped: Vec::new(),
        })
    }
}

/// Splits a list into the entries that stay and those marked in `apart`.
fn parted<T>(all: Vec<T>, apart: &[bool]) -> (Vec<T>, Vec<T>) {
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    for (one, &apart) in all.into_iter().zip(apart) {
        if apart { &mut taken } else { &mut kept }.push(one);
    }
    (kept, taken)
}

/// Reads, decodes and resizes the images of `entries`, files of `tree`.
///
/// Files are read in parallel, and the result is the same for any number of threads. Memory: the
/// result, and for each thread one file with its decoded image. `progress` is called for each file that is
/// done, from many threads; once it returns `false`, no further file is read.
///
/// # Errors
/// [`FolderError::Stopped`], when `progress` returned `false`.
/// With [`OnError::Fail`] the first file, in the order of the entries, that cannot be used
/// ([`DataError::File`]).
///
/// # Panics
/// When `side` is 0 or larger than `val_short`.
pub fn load(
    tree: &dyn Tree,
    entries: &[Entry],
    options: &LoadOptions,
    progress: &(dyn Fn() -> bool + Sync),
) -> Result<Loaded, FolderError> {
    let side = options.how.side;
    let image_bytes = side as usize * side as usize * 3;
    let free = free_memory();
    let too_many = || FolderError::Memory { images: entries.len(), side, free };
    let block = entries.len().checked_mul(image_bytes).ok_or_else(too_many)?;
    if free.is_some_and(|free| block as u64 > free) {
        return Err(too_many());
    }
    let mut pixels = vec![0u8; block];
    // Place of the first file that failed: the files after it need not be read to report it.
    let failed = AtomicUsize::new(usize::MAX);
    let stopped = AtomicBool::new(false);
    let files: Vec<Option<Result<File, NotRead>>> = pixels
        .par_chunks_exact_mut(image_bytes)
        .zip(entries)
        .enumerate()
        .map_init(Resizer::new, |resizer, (place, (out, entry))| {
            if place > failed.load(Ordering::Relaxed) || stopped.load(Ordering::Relaxed) {
                return None;
            }
            let file = load_one(tree, &entry.path, options, resizer, out);
            let ends = |why: &NotRead| matches!(why, NotRead::Failed(_)) || options.on_error == OnError::Fail;
            if file.as_ref().is_err_and(ends) {
                failed.fetch_min(place, Ordering::Relaxed);
            }
            if !progress() {
                stopped.store(true, Ordering::Relaxed);
            }
            Some(file)
        })
        .collect();
    if stopped.into_inner() {
        return Err(FolderError::Stopped);
    }

    let mut samples = Vec::with_capacity(entries.len());
    let mut labels = Vec::with_capacity(entries.len());
    let mut looks = Vec::with_capacity(entries.len());
    let mut sizes = Vec::with_capacity(entries.len());
    let (mut problems, mut skipped) = (Vec::new(), Vec::new());
    for (place, (entry, file)) in entries.iter().zip(files).enumerate() {
        match file {
            Some(Ok(file)) => {
                // Images close up over those left out.
                if samples.len() < place {
                    pixels.copy_within(
                        place * image_bytes..(place + 1) * image_bytes,
                        samples.len() * image_bytes,
                    );
                }
                samples.push(Sample { path: entry.path.clone(), class: entry.class, hash: file.about.hash });
                labels.push(entry.class);
                looks.push(file.about.look);
                sizes.push(file.bytes);
            }
            Some(Err(NotRead::Failed(why))) => {
                return Err(FolderError::ReadFailed { path: tree.place(&entry.path), why });
            }
            Some(Err(NotRead::Unusable(reason))) if options.on_error == OnError::Fail => {
                return Err(DataError::File { path: entry.path.clone(), reason }.into());
            }
            Some(Err(NotRead::Unusable(reason))) => {
                problems.push(Problem { path: entry.path.clone(), reason });
                skipped.push(entry.class);
            }
            None => {}
        }
    }
    pixels.truncate(samples.len() * image_bytes);
    if !problems.is_empty() {
        pixels.shrink_to_fit();
    }
    let images = ImageSet::from_parts(options.how.side, pixels, labels)?;
    Ok(Loaded { images, samples, looks, sizes, problems, skipped })
}

/// Facts of a file that are kept besides its pixels.
struct File {
    about: Prepared,
    bytes: u64,
}

/// Why a file gave no image.
enum NotRead {
    /// It was read, and is no image that can be used.
    Unusable(String),
    /// It could not be read.
    Failed(io::Error),
}

fn load_one(
    tree: &dyn Tree,
    path: &str,
    options: &LoadOptions,
    resizer: &mut Resizer,
    out: &mut [u8],
) -> Result<File, NotRead> {
    let bytes = match tree.read(path, options.how.limits.max_bytes) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::FileTooLarge => {
            return Err(NotRead::Unusable(why.to_string()));
        }
        Err(why) => return Err(NotRead::Failed(why)),
    };
    let about =
        prepare(&bytes, &options.how, resizer, out).map_err(|error| NotRead::Unusable(error.to_string()))?;
    Ok(File { about, bytes: bytes.len() as u64 })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::super::super::tree::Disk;
    use super::super::scan;
    use super::super::testing::{JPEG, PNG, tree};
    use super::*;
    use crate::data::{self, ContentHash, Filter, Fit, Folder, Limits};
    use crate::fault::{Fault, Faulty as _};

    const OPTIONS: LoadOptions = LoadOptions {
        how: Preparation {
            side: 8,
            fit: Fit::Squash,
            filter: Filter::Bilinear,
            val_short: None,
            limits: Limits { max_width: 100, max_height: 100, max_bytes: 10_000 },
        },
        on_error: OnError::Skip,
    };

    fn entries(root: &Path) -> Vec<Entry> {
        Folder::from_paths(scan(root).unwrap().paths).unwrap().train
    }

    #[test]
    fn files_that_cannot_be_used_are_left_out_and_listed() {
        let root = tree(&[
            ("a/1.jpg", JPEG),
            ("a/2.jpg", &JPEG[..300]),
            ("a/3.jpg", PNG),
            ("b/1.png", b"no image"),
            ("b/2.png", PNG),
            ("b/3.png", &[0; 10_001]),
        ]);
        let entries = entries(root.path());
        let done = Mutex::new(0);
        let loaded = load(&Disk::new(root.path()), &entries, &OPTIONS, &|| {
            *done.lock().unwrap() += 1;
            true
        })
        .unwrap();
        assert_eq!(*done.lock().unwrap(), 6);
        let paths: Vec<_> = loaded.samples.iter().map(|sample| sample.path.as_str()).collect();
        assert_eq!(paths, ["a/1.jpg", "a/3.jpg", "b/2.png"]);
        assert_eq!(loaded.images.labels(), [0, 0, 1]);
        assert_eq!(loaded.bytes(), (JPEG.len() + 2 * PNG.len()) as u64);
        assert_eq!(loaded.samples[1].hash, ContentHash::of(PNG));
        assert_eq!(loaded.looks[1], loaded.looks[2]);
        let problems: Vec<_> =
            loaded.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.reason)).collect();
        assert_eq!(
            problems,
            [
                "a/2.jpg: the JPEG file ends before its image is complete",
                "b/1.png: this is not an image; JPEG, PNG, WebP, BMP and GIF are read",
                "b/3.png: a file of 10001 bytes exceeds the limit of 10000",
            ]
        );
        // Each image lies where its label does.
        let mut resizer = Resizer::new();
        for (place, bytes) in [JPEG, PNG, PNG].iter().enumerate() {
            let image = data::decode(bytes, &Limits::default()).unwrap();
            let image = resizer.resize(&image, 8, 8, Fit::Squash, Filter::Bilinear);
            assert_eq!(loaded.images.image(place), image.pixels());
        }
    }

    #[test]
    fn a_part_is_split_off_with_all_that_belongs_to_it() {
        let root = tree(&[("a/1.jpg", JPEG), ("a/2.png", PNG), ("b/1.png", PNG), ("b/2.jpg", JPEG)]);
        let whole = load(&Disk::new(root.path()), &entries(root.path()), &OPTIONS, &|| true).unwrap();
        let mut rest = whole.clone();
        let part = rest.split_off(&[false, true, false, true]).unwrap();
        for (set, places) in [(&rest, [0, 2]), (&part, [1, 3])] {
            assert_eq!(set.images.len(), 2);
            for (at, place) in places.into_iter().enumerate() {
                assert_eq!(set.images.image(at), whole.images.image(place));
                assert_eq!(set.images.labels()[at], whole.images.labels()[place]);
                assert_eq!(set.samples[at], whole.samples[place]);
                assert_eq!((set.looks[at], set.sizes[at]), (whole.looks[place], whole.sizes[place]));
            }
        }
        assert_eq!(rest.bytes() + part.bytes(), whole.bytes());
    }

    #[test]
    fn the_first_bad_file_ends_the_run_where_that_is_asked() {
        let files: Vec<(String, &[u8])> = (0..40)
            .map(|i| (format!("{}/{i:02}.png", ["a", "b"][i % 2]), if i % 10 == 7 { &b"x"[..] } else { PNG }))
            .collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
        let root = tree(&files);
        let options = LoadOptions { on_error: OnError::Fail, ..OPTIONS };
        for threads in [1, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let entries = entries(root.path());
            let error =
                pool.install(|| load(&Disk::new(root.path()), &entries, &options, &|| true)).unwrap_err();
            assert!(matches!(
                &error,
                FolderError::Data(DataError::File { path, .. }) if path == "b/07.png"
            ));
            assert!(error.to_string().contains("`on-error` skip"), "{error}");
        }
    }

    #[test]
    fn any_number_of_threads_loads_the_same() {
        let root = tree(&[("a/1", JPEG), ("a/2", b"?"), ("b/1", PNG), ("b/2", JPEG), ("b/3", b"")]);
        let entries = entries(root.path());
        let options = LoadOptions { how: Preparation { val_short: Some(12), ..OPTIONS.how }, ..OPTIONS };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| load(&Disk::new(root.path()), &entries, &options, &|| true)).unwrap()
        };
        let one = with(1);
        assert_eq!(one, with(3));
        assert_eq!((one.images.len(), one.problems.len()), (3, 2));
    }

    #[test]
    fn nothing_to_load_is_an_empty_set() {
        let loaded = load(&Disk::new("."), &[], &OPTIONS, &|| true).unwrap();
        assert!(loaded.images.is_empty() && loaded.problems.is_empty());
    }

    #[test]
    fn reading_ends_soon_after_it_was_stopped() {
        let root = tempfile::tempdir().unwrap();
        let entries: Vec<Entry> = (0..64).map(|i| Entry { path: format!("a/{i}.png"), class: 0 }).collect();
        let asked = AtomicUsize::new(0);
        let stop = || {
            asked.fetch_add(1, Ordering::Relaxed);
            false
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let error = pool.install(|| load(&Disk::new(root.path()), &entries, &OPTIONS, &stop)).unwrap_err();
        assert!(matches!(error, FolderError::Stopped));
        assert_eq!(asked.into_inner(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_error_of_reading_is_no_bad_image_and_ends_the_run() {
        use std::os::unix::fs::symlink;

        // Reading a process's memory at 0 is an input error (EIO).
        let root = tree(&[("a/1.jpg", JPEG), ("b/1.png", PNG)]);
        symlink("/proc/self/mem", root.path().join("a/2.jpg")).unwrap();
        let entries = entries(root.path());
        for on_error in [OnError::Skip, OnError::Fail] {
            let error =
                load(&Disk::new(root.path()), &entries, &LoadOptions { on_error, ..OPTIONS }, &|| true)
                    .unwrap_err();
            assert!(
                matches!(&error, FolderError::ReadFailed { path, .. } if path.ends_with("a/2.jpg")),
                "{error}"
            );
            assert_eq!(error.fault(), Fault::Run);
        }
        let gone = [Entry { path: "a/3.jpg".to_owned(), class: 0 }];
        let error = load(&Disk::new(root.path()), &gone, &OPTIONS, &|| true).unwrap_err();
        assert_eq!(error.fault(), Fault::Data);
    }
}
