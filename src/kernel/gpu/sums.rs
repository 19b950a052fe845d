//! Sums over the rows of a matrix: over the pixels of a batch, or over its images.

use std::ops::Range;

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::{elementwise, empty, ready};

/// Parts that rows are cut into, if there are enough.
const PARTS: usize = 64;
/// Rows that a part has at least.
const LEAST: usize = 32;

/// `sums[student][part][column] = Σ values[row][first + column]` over the rows of a part; each student has `rows` rows in
/// `parts` parts.
#[cube(launch_unchecked)]
fn sums_of_parts(
    values: &[f32],
    sums: &mut [f32],
    count: u32,
    rows: u32,
    parts: u32,
    part: u32,
    stride: u32,
    first: u32,
    columns: u32,
) {
    let place = ABSOLUTE_POS as u32;
    if place >= count {
        terminate!();
    }
    let (student, start) = (place / columns / parts, place / columns % parts * part);
    let end = select(start + part < rows, start + part, rows);
    let column = first + place % columns;
    let mut sum = 0.0f32;
    for row in start..end {
        sum += values[((student * rows + row) * stride + column) as usize];
    }
    sums[place as usize] = sum;
}

/// Sums of some columns of `values`, whose last dimension counts columns, over all else of each student: `[S · columns]`.
pub(in crate::kernel) fn sum_rows(values: &CubeTensor, columns: Range<usize>, students: usize) -> CubeTensor {
    let values = ready(values.clone());
    let stride = values.shape().to_vec().last().copied().expect("a tensor has a dimension");
    let rows = values.shape().num_elements() / stride / students;
    let part = rows.div_ceil(PARTS).max(LEAST);
    let parts = rows.div_ceil(part);
    if parts == 1 {
        return sums(&values, [rows, part, stride], columns, students);
    }
    let width = columns.len();
    let sums_of_parts = sums(&values, [rows, part, stride], columns, students);
    sums(&sums_of_parts, [parts, parts, width], 0..width, students)
}

fn sums(
    values: &CubeTensor,
    [rows, part, stride]: [usize; 3],
    columns: Range<usize>,
    students: usize,
) -> CubeTensor {
    let parts = rows.div_ceil(part);
    let count = students * parts * columns.len();
    let found = empty(values, [count]);
    let (cubes, dim) = elementwise(count);
    // SAFETY: rows and columns are those of the values; the kernel returns early past the last sum.
    unsafe {
        sums_of_parts::launch_unchecked(
            &found.client,
            cubes,
            dim,
            values.clone().into_buffer_arg(),
            found.clone().into_buffer_arg(),
            count as u32,
            rows as u32,
            parts as u32,
            part as u32,
            stride as u32,
            columns.start as u32,
            columns.len() as u32,
        );
    }
    found
}
