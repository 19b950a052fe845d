//! Channels that do not fill vectors of four.
//!
//! Kernels compute with whole vectors. A tensor whose channels do not fill them is [brought to them](Channels::fit) in a pass of its
//! own, or where it is small and a launch is most of what that costs, read and written one channel at a time.

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::super::{elementwise, empty};
use super::vector::{LANES, Vec4};

/// Channels of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Channels {
    pub(super) count: usize,
    /// Number of channels that a kernel reads or writes at once: a whole vector, or one.
    pub(super) at_once: usize,
}

impl Channels {
    /// Channels that are brought to whole vectors, or if the tensor is `small`, that are taken as they are.
    pub(super) fn new(count: usize, small: bool) -> Self {
        let at_once = if small && !count.is_multiple_of(LANES) { 1 } else { LANES };
        Self { count, at_once }
    }

    /// Vectors of a pixel.
    pub(super) fn vectors(&self) -> usize {
        self.count.div_ceil(LANES)
    }

    /// Channels that a pixel has in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.count.next_multiple_of(self.at_once)
    }

    /// A tensor of these channels as kernels read it.
    pub(super) fn fit(&self, tensor: CubeTensor) -> CubeTensor {
        fitted(tensor, self.count, self.in_memory())
    }

    /// A tensor that kernels wrote, without the channels that were added to fill vectors.
    pub(super) fn cut(&self, tensor: CubeTensor) -> CubeTensor {
        fitted(tensor, self.in_memory(), self.count)
    }
}

/// Where the first channel of a vector stands where pixels have no whole vectors, and which channel it is.
#[cube]
fn first_of(vector: u32, #[comptime] channels: Channels) -> (u32, u32) {
    let vectors = comptime!(channels.vectors() as u32);
    let (pixel, channel) = (vector / vectors, vector % vectors * 4);
    (pixel * comptime!(channels.count as u32) + channel, channel)
}

/// A vector of channels, by its number when every pixel has whole ones; zero past the last channel.
#[cube]
pub(super) fn vector_of<N: Size>(
    tensor: &[Vector<f32, N>],
    vector: u32,
    #[comptime] channels: Channels,
) -> Vec4 {
    let mut value = Vec4::new(0.0);
    if comptime!(channels.at_once == LANES) {
        value = Vec4::cast_from(tensor[vector as usize]);
    } else {
        let (first, channel) = first_of(vector, channels);
        #[unroll]
        for lane in 0..4usize {
            let exists = channel + comptime!(lane as u32) < comptime!(channels.count as u32);
            let from = select(exists, first + comptime!(lane as u32), 0u32);
            value.insert(lane, select(exists, tensor[from as usize].extract(0usize), 0.0f32));
        }
    }
    value
}

/// Writes a vector of channels, by the same number; what would be past the last channel is dropped.
#[cube]
pub(super) fn put_vector<N: Size>(
    tensor: &mut [Vector<f32, N>],
    vector: u32,
    value: Vec4,
    #[comptime] channels: Channels,
) {
    if comptime!(channels.at_once == LANES) {
        tensor[vector as usize] = Vector::cast_from(value);
    } else {
        let (first, channel) = first_of(vector, channels);
        #[unroll]
        for lane in 0..4usize {
            if channel + comptime!(lane as u32) < comptime!(channels.count as u32) {
                tensor[(first + comptime!(lane as u32)) as usize] = Vector::new(value.extract(lane));
            }
        }
    }
}

/// A tensor of rows of `from` channels with rows of `to`: images, or one vector a student. What is missing is zero.
fn fitted(tensor: CubeTensor, from: usize, to: usize) -> CubeTensor {
    if from == to {
        return tensor;
    }
    let rows = tensor.shape().num_elements() / from;
    let mut shape = tensor.shape().to_vec();
    match &mut shape[..] {
        [length] => *length = rows * to,
        [.., channels] => *channels = to,
        [] => unreachable!("a tensor has a dimension"),
    }
    let output = empty(&tensor, shape);
    let (cubes, dim) = elementwise(rows * to);
    // SAFETY: the kernel returns early past the last element and reads only channels that exist.
    unsafe {
        fit_channels::launch_unchecked(
            &output.client,
            cubes,
            dim,
            tensor.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            (rows * to) as u32,
            from as u32,
            to as u32,
        );
    }
    output
}

/// Pixels of `from` channels as pixels of `to`: the surplus is cut off, what is missing is zero.
#[cube(launch_unchecked)]
fn fit_channels(input: &[f32], output: &mut [f32], count: u32, #[comptime] from: u32, #[comptime] to: u32) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (pixel, channel) = (place / to, place % to);
    let exists = channel < from;
    output[place as usize] =
        select(exists, input[select(exists, pixel * from + channel, 0u32) as usize], 0.0f32);
}
