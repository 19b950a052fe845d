//! Reads all images of a folder once: what they are, and as much of them as is to be kept in memory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::streamed::{Clocks, Held, Streamed};
use super::super::tree::Tree;
use super::FolderError;
use crate::data::{
    ContentHash, CropFrom, DataError, Entry, ImageSet, Look, OnError, Preparation, Problem, Resizer, Sample,
    Spent, decode,
};
use crate::report::Kept;

/// Files that are read before what is known of them is put in order: so many results are in memory at once.
const AT_ONCE: usize = 4096;

/// Options for reading images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) struct LoadOptions {
    /// Size of the images, and the way they are resized.
    pub(in crate::fs) how: Preparation,
    /// Treatment of a file that cannot be used.
    pub(in crate::fs) on_error: OnError,
    /// What is kept of them in memory.
    pub(in crate::fs) kept: Kept,
}

/// Images that were read, in the order of the entries they came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    tree: Arc<dyn Tree>,
    how: Preparation,
    held: Held,
    /// Path, class and hash of each image.
    pub samples: Vec<Sample>,
    /// Perceptual hash of each image.
    pub looks: Vec<Look>,
    /// Size of each image's file in bytes.
    pub sizes: Vec<u64>,
    /// Width and height of each image as it was decoded, where views are cut out of that.
    canvases: Vec<(u32, u32)>,
    /// Files that were left out.
    pub problems: Vec<Problem>,
    /// The class of each of them.
    pub skipped: Vec<u32>,
    /// What was spent on reading them.
    pub spent: Spent,
}

impl Loaded {
    /// The class of each image.
    pub fn labels(&self) -> Vec<u32> {
        self.samples.iter().map(|sample| sample.class).collect()
    }

