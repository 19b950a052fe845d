//! Where images come from.

use super::{DataError, ImageSet, Sample};

/// A labelled set of square images of one size, whose pixels are asked for image by image: they may all lie in memory (an
/// [`ImageSet`]), or be read and decoded when they are wanted.
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

    /// Number of images.
    fn len(&self) -> usize {
        self.labels().len()
    }

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
        assert!(buffer.is_empty() && source.identity(0).is_none());
    }
}
