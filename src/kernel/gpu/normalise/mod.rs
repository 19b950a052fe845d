//! BatchNorm or InstanceNorm with what follows it, forward and back, on a convolution's output `[S·B, H, W, C]`, of S students.
//!
//! Images that are normalised by the same moments are a group: those of a student in a BatchNorm, each by itself in an
//! InstanceNorm. What is kept of G groups' channels, `[G·C]`, has one group's after the other's; what students learn is `[S·C]`.

mod backward;
mod columns;
mod forward;
mod moments;

use burn::backend::TensorMetadata;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use self::backward::{join_sums, join_sums_of_images, sums_of_parts, value_gradient};
use self::columns::Columns;
use self::forward::Plane;
use self::moments::{AFFINE, join_moments, join_moments_of_images, moments_of_parts};
use super::{elementwise, empty, ready, span};
use crate::kernel::block::{Norm, Pooling};
use crate::kernel::probe::Work;

/// Invocations of the kernels that join parts.
const UNITS: usize = 64;
/// Parts that the pixels of a batch are cut into, if there are enough.
const PARTS: usize = 256;
/// Pixels that a part has at least.
const LEAST: usize = 64;
/// Parts that an image is cut into, where each is a group: many images fill a GPU.
const PARTS_OF_IMAGE: usize = 16;
/// Pixels that a part of one has at least.
const LEAST_OF_IMAGE: usize = 256;

/// The steps after the normalisation.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct After {
    pub(in crate::kernel) relu: bool,
    pub(in crate::kernel) pool: Pooling,
}

/// Mean, biased variance and affine of each channel of each group.
pub(in crate::kernel) struct Moments {
    pub(in crate::kernel) mean: CubeTensor,
    pub(in crate::kernel) variance: CubeTensor,
    pub(in crate::kernel) affine: CubeTensor,
}

/// Pixels of a part, and the number of parts, of a group of `pixels` pixels. Independent of the number of groups.
fn cut(pixels: usize, norm: Norm) -> (usize, usize) {
    let (parts, least) = match norm {
        Norm::Batch => (PARTS, LEAST),
        Norm::Instance => (PARTS_OF_IMAGE, LEAST_OF_IMAGE),
    };
    let part = pixels.div_ceil(parts).max(least);
    (part, pixels.div_ceil(part))
}

/// Number of groups in `batch` images of `students` students.
fn groups(batch: usize, norm: Norm, students: usize) -> usize {
    match norm {
        Norm::Batch => students,
        Norm::Instance => batch,
    }
}

/// Floats of a vector that channels are handled in.
fn lanes(channels: usize) -> usize {
    if channels.is_multiple_of(4) { 4 } else { 1 }
}

/// Work of a pass over values, for a profile. `passes` is the number of floats that cross memory for each value.
fn work(values: &CubeTensor, flops_a_value: usize, passes: usize) -> Work {
    let (shape, count) = (values.shape(), values.shape().num_elements());
    Work {
        shape: format!("{}x{}x{}", shape[1], shape[2], shape[3]),
        flops: (flops_a_value * count) as f64,
        floats: passes * count,
    }
}

fn plane(values: &CubeTensor, after: After, shortcut: bool) -> Plane {
    let shape = values.shape();
    let channels = shape[3] / lanes(shape[3]);
    let After { relu, pool } = after;
    Plane { height: shape[1], width: shape[2], channels, relu, pool, shortcut }
}

