//! Labelled folders on disk: listing their files, and reading them into memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::memory::free_memory;
use super::regular::read_regular;
use crate::data::{
    DataError, Entry, ImageSet, Look, OnError, Preparation, Prepared, Problem, Resizer, Sample, prepare,
};
use crate::fault::{Fault, Faulty};
use crate::report::words::bytes as in_words;

/// A folder that could not be listed, or images that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder cannot be opened.
    #[error("cannot read the folder '{}': {why}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The file system's reason.
        why: std::io::Error,
    },
    /// A file where a folder should be.
    #[error("'{}' is a file; give the folder that holds the class folders", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A share to hold out, where there are validation images.
    #[error(
        "`val-fraction` has no effect: {} has a val/ folder to measure on; leave the option out, or move the folder \
         away to have images held out",
        folder.display()
    )]
    ValIsThere {
        /// The folder.
        folder: PathBuf,
    },
    /// A class none of whose training images can be read.
    #[error("class '{class}' has no training image that can be read; remove its folder or repair its files")]
    EmptyClass {
        /// Name of the class.
        class: String,
    },
    /// More pixels than there is memory for.
    #[error(
        "{images} images of {side}x{side} pixels take {} of memory{}; lower `image-size`",
        in_words(crate::data::ImageSet::bytes_of(*images as u64, *side)),
        free.map_or(String::new(), |free| format!(", and {} are free", in_words(free)))
    )]
    Memory {
        /// Number of images.
        images: usize,
        /// Width and height of each in pixels.
        side: u32,
        /// Bytes that are free, where the system tells.
        free: Option<u64>,
    },
    /// The files are not images of classes, or one of them cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The caller asked to stop.
    #[error("reading was stopped before all images were read")]
    Stopped,
}

impl Faulty for FolderError {
    fn fault(&self) -> Fault {
        match self {
            Self::ValIsThere { .. } | Self::Memory { .. } => Fault::Usage,
            Self::Unreadable { .. } | Self::NotAFolder { .. } | Self::EmptyClass { .. } => Fault::Data,
            Self::Data(error) => error.fault(),
            Self::Stopped => Fault::Stopped,
        }
    }
}

/// The files of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Paths relative to the folder, with `/` between their parts, in byte order.
    pub paths: Vec<String>,
    /// Entries that could not be listed: loops of links, broken links, unreadable folders, names that are not
    /// UTF-8. In byte order of the paths.
    pub problems: Vec<Problem>,
}

/// Lists the files of a folder and the folders within it. Symbolic links are followed; one that leads
/// back to a folder it lies in is reported and not entered.
///
/// # Errors
/// When `root` is not a folder that can be read.
pub fn scan(root: &Path) -> Result<Scan, FolderError> {
    let unreadable = |why: std::io::Error| FolderError::Unreadable { path: root.to_owned(), why };
    let about = fs::metadata(root).map_err(unreadable)?;
    if !about.is_dir() {
        return Err(FolderError::NotAFolder { path: root.to_owned() });
    }
    fs::read_dir(root).map_err(unreadable)?;

    let mut found = Scan::default();
    for entry in WalkDir::new(root).follow_links(true).min_depth(1) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) => match relative(root, entry.path()) {
                Ok(path) if entry.file_type().is_file() => found.paths.push(path),
                Ok(path) => found.problems.push(Problem { path, reason: "not a regular file".to_owned() }),
                Err(path) => {
                    let reason = "the name is not UTF-8; rename the file".to_owned();
                    found.problems.push(Problem { path, reason });
                }
            },
            Err(error) => {
                let path = error
                    .path()
                    .map_or_else(String::new, |path| relative(root, path).unwrap_or_else(|lossy| lossy));
                let reason = match (error.loop_ancestor(), error.io_error()) {
                    (Some(_), _) => "a link to a folder it lies in; not followed".to_owned(),
                    (None, Some(io)) => io.to_string(),
                    (None, None) => error.to_string(),
                };
                found.problems.push(Problem { path, reason });
            }
        }
    }
    found.paths.sort_unstable();
    found.problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A path as [`Sample`] writes it; as `Err`, with replacement characters, where it is not UTF-8.
fn relative(root: &Path, path: &Path) -> Result<String, String> {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| path.to_string_lossy().into_owned())
}

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

