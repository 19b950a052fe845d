//! Pixels: one image, and a set of equally sized ones. Always RGB, 8 bits a channel, rows top to bottom.

use super::DataError;

/// An RGB image, 8 bits a channel, interleaved, rows top to bottom (HWC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Image {
    /// An image from its `height` × `width` × 3 bytes.
    ///
    /// # Errors
    /// [`DataError::Shape`] when the number of bytes is another, or a side is 0.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, DataError> {
        let expected = width as usize * height as usize * 3;
        if expected == 0 || pixels.len() != expected {
            return Err(DataError::Shape { width, height, bytes: pixels.len() });
        }
        Ok(Self { width, height, pixels })
    }

    /// An image of one colour.
    ///
    /// # Panics
    /// When a side is 0.
    pub fn filled(width: u32, height: u32, colour: [u8; 3]) -> Self {
        assert!(width > 0 && height > 0, "an image has at least one pixel");
        Self { width, height, pixels: colour.repeat(width as usize * height as usize) }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The `height` × `width` × 3 bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, to be changed in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Gives the bytes away.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// A labelled set of square images of one size, in one block of memory: `[len, side, side, 3]` bytes.
///
/// Pixels stay `u8` until they reach the device: four times less to hold and to move than floats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSet {
    side: u32,
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl ImageSet {
    /// An empty set of `side` × `side` images with room for `capacity` of them.
    pub fn with_capacity(side: u32, capacity: usize) -> Self {
        Self {
            side,
            pixels: Vec::with_capacity(capacity * side as usize * side as usize * 3),
            labels: Vec::with_capacity(capacity),
        }
    }

    /// A set from a block of pixels and one label for each image.
    ///
    /// # Errors
    /// [`DataError::Shape`] when the block does not hold exactly that many images.
    pub fn from_parts(side: u32, pixels: Vec<u8>, labels: Vec<u32>) -> Result<Self, DataError> {
        if pixels.len() != labels.len() * side as usize * side as usize * 3 || side == 0 {
            return Err(DataError::Shape { width: side, height: side, bytes: pixels.len() });
        }
        Ok(Self { side, pixels, labels })
    }

    /// Gives the block of pixels and the labels away.
    pub fn into_parts(self) -> (Vec<u8>, Vec<u32>) {
        (self.pixels, self.labels)
    }

    /// Bytes of memory that `images` images of `side` × `side` pixels take.
    pub fn bytes_of(images: u64, side: u32) -> u64 {
        images.saturating_mul(u64::from(side) * u64::from(side) * 3)
    }

    /// Adds an image.
    ///
    /// # Errors
    /// [`DataError::Shape`] when it is not `side` × `side`.
    pub fn push(&mut self, image: &Image, label: u32) -> Result<(), DataError> {
        if image.width() != self.side || image.height() != self.side {
            return Err(DataError::Shape {
                width: image.width(),
                height: image.height(),
                bytes: image.pixels().len(),
            });
        }
        self.pixels.extend_from_slice(image.pixels());
        self.labels.push(label);
        Ok(())
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// `true` without images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Width and height of every image, in pixels.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// The class of every image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The `side` × `side` × 3 bytes of one image.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        let bytes = self.side as usize * self.side as usize * 3;
        &self.pixels[index * bytes..(index + 1) * bytes]
    }

    /// All pixels: `[len, side, side, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