/// The moments of each group's values over all but the channels. Scale and shift say how many students there are.
pub(in crate::kernel) fn moments(
    values: &CubeTensor,
    scale: &CubeTensor,
    shift: &CubeTensor,
    norm: Norm,
    epsilon: f64,
) -> Moments {
    let shape = values.shape();
    let (channels, lanes) = (shape[3], lanes(shape[3]));
    let _span = span(values, "moments", || work(values, 4, 1));
    let students = scale.shape()[0] / channels;
    let groups = groups(shape[0], norm, students);
    let all = groups * channels;
    let pixels = shape.num_elements() / all;
    let (part, count) = cut(pixels, norm);
    let columns = Columns::new(channels / lanes);
    let parts = empty(values, [groups * count, 3, channels]);
    let found = Moments {
        mean: empty(values, [all]),
        variance: empty(values, [all]),
        affine: empty(values, [AFFINE, all]),
    };
    let client = values.client.clone();
    // SAFETY: parts and columns cover all pixels and channels, and the kernels guard what lies beyond them.
    unsafe {
        moments_of_parts::launch_unchecked(
            &client,
            CubeCount::Static((groups * count) as u32, columns.groups() as u32, 1),
            CubeDim::new_1d(columns.units() as u32),
            lanes,
            values.clone().into_buffer_arg(),
            parts.clone().into_buffer_arg(),
            pixels as u32,
            part as u32,
            groups as u32,
            columns,
        );
        match norm {
            Norm::Batch => join_moments::launch_unchecked(
                &client,
                CubeCount::Static(all as u32, 1, 1),
                CubeDim::new_1d(UNITS as u32),
                parts.into_buffer_arg(),
                ready(scale.clone()).into_buffer_arg(),
                ready(shift.clone()).into_buffer_arg(),
                found.mean.clone().into_buffer_arg(),
                found.variance.clone().into_buffer_arg(),
                found.affine.clone().into_buffer_arg(),
                pixels as u32,
                part as u32,
                count as u32,
                channels as u32,
                epsilon as f32,
                UNITS,
            ),
            Norm::Instance => {
                let (cubes, dim) = elementwise(all);
                join_moments_of_images::launch_unchecked(
                    &client,
                    cubes,
                    dim,
                    parts.into_buffer_arg(),
                    ready(scale.clone()).into_buffer_arg(),
                    ready(shift.clone()).into_buffer_arg(),
                    found.mean.clone().into_buffer_arg(),
                    found.variance.clone().into_buffer_arg(),
                    found.affine.clone().into_buffer_arg(),
                    pixels as u32,
                    part as u32,
                    count as u32,
                    channels as u32,
                    (groups / students) as u32,
                    all as u32,
                    epsilon as f32,
                );
            }
        }
    }
    found
}

/// The affine of given moments.
pub(in crate::kernel) fn affine(
    mean: CubeTensor,
    variance: CubeTensor,
    scale: CubeTensor,
    shift: CubeTensor,
    epsilon: f64,
) -> CubeTensor {
    let channels = mean.shape()[0];
    let found = empty(&mean, [AFFINE, channels]);
    let (cubes, dim) = elementwise(channels);
    // SAFETY: all have one element a channel; the kernel returns early past the last.
    unsafe {
        moments::affine::launch_unchecked(
            &found.client,
            cubes,
            dim,
            ready(mean).into_buffer_arg(),
            ready(variance).into_buffer_arg(),
            ready(scale).into_buffer_arg(),
            ready(shift).into_buffer_arg(),
            found.clone().into_buffer_arg(),
            channels as u32,
            epsilon as f32,
        );
    }
    found
}

/// `pool(relu(affine(values) + shortcut))`.
pub(in crate::kernel) fn normalise(
    values: &CubeTensor,
    affine: &CubeTensor,
    shortcut: Option<CubeTensor>,
    after: After,
) -> CubeTensor {
    let shape = values.shape();
    let _span = span(values, "normalise", || work(values, 2, 2));
    let plane = plane(values, after, shortcut.is_some());
    let [height, width] = plane.output();
    let output = empty(values, [shape[0], height, width, shape[3]]);
    let count = shape[0] * height * width * plane.channels;
    let groups = affine.shape()[1] / shape[3];
    let (cubes, dim) = elementwise(count);
    // SAFETY: the plane decides every size; the kernel returns early past the last element.
    unsafe {
        forward::normalise::launch_unchecked(
            &output.client,
            cubes,
            dim,
            lanes(shape[3]),
            values.clone().into_buffer_arg(),
            affine.clone().into_buffer_arg(),
            // Something has to be bound; it is read only where there is a shortcut.
            shortcut.map_or_else(|| affine.clone(), ready).into_buffer_arg(),
            output.clone().into_buffer_arg(),
            count as u32,
            (count / groups) as u32,
            plane,
        );
    }
    output
}

