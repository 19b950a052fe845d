//! Where images come from.

use std::sync::Arc;

use super::{ContentHash, CropFrom, DataError, ImageSet, Preparation, Sample};

/// Seconds spent on getting images, added up over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Number of images that were decoded.
    pub images: u64,
    /// Reading files, and comparing them with their hashes.
    pub read: f64,
    /// Decoding.
    pub decode: f64,
    /// Resizing.
    pub resize: f64,
}

impl Spent {
    /// What was spent since an earlier moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            images: self.images - earlier.images,
            read: self.read - earlier.read,
            decode: self.decode - earlier.decode,
            resize: self.resize - earlier.resize,
        }
    }
}

/// A labelled set of square images of one size, whose pixels are asked for image by image: they may all lie in memory (an
/// [`ImageSet`]), or be read and decoded when they are wanted.
///
/// Training views are cut out of the *canvas* of an image: of the square itself, or, where the source says so, of the image in its
/// own pixels and shape, which is then decoded once for each view.
///
/// What is asked for all the time, labels and sizes, is known from the beginning and cannot fail; only pixels can. Several
/// threads may ask at once, in any order, and for an image as often as they like; it is the same each time.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Width and height of every image, in pixels.
    fn side(&self) -> u32;

    /// The class of every image.
    fn labels(&self) -> &[u32];

    /// What an image is called and what its file holds, where that is known.
    ///
    /// # Panics
    /// When there is no such image.
    fn identity(&self, image: usize) -> Option<&Sample>;

    /// The `side` × `side` × 3 bytes of one image, interleaved RGB, rows top to bottom. They are lent: out of memory as they
    /// lie there, or out of `buffer`, into which a source without them writes.
    ///
    /// # Errors
    /// [`DataError`] when they cannot be had. Whoever asked passes it on: what it makes of other images is worth nothing then.
    ///
    /// # Panics
    /// When there is no such image.
    fn fetch<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError>;

    /// What training views are cut out of.
    fn crop_from(&self) -> CropFrom {
        CropFrom::Square
    }

    /// Width and height, in pixels, of what training views of an image are cut out of.
    ///
    /// # Panics
    /// When there is no such image.
    fn canvas(&self, image: usize) -> (u32, u32) {
        let _ = image;
        (self.side(), self.side())
    }

    /// The pixels of the [`canvas`](Self::canvas) of one image, lent as [`fetch`](Self::fetch) lends those of the square.
    ///
    /// # Errors
    /// The errors of [`fetch`](Self::fetch).
    ///
    /// # Panics
    /// When there is no such image.
    fn fetch_canvas<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        self.fetch(image, buffer)
    }

    /// Hash of the labels and of all that the pixels depend on: sources of one fingerprint lend the same images in the same
    /// order. What an earlier run kept is compared by it.
    fn fingerprint(&self) -> ContentHash;

    /// What was spent so far on images that were not in memory. A source without a clock says nothing.
    fn spent(&self) -> Spent {
        Spent::default()
    }

    /// The source of which this one shows some images, if it is such a part: both have spent the same time.
    fn whole(&self) -> Option<&Arc<dyn Source>> {
        None
    }

    /// Number of images.
    fn len(&self) -> usize {
        self.labels().len()
    }

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The fingerprint of a source whose images are those of files, prepared in one way: nothing has to be read for it.
pub fn fingerprint_of_files(samples: &[Sample], how: &Preparation) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"files").update(how.to_string().as_bytes());
    for sample in samples {
        hasher.update(&sample.hash.0).update(&sample.class.to_le_bytes());
    }
    ContentHash(*hasher.finalize().as_bytes())
}

/// Images in memory: nothing is copied, nothing fails.
impl Source for ImageSet {
    fn side(&self) -> u32 {
        self.side()
    }

    fn labels(&self) -> &[u32] {
        self.labels()
    }

    /// Nobody told it.
    fn identity(&self, _image: usize) -> Option<&Sample> {
        None
    }

    fn fetch<'a>(&'a self, image: usize, _buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        Ok(self.image(image))
    }

    /// Of the pixels, as nobody told what they were made of.
    fn fingerprint(&self) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"pixels").update(&self.side().to_le_bytes()).update(self.pixels());
        for label in self.labels() {
            hasher.update(&label.to_le_bytes());
        }
        ContentHash(*hasher.finalize().as_bytes())
    }
}

/// A source that reads each image when it is wanted, and may fail at one.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Streaming {
    pub(crate) images: ImageSet,
    /// An image that cannot be had.
    pub(crate) broken: Option<usize>,
}

#[cfg(test)]
impl Source for Streaming {
    fn side(&self) -> u32 {
        self.images.side()
    }

    fn labels(&self) -> &[u32] {
        self.images.labels()
    }

    fn identity(&self, _image: usize) -> Option<&Sample> {
        None
    }

    fn fetch<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        if self.broken.is_some_and(|broken| image >= broken) {
            return Err(DataError::File { path: format!("{image}.png"), reason: "it is gone".to_owned() });
        }
        buffer.clear();
        buffer.extend_from_slice(self.images.image(image));
        Ok(buffer)
    }

    fn fingerprint(&self) -> ContentHash {
        self.images.fingerprint()
    }
}

/// Images of sizes of their own in memory, whose views are cut out of them.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Pictures {
    squares: ImageSet,
    images: Vec<super::Image>,
}

#[cfg(test)]
impl Pictures {
    pub(crate) fn new(side: u32, images: Vec<super::Image>, labels: Vec<u32>) -> Self {
        let mut squares = ImageSet::with_capacity(side, images.len());
        let mut resizer = super::Resizer::new();
        for (image, label) in images.iter().zip(labels) {
            let how = Preparation::whole(side);
            let square = resizer.resize(image, side, side, how.fit, how.filter);
            squares.push(&square, label).expect("of that side");
        }
        Self { squares, images }
    }
}

#[cfg(test)]
impl Source for Pictures {
    fn side(&self) -> u32 {
        self.squares.side()
    }

    fn labels(&self) -> &[u32] {
        self.squares.labels()
    }

    fn identity(&self, _image: usize) -> Option<&Sample> {
        None
    }

    fn fetch<'a>(&'a self, image: usize, _buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        Ok(self.squares.image(image))
    }

    fn crop_from(&self) -> CropFrom {
        CropFrom::Image
    }

    fn canvas(&self, image: usize) -> (u32, u32) {
        (self.images[image].width(), self.images[image].height())
    }

    fn fetch_canvas<'a>(&'a self, image: usize, _buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        Ok(self.images[image].pixels())
    }

    fn fingerprint(&self) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.squares.fingerprint().0);
        for image in &self.images {
            hasher.update(image.pixels());
        }
        ContentHash(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_in_memory_is_lent_as_it_lies_there() {
        let set = ImageSet::from_parts(2, (0..24).collect(), vec![3, 1]).expect("two images");
        let mut buffer = Vec::new();
        let source: &dyn Source = &set;
        let lent = source.fetch(1, &mut buffer).expect("memory does not fail");
        assert_eq!(lent.as_ptr(), set.image(1).as_ptr());
        assert_eq!((source.len(), source.side(), source.labels()), (2, 2, &[3, 1][..]));
        assert!(source.identity(0).is_none() && source.whole().is_none());
        // Its views are cut out of the squares.
        assert_eq!((source.crop_from(), source.canvas(1)), (CropFrom::Square, (2, 2)));
        let canvas = source.fetch_canvas(1, &mut buffer).expect("memory does not fail");
        assert_eq!(canvas.as_ptr(), set.image(1).as_ptr());
        assert!(buffer.is_empty());
    }
}
