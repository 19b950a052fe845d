//! Images of files, as a run asks for them: out of memory, or read and decoded again each time.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use super::tree::Tree;
use crate::data::{
    ContentHash, CropFrom, DataError, Image, ImageSet, Preparation, Resizer, Sample, Source, Spent, decode,
    fingerprint_of_files,
};
use crate::report::Kept;

/// What of some images is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Their pixels, in one block.
    Pixels(Vec<u8>),
    /// The bytes of their files.
    Files(Vec<Box<[u8]>>),
    /// Nothing.
    Nothing,
}

impl Held {
    /// The kind of what is held.
    pub(super) fn kept(&self) -> Kept {
        match self {
            Self::Pixels(_) => Kept::Pixels,
            Self::Files(_) => Kept::Files,
            Self::Nothing => Kept::Nothing,
        }
    }

    /// Moves what belongs to the images marked in `apart` out, each of `size` bytes of pixels.
    pub(super) fn split_off(&mut self, apart: &[bool], size: usize) -> Self {
        match self {
            Self::Pixels(pixels) => {
                let taken = apart.iter().filter(|&&apart| apart).count();
                let mut others = Vec::with_capacity(taken * size);
                let mut kept = 0;
                for (place, &apart) in apart.iter().enumerate() {
                    let image = place * size..(place + 1) * size;
                    if apart {
                        others.extend_from_slice(&pixels[image]);
                    } else {
                        pixels.copy_within(image, kept * size);
                        kept += 1;
                    }
                }
                pixels.truncate(kept * size);
                Self::Pixels(others)
            }
            Self::Files(files) => {
                let mut others = Vec::new();
                let mut marks = apart.iter();
                files.retain_mut(|file| {
                    let apart = *marks.next().expect("one mark for each image");
                    if apart {
                        others.push(std::mem::take(file));
                    }
                    !apart
                });
                Self::Files(others)
            }
            Self::Nothing => Self::Nothing,
        }
    }
}

/// Time that threads spent on images, in nanoseconds, added up over all threads.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    read: AtomicU64,
    decode: AtomicU64,
    resize: AtomicU64,
    images: AtomicU64,
}

impl Clocks {
    /// Does some work, and counts its time on one of the clocks.
    fn count<T>(clock: &AtomicU64, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let made = work();
        clock.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
        made
    }

    pub(super) fn reading<T>(&self, work: impl FnOnce() -> T) -> T {
        Self::count(&self.read, work)
    }

    pub(super) fn decoding<T>(&self, work: impl FnOnce() -> T) -> T {
        self.images.fetch_add(1, Ordering::Relaxed);
        Self::count(&self.decode, work)
    }

    pub(super) fn resizing<T>(&self, work: impl FnOnce() -> T) -> T {
        Self::count(&self.resize, work)
    }

    /// What was spent so far.
    pub(super) fn spent(&self) -> Spent {
        let seconds = |clock: &AtomicU64| clock.load(Ordering::Relaxed) as f64 / 1e9;
        Spent {
            images: self.images.load(Ordering::Relaxed),
            read: seconds(&self.read),
            decode: seconds(&self.decode),
            resize: seconds(&self.resize),
        }
    }
}

/// Files of images that were all read once: their names, hashes and classes are known, and their pixels are had whenever they
/// are asked for. A file that is read again must be the one that was read first.
#[derive(Debug)]
pub struct Streamed {
    tree: Arc<dyn Tree>,
    how: Preparation,
    samples: Arc<[Sample]>,
    labels: Vec<u32>,
    held: Held,
    /// Width and height of each image as it was decoded, where views are cut out of that.
    canvases: Vec<(u32, u32)>,
    clocks: Clocks,
    /// Working memory of threads.
    resizers: Mutex<Vec<Resizer>>,
}

impl Streamed {
    /// The images of `samples`, files of `tree`, of which `held` is in memory. `canvases` are their sizes, where `how` wants views
    /// of the images themselves.
    pub(super) fn new(
        tree: Arc<dyn Tree>,
        how: Preparation,
        samples: Arc<[Sample]>,
        held: Held,
        canvases: Vec<(u32, u32)>,
    ) -> Self {
        let labels = samples.iter().map(|sample| sample.class).collect();
        let (clocks, resizers) = (Clocks::default(), Mutex::default());
        Self { tree, how, samples, labels, held, canvases, clocks, resizers }
    }