    /// Total size of the files in bytes.
    pub fn bytes(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// Moves the images marked `true` in `apart` into a set of their own; both sets keep their order. The problems stay with
    /// this one. Memory: that of the moved images, in addition to that of the whole set.
    ///
    /// # Panics
    /// When `apart` does not have one mark for each image.
    #[must_use]
    pub fn split_off(&mut self, apart: &[bool]) -> Self {
        assert_eq!(apart.len(), self.samples.len(), "one mark for each image");
        let size = ImageSet::bytes_of(1, self.how.side) as usize;
        let held = self.held.split_off(apart, size);
        let (samples, other_samples) = parted(std::mem::take(&mut self.samples), apart);
        let (looks, other_looks) = parted(std::mem::take(&mut self.looks), apart);
        let (sizes, other_sizes) = parted(std::mem::take(&mut self.sizes), apart);
        // None where they are not asked for.
        let canvases = std::mem::take(&mut self.canvases);
        let (canvases, other_canvases) = match canvases.is_empty() {
            true => (Vec::new(), Vec::new()),
            false => parted(canvases, apart),
        };
        (self.samples, self.looks, self.sizes, self.canvases) = (samples, looks, sizes, canvases);
        Self {
            tree: self.tree.clone(),
            how: self.how,
            held,
            samples: other_samples,
            looks: other_looks,
            sizes: other_sizes,
            canvases: other_canvases,
            problems: Vec::new(),
            skipped: Vec::new(),
            spent: Spent::default(),
        }
    }

    /// The images as a run asks for them.
    pub fn into_images(self) -> Streamed {
        Streamed::new(self.tree, self.how, self.samples.into(), self.held, self.canvases)
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

/// Reads and decodes the images of `entries`, files of `tree`, and keeps of them what the options say.
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
pub(in crate::fs) fn load(
    tree: &Arc<dyn Tree>,
    mut entries: Vec<Entry>,
    options: &LoadOptions,
    progress: &(dyn Fn() -> bool + Sync),
) -> Result<Loaded, FolderError> {
    let size = ImageSet::bytes_of(1, options.how.side) as usize;
    let count = entries.len();
    let mut loaded = Loaded {
        tree: tree.clone(),
        how: options.how,
        held: match options.kept {
            Kept::Pixels => Held::Pixels(vec![0; count * size]),
            Kept::Files => Held::Files(Vec::with_capacity(count)),
            Kept::Nothing => Held::Nothing,
        },
        samples: Vec::with_capacity(count),
        looks: Vec::with_capacity(count),
        sizes: Vec::with_capacity(count),
        canvases: Vec::new(),
        problems: Vec::new(),
        skipped: Vec::new(),
        spent: Spent::default(),
    };
    let pass =
        Pass { tree: &**tree, options, clocks: Clocks::default(), stopped: AtomicBool::new(false), progress };
    for (number, entries) in entries.chunks_mut(AT_ONCE).enumerate() {
        let before = number * AT_ONCE;
        let files = match &mut loaded.held {
            Held::Pixels(pixels) => {
                let places = &mut pixels[before * size..][..entries.len() * size];
                pass.over(places.par_chunks_exact_mut(size).map(Some).zip(&*entries))
            }
            _ => pass.over(entries.par_iter().map(|entry| (None, entry))),
        };
        if pass.stopped.load(Ordering::Relaxed) {
            return Err(FolderError::Stopped);
        }
        for (place, (entry, file)) in (before..).zip(entries.iter_mut().zip(files)) {
            let (path, class) = (std::mem::take(&mut entry.path), entry.class);
            match file {
                Some(Ok(File { hash, look, bytes, canvas, kept })) => {
                    let to = loaded.samples.len();
                    match (&mut loaded.held, kept) {
                        // Images close up over those left out.
                        (Held::Pixels(pixels), _) if to < place => {
                            pixels.copy_within(place * size..(place + 1) * size, to * size);
                        }
                        (Held::Files(files), Some(bytes)) => files.push(bytes),
                        _ => {}
                    }
                    loaded.samples.push(Sample { path, class, hash });
                    loaded.looks.push(look);
                    loaded.sizes.push(bytes);
                    if options.how.crop_from == CropFrom::Image {
                        loaded.canvases.push(canvas);
                    }
                }
                Some(Err(NotRead::Failed(why))) => {
                    return Err(FolderError::ReadFailed { path: tree.place(&path), why });
                }
                Some(Err(NotRead::Unusable(reason))) if options.on_error == OnError::Fail => {
                    return Err(DataError::File { path, reason }.into());
                }
                Some(Err(NotRead::Unusable(reason))) => {
                    loaded.problems.push(Problem { path, reason });
                    loaded.skipped.push(class);
                }
                None => {}
            }
        }
    }
    if let Held::Pixels(pixels) = &mut loaded.held {
        pixels.truncate(loaded.samples.len() * size);
        if !loaded.problems.is_empty() {
            pixels.shrink_to_fit();
        }
    }
    loaded.spent = pass.clocks.spent();
    Ok(loaded)
}

/// The pass over all files.
struct Pass<'a> {
    tree: &'a dyn Tree,
    options: &'a LoadOptions,
    clocks: Clocks,
    stopped: AtomicBool,
    progress: &'a (dyn Fn() -> bool + Sync),
}

/// Facts of a file that are kept besides its pixels.
struct File {
    hash: ContentHash,
    look: Look,
    bytes: u64,
    /// Width and height of the decoded image.
    canvas: (u32, u32),
    /// The file itself, where it is kept.
    kept: Option<Box<[u8]>>,
}

/// Why a file gave no image.
enum NotRead {
    /// It was read, and is no image that can be used.
    Unusable(String),
    /// It could not be read.
    Failed(io::Error),
}

impl Pass<'_> {
    /// Reads some files, each into its place if it has one. Files after one that ends the run may be left out.
    fn over<'b>(
        &self,
        files: impl IndexedParallelIterator<Item = (Option<&'b mut [u8]>, &'b Entry)>,
    ) -> Vec<Option<Result<File, NotRead>>> {
        // Place of the first file that failed: the files after it need not be read to report it.
        let failed = AtomicUsize::new(usize::MAX);
        files
            .enumerate()
            .map_init(Resizer::new, |resizer, (place, (out, entry))| {
                if place > failed.load(Ordering::Relaxed) || self.stopped.load(Ordering::Relaxed) {
                    return None;
                }
                let file = self.one(&entry.path, resizer, out);
                let ends = |why: &NotRead| {
                    matches!(why, NotRead::Failed(_)) || self.options.on_error == OnError::Fail
                };
                if file.as_ref().is_err_and(ends) {
                    failed.fetch_min(place, Ordering::Relaxed);
                }
                if !(self.progress)() {
                    self.stopped.store(true, Ordering::Relaxed);
                }
                Some(file)
            })
            .collect()
    }

