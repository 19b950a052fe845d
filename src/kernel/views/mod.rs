//! Training views where the network is: the stored images lie on the GPU, and a batch is cut there by its plan.

#[cfg(feature = "cube")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::device::upload;

/// Buffers that the images may lie in.
pub(crate) const BUFFERS: usize = 4;
/// Bytes of a buffer: WebGPU's default limit of what a kernel may bind.
pub(crate) const BUFFER: usize = 128 << 20;
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
    /// Number of strips, then for each strip its start in the shuffled image and its start in the stored one.
    pub(crate) const COLUMNS: usize = 17;
    pub(crate) const ROWS: usize = COLUMNS + 1 + 2 * super::STRIPS;
    /// Values of the word `MIX`.
    pub(crate) const MIXUP: u32 = 1;
    pub(crate) const CUTMIX: u32 = 2;
}

/// Words of a view.
pub(crate) const WORDS: usize = word::ROWS + 1 + 2 * STRIPS;

/// Operations that a backend implements to run [`Stored::views`]. On the CPU the planner's own executor does it, beside the step.
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
pub(crate) struct Stored {
    buffers: [Tensor<1, Int>; BUFFERS],
    /// Images in a buffer.
    each: usize,
    side: usize,
    constants: Tensor<1>,
}

impl Stored {
    /// Brings `count` images of `side` pixels a side to a GPU, in buffers of `buffer` bytes each, unless they are too many to
    /// lie there. `pixels` appends the [`packed`] pixels of an image, and `affine` is the gain and the offset by which a byte
    /// of each channel is normalised.
    ///
    /// # Errors
    /// The first of `pixels`.
    pub(crate) fn new<E>(
        [count, side]: [usize; 2],
        buffer: usize,
        affine: [(f32, f32); 3],
        mut pixels: impl FnMut(usize, &mut Vec<i32>) -> Result<(), E>,
        device: &Device,
    ) -> Result<Option<Self>, E> {
        let each = Self::in_buffer(side, buffer);
        if count == 0 || count > BUFFERS * each {
            return Ok(None);
        }
        let mut filled = |first: usize| -> Result<_, E> {
            let mut images = first..count.min(first + each);
            let mut words = Vec::with_capacity(images.len() * side * side);
            images.try_for_each(|image| pixels(image, &mut words))?;
            Ok(upload::words(words, device))
        };
        let first = filled(0)?;
        // A buffer that no image lies in is bound, but not read.
        let mut buffers = std::array::from_fn(|_| first.clone());
        for place in (1..BUFFERS).take_while(|place| place * each < count) {
            buffers[place] = filled(place * each)?;
        }
        let constants = affine.iter().map(|of| of.0).chain(affine.iter().map(|of| of.1)).collect();
        let constants = upload::floats(TensorData::new::<f32, _>(constants, [6]), device);
        Ok(Some(Self { buffers, each, side, constants }))
    }

    /// Images of a side that lie in a buffer.
    fn in_buffer(side: usize, buffer: usize) -> usize {
        (buffer / (side * side * size_of::<u32>())).max(1)
    }

    /// Whether so many images of a side can lie on a GPU.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn fits(count: usize, side: usize) -> bool {
        count <= BUFFERS * Self::in_buffer(side, BUFFER)
    }

    /// Width and height of every image.
    pub(crate) fn side(&self) -> usize {
        self.side
    }

    /// The views of a plan, of [`WORDS`] words a view, in `batch` `[N, side, side, 3]` from its image `first_view` on, and
    /// what stood in the rest of it. Nothing else may hold on to `batch`.
    pub(crate) fn views(
        &self,
        batch: Tensor<4>,
        first_view: usize,
        plan: Vec<i32>,
        device: &Device,
    ) -> Tensor<4> {
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

/// Pixels of three bytes as the kernel reads them.
pub(crate) fn packed(pixels: &[u8]) -> impl Iterator<Item = i32> {
    pixels.chunks_exact(3).map(|rgb| i32::from_le_bytes([rgb[0], rgb[1], rgb[2], 0]))
}