    /// Path, class and hash of each image.
    pub fn samples(&self) -> &Arc<[Sample]> {
        &self.samples
    }

    /// What of the images is in memory.
    pub fn kept(&self) -> Kept {
        self.held.kept()
    }

    /// Bytes of pixels of one image.
    fn size(&self) -> usize {
        ImageSet::bytes_of(1, self.how.side) as usize
    }

    /// The same images prepared in another way, of which `kept` is in memory; what is not there is read again.
    ///
    /// # Errors
    /// [`DataError`] for a file that is no longer there or not what it was.
    pub(super) fn held_as(mut self, how: Preparation, kept: Kept) -> Result<Self, DataError> {
        let squares = Preparation { crop_from: self.how.crop_from, ..how };
        let same_pixels = kept == self.kept() && (kept != Kept::Pixels || squares == self.how);
        self.how = how;
        match how.crop_from {
            CropFrom::Square => self.canvases = Vec::new(),
            CropFrom::Image if self.canvases.len() < self.samples.len() => {
                let size = |image: usize| {
                    let image = self.whole_image(image)?;
                    Ok((image.width(), image.height()))
                };
                let sizes = (0..self.samples.len()).into_par_iter().map(size);
                self.canvases = sizes.collect::<Result<_, DataError>>()?;
            }
            CropFrom::Image => {}
        }
        if same_pixels {
            return Ok(self);
        }
        if let Held::Pixels(_) = self.held {
            self.held = Held::Nothing;
        }
        let held = match kept {
            Kept::Nothing => Held::Nothing,
            Kept::Files => {
                let bytes = |image: usize| Ok(self.bytes(image)?.into_boxed_slice());
                let read = (0..self.samples.len()).into_par_iter().map(bytes);
                Held::Files(read.collect::<Result<_, DataError>>()?)
            }
            Kept::Pixels => {
                let mut pixels = vec![0; self.samples.len() * self.size()];
                pixels.par_chunks_exact_mut(self.size()).enumerate().try_for_each(
                    |(image, out)| match &self.held {
                        Held::Files(files) => self.prepare(image, &files[image], out),
                        _ => self.prepare(image, &self.bytes(image)?, out),
                    },
                )?;
                Held::Pixels(pixels)
            }
        };
        self.held = held;
        Ok(self)
    }

    /// The bytes of an image's file, which must be those that were read first.
    fn bytes(&self, image: usize) -> Result<Vec<u8>, DataError> {
        let Sample { path, hash, .. } = &self.samples[image];
        self.clocks.reading(|| {
            let changed = || DataError::Changed { path: path.clone() };
            let bytes = self.tree.read(path, self.how.limits.max_bytes).map_err(|why| match why.kind() {
                io::ErrorKind::FileTooLarge => changed(),
                _ => DataError::Lost { path: path.clone(), why },
            })?;
            if ContentHash::of(&bytes) == *hash { Ok(bytes) } else { Err(changed()) }
        })
    }

    /// Decodes and resizes an image's file.
    fn prepare(&self, image: usize, bytes: &[u8], out: &mut [u8]) -> Result<(), DataError> {
        let decoded = self.decoded(image, bytes)?;
        let pool = || self.resizers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut resizer = pool().pop().unwrap_or_default();
        self.clocks.resizing(|| self.how.apply(&decoded, &mut resizer, out));
        pool().push(resizer);
        Ok(())
    }

    /// Decodes an image's file.
    fn decoded(&self, image: usize, bytes: &[u8]) -> Result<Image, DataError> {
        let decoded = self.clocks.decoding(|| decode(bytes, &self.how.limits));
        // It was decoded when it was read first.
        decoded.map_err(|_| DataError::Changed { path: self.samples[image].path.clone() })
    }

    /// An image in its own pixels, from its file.
    fn whole_image(&self, image: usize) -> Result<Image, DataError> {
        match &self.held {
            Held::Files(files) => self.decoded(image, &files[image]),
            _ => self.decoded(image, &self.bytes(image)?),
        }
    }
}

impl Source for Streamed {
    fn side(&self) -> u32 {
        self.how.side
    }

    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn identity(&self, image: usize) -> Option<&Sample> {
        Some(&self.samples[image])
    }