    fn one(&self, path: &str, resizer: &mut Resizer, out: Option<&mut [u8]>) -> Result<File, NotRead> {
        let Self { options: LoadOptions { how, kept, .. }, clocks, .. } = self;
        let read = clocks.reading(|| {
            let bytes = self.tree.read(path, how.limits.max_bytes)?;
            Ok::<_, io::Error>((ContentHash::of(&bytes), bytes))
        });
        let (hash, bytes) = match read {
            Ok(read) => read,
            Err(why) if why.kind() == io::ErrorKind::FileTooLarge => {
                return Err(NotRead::Unusable(why.to_string()));
            }
            Err(why) => return Err(NotRead::Failed(why)),
        };
        let image = clocks
            .decoding(|| decode(&bytes, &how.limits))
            .map_err(|error| NotRead::Unusable(error.to_string()))?;
        let look = clocks.resizing(|| {
            if let Some(out) = out {
                how.apply(&image, resizer, out);
            }
            Look::of(&image)
        });
        let size = bytes.len() as u64;
        let kept = (*kept == Kept::Files).then(|| bytes.into_boxed_slice());
        Ok(File { hash, look, bytes: size, canvas: (image.width(), image.height()), kept })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::super::super::tree::Disk;
    use super::super::scan;
    use super::super::testing::{JPEG, PNG, tree};
    use super::*;
    use crate::data::{self, ContentHash, Filter, Fit, Folder, Limits, Source};
    use crate::fault::{Fault, Faulty as _};

    const OPTIONS: LoadOptions = LoadOptions {
        how: Preparation {
            side: 8,
            fit: Fit::Squash,
            filter: Filter::Bilinear,
            val_short: None,
            crop_from: CropFrom::Square,
            limits: Limits { max_width: 100, max_height: 100, max_bytes: 10_000 },
        },
        on_error: OnError::Skip,
        kept: Kept::Pixels,
    };

    const KEPT: [Kept; 3] = [Kept::Pixels, Kept::Files, Kept::Nothing];

    fn disk(root: &Path) -> Arc<dyn Tree> {
        Arc::new(Disk::new(root))
    }

    fn pixels(images: &dyn Source, image: usize) -> Vec<u8> {
        images.fetch(image, &mut Vec::new()).unwrap().to_vec()
    }

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
        let loaded = load(&disk(root.path()), entries, &OPTIONS, &|| {
            *done.lock().unwrap() += 1;
            true
        })
        .unwrap();
        assert_eq!(*done.lock().unwrap(), 6);
        let paths: Vec<_> = loaded.samples.iter().map(|sample| sample.path.as_str()).collect();
        assert_eq!(paths, ["a/1.jpg", "a/3.jpg", "b/2.png"]);
        assert_eq!(loaded.labels(), [0, 0, 1]);
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
        let images = loaded.into_images();
        let mut resizer = Resizer::new();
        for (place, bytes) in [JPEG, PNG, PNG].iter().enumerate() {
            let image = data::decode(bytes, &Limits::default()).unwrap();
            let image = resizer.resize(&image, 8, 8, Fit::Squash, Filter::Bilinear);
            assert_eq!(images.fetch(place, &mut Vec::new()).unwrap(), image.pixels());
        }
    }

