//! Vectors laid one after the other, and cut apart again.

#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "cube")]
mod gpu;

use std::ops::Range;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Tensor};

/// Operations that a backend implements to run [`joined`] and [`part`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cube"),
)]
pub(crate) trait Copy: Backend {
    /// Writes `count` values of `from`, from `first` on, into `into` from `place` on. Nothing else may hold on to `into`.
    fn copy(
        from: FloatTensor<Self>,
        first: usize,
        into: FloatTensor<Self>,
        place: usize,
        count: usize,
    ) -> FloatTensor<Self>;
}

fn copy(from: Tensor<1>, first: usize, into: Tensor<1>, place: usize, count: usize) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Copy>::copy(
        from.into_dispatch(),
        first,
        into.into_dispatch(),
        place,
        count,
    ))
}

/// Vectors of one device as one, in their order. All off the autodiff graph.
///
/// # Panics
/// Without any.
pub(crate) fn joined(vectors: Vec<Tensor<1>>) -> Tensor<1> {
    let device = vectors.first().expect("at least one vector").device();
    let length = vectors.iter().map(|vector| vector.dims()[0]).sum::<usize>();
    let (mut all, mut place) = (Tensor::empty([length], (&device, DType::F32)), 0);
    for vector in vectors {
        let count = vector.dims()[0];
        all = copy(vector, 0, all, place, count);
        place += count;
    }
    all
}

/// A range of a vector, off the autodiff graph.
///
/// # Panics
/// When the vector ends before it.
pub(crate) fn part(of: Tensor<1>, range: Range<usize>) -> Tensor<1> {
    assert!(range.end <= of.dims()[0], "the range lies in the vector");
    let part = Tensor::empty([range.len()], (&of.device(), DType::F32));
    copy(of, range.start, part, 0, range.len())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use pollster::block_on;

    use super::*;
    use crate::device::read;

    fn check(device: &Device) {
        let vector = |values: Range<usize>| {
            let values: Vec<f32> = values.map(|value| value as f32).collect();
            let length = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [length]), (device, DType::F32))
        };
        let all = joined(vec![vector(0..3), vector(3..4), vector(4..400)]);
        let expected: Vec<f32> = (0..400).map(|value| value as f32).collect();
        assert_eq!(block_on(read(all.clone())).expect("the device answers"), expected);
        for range in [0..3, 2..70, 399..400, 0..400] {
            let found = block_on(read(part(all.clone(), range.clone()))).expect("the device answers");
            assert_eq!(found, expected[range]);
        }
        assert_eq!(block_on(read(all)).expect("the device answers"), expected, "a part is a copy");
    }

    #[test]
    #[cfg(feature = "flex")]
    fn vectors_are_joined_and_cut_apart_on_the_cpu() {
        check(&Device::flex());
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn vectors_are_joined_and_cut_apart_on_a_gpu() {
        if let Some(device) = crate::device::testing::wgpu() {
            check(&device);
        }
    }
}