    fn fetch<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        let size = self.size();
        if let Held::Pixels(pixels) = &self.held {
            return Ok(&pixels[image * size..][..size]);
        }
        buffer.resize(size, 0);
        match &self.held {
            Held::Files(files) => self.prepare(image, &files[image], buffer)?,
            _ => self.prepare(image, &self.bytes(image)?, buffer)?,
        }
        Ok(buffer)
    }

    fn crop_from(&self) -> CropFrom {
        self.how.crop_from
    }

    fn canvas(&self, image: usize) -> (u32, u32) {
        match self.how.crop_from {
            CropFrom::Square => (self.how.side, self.how.side),
            CropFrom::Image => self.canvases[image],
        }
    }

    fn fetch_canvas<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        if self.how.crop_from == CropFrom::Square {
            return self.fetch(image, buffer);
        }
        *buffer = self.whole_image(image)?.into_pixels();
        Ok(buffer)
    }

    fn fingerprint(&self) -> ContentHash {
        fingerprint_of_files(&self.samples, &self.how)
    }

    fn spent(&self) -> Spent {
        self.clocks.spent()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::folder::testing::{JPEG, PNG, tree};
    use super::super::folder::{LoadOptions, load};
    use super::super::tree::Disk;
    use super::*;
    use crate::data::{Entry, Filter, OnError};
    use crate::fault::{Fault, Faulty as _};

    const KEPT: [Kept; 3] = [Kept::Pixels, Kept::Files, Kept::Nothing];

    /// A JPEG and a PNG, read once.
    fn read(root: &std::path::Path, kept: Kept) -> Streamed {
        read_as(root, Preparation::whole(8), kept)
    }

    fn read_as(root: &std::path::Path, how: Preparation, kept: Kept) -> Streamed {
        let entry = |(path, class): (&str, u32)| Entry { path: path.to_owned(), class };
        let entries = [("a/1.jpg", 0), ("b/1.png", 1)].map(entry).to_vec();
        let options = LoadOptions { how, on_error: OnError::Fail, kept };
        let tree: Arc<dyn Tree> = Arc::new(Disk::new(root));
        load(&tree, entries, &options, &|| true).unwrap().into_images()
    }

    fn all(images: &Streamed) -> [Vec<u8>; 2] {
        [0, 1].map(|image| images.fetch(image, &mut Vec::new()).unwrap().to_vec())
    }

    #[test]
    fn a_file_that_changed_or_went_is_an_error_with_its_name_unless_it_is_in_memory() {
        for kept in KEPT {
            let root = tree(&[("a/1.jpg", JPEG), ("b/1.png", PNG)]);
            let images = read(root.path(), kept);
            let before = all(&images);
            // Another image, one byte of another colour profile, a file that is no image: none is what was hashed.
            for other in [PNG, &JPEG[..JPEG.len() - 1], b"no image"] {
                fs::write(root.path().join("a/1.jpg"), other).unwrap();
                let mut buffer = Vec::new();
                match images.fetch(0, &mut buffer) {
                    Ok(pixels) => assert!(kept != Kept::Nothing && pixels == before[0]),
                    Err(error) => {
                        assert!(
                            kept == Kept::Nothing && matches!(error, DataError::Changed { .. }),
                            "{error}"
                        );
                        assert_eq!(error.fault(), Fault::Data);
                        assert!(
                            error.to_string().contains("'a/1.jpg' was changed while it was used"),
                            "{error}"
                        );
                    }
                }
            }
            fs::remove_file(root.path().join("a/1.jpg")).unwrap();
            let gone = images.fetch(0, &mut Vec::new()).err();
            match gone {
                None => assert_ne!(kept, Kept::Nothing),
                Some(error) => {
                    assert_eq!((kept, error.fault()), (Kept::Nothing, Fault::Data));
                    assert!(error.to_string().contains("'a/1.jpg' was read before"), "{error}");
                }
            }
            fs::write(root.path().join("a/1.jpg"), JPEG).unwrap();
            assert_eq!(all(&images), before);
        }
    }

    #[test]
    fn images_are_the_same_however_they_came_to_be_held() {
        let root = tree(&[("a/1.jpg", JPEG), ("b/1.png", PNG)]);
        let cut = Preparation { filter: Filter::Bilinear, val_short: Some(12), ..Preparation::whole(8) };
        let of =
            |how: Preparation| all(&read(root.path(), Kept::Nothing).held_as(how, Kept::Nothing).unwrap());
        let (plain, otherwise) = (of(Preparation::whole(8)), of(cut));
        assert_ne!(plain, otherwise);
        for (from, to) in KEPT.into_iter().flat_map(|from| KEPT.map(|to| (from, to))) {
            for (how, want) in [(Preparation::whole(8), &plain), (cut, &otherwise)] {
                let images = read(root.path(), from).held_as(how, to).unwrap();
                assert_eq!((images.kept(), &all(&images)), (to, want), "{from:?} to {to:?}");
                assert_eq!(
                    images.fingerprint(),
                    read(root.path(), to).held_as(how, from).unwrap().fingerprint()
                );
            }
        }
    }

    #[test]
    fn views_are_cut_out_of_the_decoded_image_where_that_is_asked_for_whatever_is_held() {
        let root = tree(&[("a/1.jpg", JPEG), ("b/1.png", PNG)]);
        let square = Preparation::whole(8);
        let whole = Preparation { crop_from: CropFrom::Image, ..square };
        let expected = [JPEG, PNG].map(|bytes| decode(bytes, &square.limits).unwrap());
        assert!(
            expected.iter().all(|image| image.width() != image.height()),
            "the shape of a square is no test"
        );
        let squares = all(&read_as(root.path(), square, Kept::Pixels));
        for (from, to) in KEPT.into_iter().flat_map(|from| KEPT.map(|to| (from, to))) {
            // Read so at once, or asked for later.
            for first in [whole, square] {
                let images = read_as(root.path(), first, from).held_as(whole, to).unwrap();
                assert_eq!((images.crop_from(), images.kept()), (CropFrom::Image, to));
                assert_eq!(all(&images), squares, "whoever looks at whole images sees squares");
                let mut buffer = vec![1; 7];
                for (image, expected) in expected.iter().enumerate() {
                    assert_eq!(images.canvas(image), (expected.width(), expected.height()));
                    assert!(images.fetch_canvas(image, &mut buffer).unwrap() == expected.pixels());
                }
                let back = images.held_as(square, to).unwrap();
                assert_eq!((back.canvas(1), back.crop_from()), ((8, 8), CropFrom::Square));
                assert_eq!(back.fetch_canvas(1, &mut buffer).unwrap(), squares[1]);
                assert!(back.canvases.is_empty());
            }
        }
    }

    #[test]
    fn a_file_that_changed_since_its_size_was_known_lends_no_view() {
        let root = tree(&[("a/1.jpg", JPEG), ("b/1.png", PNG)]);
        let whole = Preparation { crop_from: CropFrom::Image, ..Preparation::whole(8) };
        let images = read_as(root.path(), whole, Kept::Nothing);
        fs::write(root.path().join("a/1.jpg"), PNG).unwrap();
        let error = images.fetch_canvas(0, &mut Vec::new()).map(<[u8]>::len).unwrap_err();
        assert!(matches!(error, DataError::Changed { .. }), "{error}");
    }

    #[test]
    fn a_fingerprint_tells_files_classes_and_preparations_apart() {
        let root = tree(&[("a/1.jpg", JPEG), ("b/1.png", PNG)]);
        let images = read(root.path(), Kept::Nothing);
        let (how, samples) = (images.how, images.samples().to_vec());
        let same = fingerprint_of_files(&samples, &how);
        assert_eq!(images.fingerprint(), same);
        let mut others = vec![
            fingerprint_of_files(&samples[..1], &how),
            fingerprint_of_files(&samples, &Preparation { side: 9, ..how }),
            fingerprint_of_files(&samples, &Preparation { filter: Filter::Bilinear, ..how }),
            fingerprint_of_files(&samples, &Preparation { val_short: Some(9), ..how }),
            fingerprint_of_files(&samples, &Preparation { crop_from: CropFrom::Image, ..how }),
            images.held_as(how, Kept::Pixels).unwrap().fingerprint(),
        ];
        assert_eq!(others.pop(), Some(same), "what is kept is no difference");
        for (place, class, hash) in [(0, 1, samples[0].hash), (1, 1, samples[0].hash)] {
            let mut samples = samples.clone();
            samples[place].class = class;
            samples[place].hash = hash;
            others.push(fingerprint_of_files(&samples, &how));
        }
        assert!(others.iter().all(|other| *other != same));
        // A name is none of it: whoever moves the folder goes on.
        let mut moved = samples;
        moved[0].path = "c/1.jpg".to_owned();
        assert_eq!(fingerprint_of_files(&moved, &how), same);
    }
}