/// Gradients behind the normalisation.
pub(in crate::kernel) struct Gradients {
    pub(in crate::kernel) values: CubeTensor,
    pub(in crate::kernel) scale: CubeTensor,
    pub(in crate::kernel) shift: CubeTensor,
    /// Where there was a shortcut.
    pub(in crate::kernel) shortcut: Option<CubeTensor>,
}

/// The way back through [`normalise`], with the moments of a norm of `students` students' values. `output` is that of the block,
/// where there was a shortcut.
pub(in crate::kernel) fn gradients(
    values: &CubeTensor,
    gradient: CubeTensor,
    affine: &CubeTensor,
    (norm, students): (Norm, usize),
    output: Option<CubeTensor>,
    after: After,
) -> Gradients {
    let gradient = ready(gradient);
    let shape = values.shape();
    let (channels, lanes) = (shape[3], lanes(shape[3]));
    let _span = span(values, "normalise, gradient", || work(values, 9, 5));
    let plane = plane(values, after, output.is_some());
    let has_shortcut = plane.shortcut;
    // Something has to be bound; it is read only where there is a shortcut.
    let output = output.map_or_else(|| affine.clone(), ready);
    let [height, width] = plane.output();
    let (groups, all) = (groups(shape[0], norm, students), affine.shape()[1]);
    let pixels = shape[0] / groups * height * width;
    let (part, count) = cut(pixels, norm);
    let columns = Columns::new(plane.channels);
    let parts = empty(values, [groups * count, 2, channels]);
    let [scale, shift] = [(); 2].map(|()| empty(values, [students * channels]));
    let turned = empty(values, [3, all]);
    let found = empty(values, shape.clone());
    let shortcut = has_shortcut.then(|| empty(values, shape.clone()));
    let places = if plane.pools() {
        shape[0] * shape[1].div_ceil(2) * shape[2].div_ceil(2) * plane.channels
    } else {
        groups * pixels * plane.channels
    };
    let values_of_group = (shape.num_elements() / all) as f32;
    let client = values.client.clone();
    // SAFETY: as in `moments` and `normalise`.
    unsafe {
        sums_of_parts::launch_unchecked(
            &client,
            CubeCount::Static((groups * count) as u32, columns.groups() as u32, 1),
            CubeDim::new_1d(columns.units() as u32),
            lanes,
            values.clone().into_buffer_arg(),
            gradient.clone().into_buffer_arg(),
            output.clone().into_buffer_arg(),
            affine.clone().into_buffer_arg(),
            parts.clone().into_buffer_arg(),
            pixels as u32,
            part as u32,
            groups as u32,
            columns,
            plane,
        );
        let learned = CubeCount::Static((students * channels) as u32, 1, 1);
        match norm {
            Norm::Batch => join_sums::launch_unchecked(
                &client,
                learned,
                CubeDim::new_1d(UNITS as u32),
                parts.into_buffer_arg(),
                affine.clone().into_buffer_arg(),
                scale.clone().into_buffer_arg(),
                shift.clone().into_buffer_arg(),
                turned.clone().into_buffer_arg(),
                count as u32,
                channels as u32,
                values_of_group,
                UNITS,
            ),
            Norm::Instance => join_sums_of_images::launch_unchecked(
                &client,
                learned,
                CubeDim::new_1d(UNITS as u32),
                parts.into_buffer_arg(),
                affine.clone().into_buffer_arg(),
                scale.clone().into_buffer_arg(),
                shift.clone().into_buffer_arg(),
                turned.clone().into_buffer_arg(),
                count as u32,
                (groups / students) as u32,
                channels as u32,
                values_of_group,
                UNITS,
            ),
        }
        let (cubes, dim) = elementwise(places);
        value_gradient::launch_unchecked(
            &client,
            cubes,
            dim,
            lanes,
            values.clone().into_buffer_arg(),
            gradient.into_buffer_arg(),
            output.into_buffer_arg(),
            affine.clone().into_buffer_arg(),
            turned.into_buffer_arg(),
            found.clone().into_buffer_arg(),
            // Something has to be bound that is nothing else; it is written only where there is a shortcut.
            shortcut.clone().unwrap_or_else(|| empty(values, [lanes])).into_buffer_arg(),
            places as u32,
            (places / groups) as u32,
            plane,
        );
    }
    Gradients { values: found, scale, shift, shortcut }
}
