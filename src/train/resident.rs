//! A training set in a GPU's memory, and the views that are cut there: converts plans, sets and normalisation to the numbers
//! that the kernel reads.

use burn::tensor::{DType, Device, Tensor};

use crate::augment::{Normalise, View};
use crate::data::{CropFrom, DataError, Rect, Source};
use crate::kernel::views::{BUFFER, Stored, WORDS, packed, word};

/// A set on a GPU, with its normalisation.
#[derive(Clone, Debug)]
pub(crate) struct Resident(Stored);

/// Whether so many images of a side lie in a GPU's memory while a network is trained on them; else they are brought there batch by
/// batch.
#[cfg(not(target_family = "wasm"))]
pub fn lies_on_gpu(images: usize, side: usize) -> bool {
    Stored::fits(images, side)
}

impl Resident {
    /// Copies a set to a GPU. `None` where it is too large, or its views are cut out of images of sizes of their own: then its
    /// batches are made on the host and copied one by one.
    ///
    /// # Errors
    /// [`DataError`] when an image cannot be read.
    pub(crate) fn new(
        source: &dyn Source,
        normalise: &Normalise,
        device: &Device,
    ) -> Result<Option<Self>, DataError> {
        Self::within(source, normalise, device, BUFFER)
    }

    fn within(
        source: &dyn Source,
        normalise: &Normalise,
        device: &Device,
        buffer: usize,
    ) -> Result<Option<Self>, DataError> {
        if source.crop_from() == CropFrom::Image {
            return Ok(None);
        }
        let mut fetched = Vec::new();
        let pixels = |image: usize, words: &mut Vec<i32>| {
            words.extend(packed(source.fetch(image, &mut fetched)?));
            Ok::<_, DataError>(())
        };
        let sizes = [source.len(), source.side() as usize];
        Ok(Stored::new(sizes, buffer, normalise.affine(), pixels, device)?.map(Self))
    }

    /// The views of a batch, `[B, side, side, 3]`, normalised.
    pub(crate) fn views(&self, views: &[View], device: &Device) -> Tensor<4> {
        let side = self.0.side();
        let batch = Tensor::empty([views.len(), side, side, 3], (device, DType::F32));
        self.views_into(batch, 0, &[views], device)
    }

    /// Writes the views of some students' batches, one after the other, into `batch` `[N, side, side, 3]` from image
    /// `first_view` on, and returns it; its other images stay as they are. Nothing else may hold a reference to `batch`.
    pub(crate) fn views_into(
        &self,
        batch: Tensor<4>,
        first_view: usize,
        students: &[&[View]],
        device: &Device,
    ) -> Tensor<4> {
        let mut plan: Vec<i32> = Vec::new();
        for views in students {
            // A partner is numbered within its student's batch.
            let before = (plan.len() / WORDS) as u32;
            let words = views.iter().flat_map(|view| words(view, self.0.side() as u32, before));
            plan.extend(words.map(u32::cast_signed));
        }
        self.0.views(batch, first_view, plan, device)
    }
}

/// A view as the kernel reads it; `before` is the number of views before its batch.
fn words(view: &View, side: u32, before: u32) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    let mut rect = |at: usize, Rect { x, y, width, height }: Rect| {
        words[at..at + 4].copy_from_slice(&[x, y, width, height]);
    };
    rect(word::CROP, view.crop);
    if let Some(cutout) = view.cutout {
        rect(word::CUTOUT, cutout);
    }
    if let Some(region) = view.mix.and_then(|mix| mix.region) {
        rect(word::REGION, region);
    }
    words[0] = view.image;
    words[word::FLIP] = u32::from(view.flip);
    if let Some(mix) = view.mix {
        words[word::MIX] = if mix.region.is_some() { word::CUTMIX } else { word::MIXUP };
        words[word::OTHER] = before + mix.other;
        words[word::LAMBDA] = mix.lambda.to_bits();
    }
    if let Some(order) = view.shuffle {
        strips(&mut words[word::COLUMNS..word::ROWS], order.column_runs(side, 0, side));
        strips(&mut words[word::ROWS..], order.row_runs(side, 0, side));
    }
    words
}

