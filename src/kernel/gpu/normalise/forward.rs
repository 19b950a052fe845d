//! From a convolution's output to a block's: normalise, add a shortcut, ReLU, 2×2 pool, in one pass.

use cubecl::prelude::*;

use crate::kernel::block::Pooling;

/// Size of a block's convolved images, and the ReLU and pool that follow the normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Vectors of channels of a student.
    pub(super) channels: usize,
    pub(super) relu: bool,
    pub(super) pool: Pooling,
    pub(super) shortcut: bool,
}

impl Plane {
    /// Height and width of the output.
    pub(super) fn output(&self) -> [usize; 2] {
        if self.pools() { [self.height / 2, self.width / 2] } else { [self.height, self.width] }
    }

    pub(super) fn pools(&self) -> bool {
        self.pool != Pooling::None
    }

    pub(super) fn averages(&self) -> bool {
        self.pool == Pooling::Average
    }
}

/// The larger of two vectors, element by element.
#[cube]
pub(super) fn larger<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>) -> Vector<f32, N> {
    select_many(a.greater_than(&b), a, b)
}

/// The ReLU of a value, or the value itself where the block has no ReLU.
#[cube]
fn activated<N: Size>(value: Vector<f32, N>, #[comptime] plane: Plane) -> Vector<f32, N> {
    if comptime!(plane.relu) { larger::<N>(value, Vector::<f32, N>::new(0.0)) } else { value }
}

/// Where in a row of an affine the channels of a vector stand, and the length of that row: each group has its own, and
/// `each` of the `count` vectors that `place` numbers.
#[cube]
pub(super) fn column_of(place: u32, count: u32, each: u32, #[comptime] plane: Plane) -> (u32, u32) {
    let channels = comptime!(plane.channels as u32);
    (place / each * channels + place % channels, count / each * channels)
}

/// One invocation a vector of the output; `count` of them, `each` of them of one group.
#[cube(launch_unchecked)]
pub(super) fn normalise<N: Size>(
    values: &[Vector<f32, N>],
    affine: &[Vector<f32, N>],
    shortcut: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    count: u32,
    each: u32,
    #[comptime] plane: Plane,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let channels = comptime!(plane.channels as u32);
    let (column, row) = column_of(place, count, each, plane);
    let gain = affine[column as usize];
    let offset = affine[(row + column) as usize];
    let value = if comptime!(plane.pools()) {
        let pixel = place / channels;
        let [rows, columns] = comptime!(plane.output());
        let (rows, columns) = comptime!((rows as u32, columns as u32));
        let (x, y, image) = (pixel % columns, pixel / columns % rows, pixel / columns / rows);
        let width = comptime!(plane.width as u32);
        let from =
            ((image * comptime!(plane.height as u32) + y * 2) * width + x * 2) * channels + place % channels;
        let below = from + width * channels;
        let first = values[from as usize] * gain + offset;
        let second = values[(from + channels) as usize] * gain + offset;
        let third = values[below as usize] * gain + offset;
        let fourth = values[(below + channels) as usize] * gain + offset;
        if comptime!(plane.averages()) {
            let above = activated::<N>(first, plane) + activated::<N>(second, plane);
            let below = activated::<N>(third, plane) + activated::<N>(fourth, plane);
            (above + below) * Vector::<f32, N>::new(0.25)
        } else {
            larger::<N>(larger::<N>(first, second), larger::<N>(third, fourth))
        }
    } else {
        let value = values[place as usize] * gain + offset;
        if comptime!(plane.shortcut) { value + shortcut[place as usize] } else { value }
    };
    output[place as usize] = activated::<N>(value, plane);
}
