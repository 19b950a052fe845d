//! Training views where the network is: the stored images lie on the GPU, and a batch is cut there by its plan.

#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::augment::{Normalise, View};
use crate::data::{ImageSet, Rect};
use crate::device::upload;

/// Buffers that the images may lie in.
pub(crate) const BUFFERS: usize = 4;
/// Bytes of a buffer: WebGPU's default limit of what a kernel may bind.
const BUFFER: usize = 128 << 20;
/// Strips of a shuffled image in one direction, at most.
pub(crate) const STRIPS: usize = 8;

/// Places of a view's words in a plan. The image is the first.
pub(crate) mod word {
    pub(crate) const CROP: usize = 1;
    pub(crate) const FLIP: usize = 5;
    pub(crate) const CUTOUT: usize = 6;
    pub(crate) const MIX: usize = 10;
    pub(crate) const OTHER: usize = 11;
    pub(crate) const LAMBDA: usize = 12;
    pub(crate) const REGION: usize = 13;
    /// How many strips, then for each where it begins and where it comes from.
    pub(crate) const COLUMNS: usize = 17;
    pub(crate) const ROWS: usize = COLUMNS + 1 + 2 * super::STRIPS;
    /// Values of the word `MIX`.
    pub(crate) const MIXUP: u32 = 1;
    pub(crate) const CUTMIX: u32 = 2;
}

/// Words of a view.
pub(crate) const WORDS: usize = word::ROWS + 1 + 2 * STRIPS;

/// What a backend implements to run [`Resident::views`]. On the CPU the planner's own executor does it, beside the step.
#[backend_extension(Cube: cfg(feature = "cube"))]
pub(crate) trait Views: Backend {
    /// Writes views, as many as the plan has, of images of `stored` pixels a side, `each` of them in a buffer, into `batch`,
    /// `[N, side, side, 3]`, from its image `first_view` on; nothing else may hold on to it.
    #[allow(clippy::too_many_arguments, reason = "the operands of the operation")]
    fn views(
        first: IntTensor<Self>,
        second: IntTensor<Self>,
        third: IntTensor<Self>,
        fourth: IntTensor<Self>,
        plan: IntTensor<Self>,
        constants: FloatTensor<Self>,
        batch: FloatTensor<Self>,
        first_view: usize,
        stored: usize,
        each: usize,
    ) -> FloatTensor<Self>;
}

/// Images that lie on a GPU, one `u32` a pixel: red in the lowest byte, then green and blue.
#[derive(Clone, Debug)]
pub(crate) struct Resident {
    buffers: [Tensor<1, Int>; BUFFERS],
    /// Images in a buffer.
    each: usize,
    side: usize,
    constants: Tensor<1>,
}

impl Resident {
    /// Brings a set to a GPU, unless it is too large to lie there: then its batches are made on the host and stream in.
    pub(crate) fn new(set: &ImageSet, normalise: &Normalise, device: &Device) -> Option<Self> {
        Self::within(set, normalise, device, BUFFER)
    }

    fn within(set: &ImageSet, normalise: &Normalise, device: &Device, buffer: usize) -> Option<Self> {
        let side = set.side() as usize;
        let each = (buffer / (side * side * size_of::<u32>())).max(1);
        if set.is_empty() || set.len() > BUFFERS * each {
            return None;
        }
        let packed = |first: usize| {
            let images = first..set.len().min(first + each);
            let words: Vec<i32> = images
                .flat_map(|image| set.image(image).chunks_exact(3))
                .map(|rgb| i32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]))
                .collect();
            upload::words(words, device)
        };
        let first = packed(0);
        // A buffer that no image lies in is bound, but not read.
        let buffers = std::array::from_fn(|place| {
            if place > 0 && place * each < set.len() { packed(place * each) } else { first.clone() }
        });
        let affine = normalise.affine();
        let constants = affine.iter().map(|of| of.0).chain(affine.iter().map(|of| of.1)).collect();
        let constants = upload::floats(TensorData::new::<f32, _>(constants, [6]), device);
        Some(Self { buffers, each, side, constants })
    }

    /// The views of a batch, `[B, side, side, 3]`, normalised.
    pub(crate) fn views(&self, views: &[View], device: &Device) -> Tensor<4> {
        let batch = Tensor::empty([views.len(), self.side, self.side, 3], (device, DType::F32));
        self.views_into(batch, 0, &[views], device)
    }

    /// The views of some students' batches, one after the other, in `batch` `[N, side, side, 3]` from its image
    /// `first_view` on, and what stood in the rest of it. Nothing else may hold on to `batch`.
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
            let words = views.iter().flat_map(|view| words(view, self.side as u32, before));
            plan.extend(words.map(u32::cast_signed));
        }
        let plan = upload::words(plan, device);
        let [first, second, third, fourth] = self.buffers.clone().map(Tensor::into_dispatch);
        Tensor::from_dispatch(<Dispatch as Views>::views(
            first,
            second,
            third,
            fourth,
            plan.into_dispatch(),
            self.constants.clone().into_dispatch(),
            batch.into_dispatch(),
            first_view,
            self.side,
            self.each,
        ))
    }
}

/// A view as the kernel reads it, with `before` views before its batch.
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

/// Writes how many strips there are, and of each where it begins and where it comes from.
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
        let Some(device) = crate::kernel::testing::wgpu() else { return };
        let (set, normalise) = (set(), Normalise::IMAGENET);
        let planner =
            Planner::new(augmentation, grid.parse().expect("a grid"), SIDE, 3).expect("a valid plan");
        let mut executor = Executor::new(SIDE);
        let five_images = 5 * (SIDE * SIDE) as usize * size_of::<u32>();
        for (epoch, buffer) in [BUFFER, five_images].into_iter().enumerate() {
            let resident = Resident::within(&set, &normalise, &device, buffer).expect("room for all");
            let images: Vec<u32> = (0..IMAGES as u32).rev().collect();
            let mut views = Vec::new();
            planner.plan(epoch as u32, 0, &images, &mut views);
            let mut expected = vec![0.0; views.len() * (SIDE * SIDE * 3) as usize];
            executor.execute(&set, &views, &normalise, Layout::Nhwc, &mut expected);
            let found = block_on(read(resident.views(&views, &device))).expect("the device answers");
            assert_eq!(found.len(), expected.len());
            for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < 1e-4, "{found} should be {expected} at {place}");
            }
        }
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