/// Writes the number of strips, then for each strip its beginning and its source.
fn strips(words: &mut [u32], runs: impl Iterator<Item = (u32, u32)>) {
    let (count, places) = words.split_first_mut().expect("a place for the number of strips");
    let mut begin = 0;
    for ((source, length), place) in runs.zip(places.chunks_exact_mut(2)) {
        place.copy_from_slice(&[begin, source]);
        begin += length;
        *count += 1;
    }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::augment::{Augmentation, Crop, Cutout, Executor, Layout, MixKind, Planner};
    use crate::data::{Image, ImageSet, Pictures};
    use crate::device::read;
    use crate::random::{Purpose, Stream};

    const SIDE: u32 = 23;
    const IMAGES: usize = 19;

    fn set() -> ImageSet {
        let mut stream = Stream::new(8, Purpose::Test, 0, 0);
        let pixels = (0..IMAGES * (SIDE * SIDE * 3) as usize).map(|_| stream.next_u32() as u8).collect();
        ImageSet::from_parts(SIDE, pixels, vec![0; IMAGES]).expect("a valid set")
    }

    /// Asserts that a GPU cuts views as the executor of the CPU does, on images in one buffer and in four.
    fn agrees(augmentation: Augmentation, grid: &str) {
        let Some(device) = crate::device::testing::wgpu() else { return };
        let (set, normalise) = (set(), Normalise::IMAGENET);
        let planner =
            Planner::new(augmentation, grid.parse().expect("a grid"), SIDE, 3).expect("a valid plan");
        let mut executor = Executor::new(SIDE);
        let five_images = 5 * (SIDE * SIDE) as usize * size_of::<u32>();
        for (epoch, buffer) in [BUFFER, five_images].into_iter().enumerate() {
            let resident = Resident::within(&set, &normalise, &device, buffer).expect("memory does not fail");
            let resident = resident.expect("room for all");
            let images: Vec<u32> = (0..IMAGES as u32).rev().collect();
            let mut views = Vec::new();
            planner.plan(epoch as u32, 0, &images, &mut views);
            let mut expected = vec![0.0; views.len() * (SIDE * SIDE * 3) as usize];
            executor
                .execute(&set, &views, &normalise, Layout::Nhwc, &mut expected)
                .expect("memory does not fail");
            let found = block_on(read(resident.views(&views, &device))).expect("the device answers");
            assert_eq!(found.len(), expected.len());
            for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < 1e-4, "{found} should be {expected} at {place}");
            }
        }
    }

    #[test]
    fn images_of_sizes_of_their_own_stay_on_the_host() {
        let Some(device) = crate::device::testing::wgpu() else { return };
        let image = Image::filled(31, 17, [9; 3]);
        let pictures = Pictures::new(SIDE, vec![image], vec![0]);
        let resident = Resident::new(&pictures, &Normalise::IMAGENET, &device).expect("memory does not fail");
        assert!(resident.is_none());
    }

    #[test]
    fn crops_and_flips_on_a_gpu_are_those_of_the_cpu() {
        agrees(Augmentation { crop: Crop::Global { min_scale: 0.08 }, ..Augmentation::default() }, "1");
    }

    #[test]
    fn patch_extraction_on_a_gpu_is_that_of_the_cpu() {
        agrees(Augmentation { crop: Crop::Extract { min_scale: 0.25 }, ..Augmentation::default() }, "3x2");
    }

    #[test]
    fn shuffled_patches_on_a_gpu_are_those_of_the_cpu() {
        agrees(Augmentation { crop: Crop::Shuffle, ..Augmentation::default() }, "2x3");
    }

    #[test]
    fn cutout_and_mixing_on_a_gpu_are_those_of_the_cpu() {
        let cutout = Some(Cutout { side: 0.4, ..Cutout::default() });
        for mix in [MixKind::Mixup { alpha: 0.8 }, MixKind::CutMix { alpha: 1.0 }] {
            agrees(Augmentation { cutout, mix: Some(mix), ..Augmentation::default() }, "2");
        }
    }
}
