//! Some images of a source, as a source of their own.

use std::sync::Arc;

use super::{ContentHash, CropFrom, DataError, Sample, Source, Spent};

/// Some images of another source, in an order of their own; one may come several times. Nothing is copied.
#[derive(Clone, Debug)]
pub struct Subset {
    whole: Arc<dyn Source>,
    /// The number that each image has in `whole`.
    images: Vec<u32>,
    labels: Vec<u32>,
}

impl Subset {
    /// The images of these numbers.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn new(whole: Arc<dyn Source>, images: Vec<u32>) -> Self {
        let labels = images.iter().map(|&image| whole.labels()[image as usize]).collect();
        Self { whole, images, labels }
    }

    fn at(&self, image: usize) -> usize {
        self.images[image] as usize
    }
}

impl Source for Subset {
    fn side(&self) -> u32 {
        self.whole.side()
    }

    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn identity(&self, image: usize) -> Option<&Sample> {
        self.whole.identity(self.at(image))
    }

    fn fetch<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        self.whole.fetch(self.at(image), buffer)
    }

    fn crop_from(&self) -> CropFrom {
        self.whole.crop_from()
    }

    fn canvas(&self, image: usize) -> (u32, u32) {
        self.whole.canvas(self.at(image))
    }

    fn fetch_canvas<'a>(&'a self, image: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DataError> {
        self.whole.fetch_canvas(self.at(image), buffer)
    }

    fn fingerprint(&self) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"subset").update(&self.whole.fingerprint().0);
        for image in &self.images {
            hasher.update(&image.to_le_bytes());
        }
        ContentHash(*hasher.finalize().as_bytes())
    }

    fn spent(&self) -> Spent {
        self.whole.spent()
    }

    fn whole(&self) -> Option<&Arc<dyn Source>> {
        Some(&self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pictures;
    use super::*;
    use crate::data::Image;

    #[test]
    fn a_subset_lends_the_images_of_its_numbers_in_its_order() {
        let image = |width, height, value| Image::filled(width, height, [value; 3]);
        let pictures =
            Pictures::new(4, vec![image(3, 2, 10), image(5, 7, 20), image(2, 2, 30)], vec![2, 0, 1]);
        let whole: Arc<dyn Source> = Arc::new(pictures);
        let subset = Subset::new(whole.clone(), vec![2, 0, 2]);
        assert_eq!((subset.len(), subset.side(), subset.labels()), (3, 4, &[1, 2, 1][..]));
        let mut buffer = Vec::new();
        for (image, value, size) in [(0, 30, (2, 2)), (1, 10, (3, 2)), (2, 30, (2, 2))] {
            assert_eq!(subset.canvas(image), size);
            let lent = subset.fetch_canvas(image, &mut buffer).expect("memory does not fail").to_vec();
            assert_eq!(lent, vec![value; (size.0 * size.1 * 3) as usize]);
            assert_eq!(subset.fetch(image, &mut buffer).expect("memory does not fail"), [value; 48]);
        }
        assert_eq!(subset.crop_from(), CropFrom::Image);
        assert!(Arc::ptr_eq(subset.whole().expect("it is a part"), &whole));
        let others =
            [vec![2, 0], vec![0, 2, 2], vec![2, 0, 1]].map(|images| Subset::new(whole.clone(), images));
        assert!(others.iter().all(|other| other.fingerprint() != subset.fingerprint()));
        assert_eq!(Subset::new(whole, vec![2, 0, 2]).fingerprint(), subset.fingerprint());
    }
}