    #[test]
    fn a_part_is_split_off_with_all_that_belongs_to_it_whatever_is_kept() {
        let root = tree(&[("a/1.jpg", JPEG), ("a/2.png", PNG), ("b/1.png", PNG), ("b/2.jpg", JPEG)]);
        for kept in KEPT {
            let options = LoadOptions { kept, ..OPTIONS };
            let whole = load(&disk(root.path()), entries(root.path()), &options, &|| true).unwrap();
            let mut rest = whole.clone();
            let part = rest.split_off(&[false, true, false, true]);
            assert_eq!(rest.bytes() + part.bytes(), whole.bytes());
            let (samples, looks, sizes) = (whole.samples.clone(), whole.looks.clone(), whole.sizes.clone());
            let whole = whole.into_images();
            for (set, places) in [(rest, [0, 2]), (part, [1, 3])] {
                let (set_looks, set_sizes) = (set.looks.clone(), set.sizes.clone());
                let set = set.into_images();
                assert_eq!((set.len(), set.kept()), (2, kept));
                for (at, place) in places.into_iter().enumerate() {
                    assert_eq!(pixels(&set, at), pixels(&whole, place));
                    assert_eq!(set.labels()[at], whole.labels()[place]);
                    assert_eq!(set.samples()[at], samples[place]);
                    assert_eq!((set_looks[at], set_sizes[at]), (looks[place], sizes[place]));
                }
            }
        }
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
                pool.install(|| load(&disk(root.path()), entries.clone(), &options, &|| true)).unwrap_err();
            assert!(matches!(
                &error,
                FolderError::Data(DataError::File { path, .. }) if path == "b/07.png"
            ));
            assert!(error.to_string().contains("`on-error` skip"), "{error}");
        }
    }

    #[test]
    fn any_number_of_threads_and_whatever_is_kept_loads_the_same() {
        let root = tree(&[("a/1", JPEG), ("a/2", b"?"), ("b/1", PNG), ("b/2", JPEG), ("b/3", b"")]);
        let entries = entries(root.path());
        let options = LoadOptions { how: Preparation { val_short: Some(12), ..OPTIONS.how }, ..OPTIONS };
        let with = |threads, kept| {
            let options = LoadOptions { kept, ..options };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let loaded =
                pool.install(|| load(&disk(root.path()), entries.clone(), &options, &|| true)).unwrap();
            let known =
                (loaded.looks.clone(), loaded.sizes.clone(), loaded.problems.clone(), loaded.skipped.clone());
            let images = loaded.into_images();
            let all: Vec<Vec<u8>> = (0..images.len()).map(|image| pixels(&images, image)).collect();
            (all, images.samples().clone(), known, images.fingerprint())
        };
        let one = with(1, Kept::Pixels);
        assert_eq!((one.0.len(), one.2.2.len()), (3, 2));
        for (threads, kept) in [1, 3].into_iter().flat_map(|threads| KEPT.map(|kept| (threads, kept))) {
            assert_eq!(one, with(threads, kept), "{threads}, {kept:?}");
        }
    }

    #[test]
    fn nothing_to_load_is_an_empty_set() {
        let loaded = load(&disk(Path::new(".")), Vec::new(), &OPTIONS, &|| true).unwrap();
        assert!(loaded.samples.is_empty() && loaded.problems.is_empty() && loaded.into_images().is_empty());
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
        let error = pool.install(|| load(&disk(root.path()), entries.clone(), &OPTIONS, &stop)).unwrap_err();
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
            let options = LoadOptions { on_error, ..OPTIONS };
            let error = load(&disk(root.path()), entries.clone(), &options, &|| true).unwrap_err();
            assert!(
                matches!(&error, FolderError::ReadFailed { path, .. } if path.ends_with("a/2.jpg")),
                "{error}"
            );
            assert_eq!(error.fault(), Fault::Run);
        }
        let gone = vec![Entry { path: "a/3.jpg".to_owned(), class: 0 }];
        let error = load(&disk(root.path()), gone, &OPTIONS, &|| true).unwrap_err();
        assert_eq!(error.fault(), Fault::Data);
    }
}
