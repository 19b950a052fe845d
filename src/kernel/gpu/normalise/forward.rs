//! From a convolution's output to a block's: normalise, add a shortcut, ReLU, 2×2 max pool, in one pass.

use cubecl::prelude::*;

/// What follows the convolution, and the size of the images it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Vectors of channels of a student.
    pub(super) channels: usize,
    pub(super) relu: bool,
    pub(super) pool: bool,
    pub(super) shortcut: bool,
}

impl Plane {
    /// Height and width of the output.
    pub(super) fn output(&self) -> [usize; 2] {
        if self.pool { [self.height / 2, self.width / 2] } else { [self.height, self.width] }
    }
}

/// The larger of two vectors, element by element.
#[cube]
pub(super) fn larger<N: Size>(a: Vector<f32, N>, b: Vector<f32, N>) -> Vector<f32, N> {
    select_many(a.greater_than(&b), a, b)
}

/// Where in a row of an affine the channels of a vector stand, and the length of that row: each student has its own, and
/// `each` of the `count` vectors that `place` numbers.
#[cube]
pub(super) fn column_of(place: u32, count: u32, each: u32, #[comptime] plane: Plane) -> (u32, u32) {
    let channels = comptime!(plane.channels as u32);
    (place / each * channels + place % channels, count / each * channels)
}

/// One invocation a vector of the output; `count` of them, `each` of them of one student.
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
    let value = if comptime!(plane.pool) {
        let pixel = place / channels;
        let [rows, columns] = comptime!(plane.output());
        let (rows, columns) = comptime!((rows as u32, columns as u32));
        let (x, y, image) = (pixel % columns, pixel / columns % rows, pixel / columns / rows);
        let width = comptime!(plane.width as u32);
        let from =
            ((image * comptime!(plane.height as u32) + y * 2) * width + x * 2) * channels + place % channels;
        let below = from + width * channels;
        let above = larger::<N>(
            values[from as usize] * gain + offset,
            values[(from + channels) as usize] * gain + offset,
        );
        let below = larger::<N>(
            values[below as usize] * gain + offset,
            values[(below + channels) as usize] * gain + offset,
        );
        larger::<N>(above, below)
    } else {
        let value = values[place as usize] * gain + offset;
        if comptime!(plane.shortcut) { value + shortcut[place as usize] } else { value }
    };
    output[place as usize] =
        if comptime!(plane.relu) { larger::<N>(value, Vector::<f32, N>::new(0.0)) } else { value };
}