/// Reads, decodes and resizes the images of `entries`, which lie below `root`.
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
    root: &Path,
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
    let files: Vec<Option<Result<File, String>>> = pixels
        .par_chunks_exact_mut(image_bytes)
        .zip(entries)
        .enumerate()
        .map_init(Resizer::new, |resizer, (place, (out, entry))| {
            if place > failed.load(Ordering::Relaxed) || stopped.load(Ordering::Relaxed) {
                return None;
            }
            let file = load_one(&root.join(&entry.path), options, resizer, out);
            if file.is_err() && options.on_error == OnError::Fail {
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
    let mut problems = Vec::new();
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
            Some(Err(reason)) if options.on_error == OnError::Fail => {
                return Err(DataError::File { path: entry.path.clone(), reason }.into());
            }
            Some(Err(reason)) => problems.push(Problem { path: entry.path.clone(), reason }),
            None => {}
        }
    }
    pixels.truncate(samples.len() * image_bytes);
    if !problems.is_empty() {
        pixels.shrink_to_fit();
    }
    let images = ImageSet::from_parts(options.how.side, pixels, labels)?;
    Ok(Loaded { images, samples, looks, sizes, problems })
}

/// Facts of a file that are kept besides its pixels.
struct File {
    about: Prepared,
    bytes: u64,
}

fn load_one(
    path: &Path,
    options: &LoadOptions,
    resizer: &mut Resizer,
    out: &mut [u8],
) -> Result<File, String> {
    let limits = options.how.limits;
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > limits.max_bytes {
        return Err(format!("a file of {size} bytes exceeds the limit of {}", limits.max_bytes));
    }
    let bytes = read_regular(path).map_err(|error| error.to_string())?;
    let about = prepare(&bytes, &options.how, resizer, out).map_err(|error| error.to_string())?;
    Ok(File { about, bytes: bytes.len() as u64 })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::data::{self, ContentHash, Filter, Fit, Folder, Limits};

    const JPEG: &[u8] = include_bytes!("../../tests/data/decode/baseline.jpg");
    const PNG: &[u8] = include_bytes!("../../tests/data/decode/rgba.png");
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

    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        root
    }

    fn entries(root: &Path) -> Vec<Entry> {
        Folder::from_paths(scan(root).unwrap().paths).unwrap().train
    }

    #[test]
    fn a_folder_is_listed_in_byte_order() {
        let root = tree(&[("b/2.jpg", b""), ("b/10.jpg", b""), ("a/x/y.png", b""), ("B.txt", b"")]);
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["B.txt", "a/x/y.png", "b/10.jpg", "b/2.jpg"]);
        assert_eq!(found.problems, []);
    }

    #[test]
    fn what_is_no_folder_is_named() {
        let root = tree(&[("a.txt", b"")]);
        let error = scan(&root.path().join("a.txt")).unwrap_err().to_string();
        assert!(error.contains("a.txt' is a file; give the folder"), "{error}");
        let error = scan(&root.path().join("missing")).unwrap_err().to_string();
        assert!(error.contains("missing'"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_and_broken_links_reported() {
        use std::os::unix::fs::symlink;

        let root = tree(&[("cat/1.jpg", JPEG)]);
        let elsewhere = tree(&[("2.jpg", JPEG)]);
        symlink(elsewhere.path(), root.path().join("dog")).unwrap();
        symlink(root.path(), root.path().join("cat/loop")).unwrap();
        symlink(root.path().join("nowhere"), root.path().join("cat/broken.jpg")).unwrap();
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["cat/1.jpg", "dog/2.jpg"]);
        let problems: Vec<_> = found.problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(problems, ["cat/broken.jpg", "cat/loop"]);
        assert!(found.problems[1].reason.starts_with("a link to a folder it lies in"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_is_a_problem_and_not_an_error() {
        use std::os::unix::ffi::OsStrExt as _;

        let root = tree(&[("cat/1.jpg", JPEG)]);
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"cat/\xff.jpg")), JPEG).unwrap();
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["cat/1.jpg"]);
        assert_eq!(found.problems[0].path, "cat/\u{fffd}.jpg");
        assert!(found.problems[0].reason.contains("not UTF-8"));
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
        let loaded = load(root.path(), &entries, &OPTIONS, &|| {
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
        let whole = load(root.path(), &entries(root.path()), &OPTIONS, &|| true).unwrap();
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
            let error = pool.install(|| load(root.path(), &entries, &options, &|| true)).unwrap_err();
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
            pool.install(|| load(root.path(), &entries, &options, &|| true)).unwrap()
        };
        let one = with(1);
        assert_eq!(one, with(3));
        assert_eq!((one.images.len(), one.problems.len()), (3, 2));
    }

    #[test]
    fn nothing_to_load_is_an_empty_set() {
        let loaded = load(Path::new("."), &[], &OPTIONS, &|| true).unwrap();
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
        let error = pool.install(|| load(root.path(), &entries, &OPTIONS, &stop)).unwrap_err();
        assert!(matches!(error, FolderError::Stopped));
        assert_eq!(asked.into_inner(), 1);
    }
}
