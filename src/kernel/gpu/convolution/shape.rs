//! The sizes of a convolution, and how its product is cut into tiles.

use super::channels::Channels;
use super::vector::LANES;
use crate::device::Precision;
use crate::kernel::convolution::Window;
use crate::kernel::probe::Work;

/// The sizes of a convolution, known when a kernel is compiled, so that no invocation divides by a variable. The batch is
/// not among them: the last one of an epoch is smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) height: usize,
    pub(super) width: usize,
    /// Channels of the images and of the output.
    pub(super) inputs: Channels,
    pub(super) outputs: Channels,
    pub(super) output_height: usize,
    pub(super) output_width: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl Shape {
    /// Of images `[S·B, H, W, C]` and weights `[S·O, C, K, K]`.
    pub(super) fn new(images: &[usize], weights: &[usize], window: Window) -> Self {
        let (height, width, kernel) = (images[1], images[2], weights[2]);
        assert_eq!(images[3], weights[1], "the weights have as many input channels as the images");
        assert_eq!(kernel, weights[3], "kernels are square");
        assert!(kernel <= 15, "a window's rows and columns of taps have a bit each");
        let side = |length: usize| (length + 2 * window.padding - kernel) / window.stride + 1;
        // The classifier's images; matrix units read whole vectors.
        let small = height * width == 1 && window.precision == Precision::Full;
        let inputs = Channels::new(images[3], small);
        let outputs = Channels::new(weights[0] / window.students, small);
        Self {
            height,
            width,
            inputs,
            outputs,
            output_height: side(height),
            output_width: side(width),
            kernel,
            stride: window.stride,
            padding: window.padding,
        }
    }

    /// Vectors of channels of the images.
    pub(super) fn input(&self) -> usize {
        self.inputs.vectors()
    }

    /// Vectors of channels of the output.
    pub(super) fn output(&self) -> usize {
        self.outputs.vectors()
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Work of any of the three products over a batch of every student, for a profile. Channels are counted as whole vectors.
    pub(super) fn work(&self, batch: usize, students: usize) -> Work {
        let (input, output) = (self.input() * LANES, self.output() * LANES);
        let weights = self.taps() * input * output;
        let stride = if self.stride == 1 { String::new() } else { format!(", stride {}", self.stride) };
        let Self { height, width, kernel, .. } = self;
        let each = batch * (self.pixels() * input + self.output_pixels() * output) + weights;
        Work {
            shape: format!("{height}x{width}x{input} -> {output}, {kernel}x{kernel}{stride}"),
            flops: 2.0 * (students * batch * self.output_pixels()) as f64 * weights as f64,
            floats: students * each,
        }
    }

    /// Pixels of an image.
    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Pixels of an image of the output.
    pub(super) fn output_pixels(&self) -> usize {
        self.output_height * self.output_width
    }
}

/// Tile of a product `[M, K] · [K, N]`: each workgroup makes one tile, each of its invocations a block of that tile, from
/// panels of `depth` that lie in shared memory.
///
/// Chosen for WebGPU's default limits: at most 256 invocations, 16 KiB of shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Invocations down and across the tile.
    pub(super) down: usize,
    pub(super) across: usize,
    /// Vectors of rows and of columns in each invocation's block.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Vectors of `K` in shared memory.
    pub(super) depth: usize,
}

impl Tile {
    /// For a product of `m` vectors of rows and `n` of columns, whose `K` comes in runs of `run` vectors.
    pub(super) fn choose(m: usize, n: usize, run: usize) -> Self {
        let small = |across: usize, depth: usize| {
            let tile = Self { down: 64 / across, across, rows: 2, columns: 2, depth };
            // Half as many rows reuse less of what they read, but are better than rows that do not exist: the weights of
            // a first convolution fill a quarter of the larger tile.
            let waste = |tile: Self, cost: usize| m.next_multiple_of(tile.m()) * cost;
            let half = Self { rows: 1, depth: (2 * depth).min(4), ..tile };
            let tile = if waste(half, 5) < waste(tile, 4) { half } else { tile };
            // Rows of a small batch's logits: half of the invocations would have none.
            if tile.down >= 32 && m <= tile.m() / 2 { Self { down: tile.down / 2, ..tile } } else { tile }
        };
        let tile = match n {
            0..=2 => small(1, 1),
            3..=4 => small(2, 2),
            5..=8 => small(4, 4),
            // Wide ones fill a large GPU only if there are many of them.
            _ if m * n >= 1 << 18 => Self { down: 16, across: 8, rows: 2, columns: 2, depth: 4 },
            _ => small(8, 4),
        };
        let depth = [4, 2, 1].into_iter().find(|&depth| depth <= tile.depth && run.is_multiple_of(depth));
        Self { depth: depth.unwrap_or(1), ..tile }
    }

    /// Invocations of a workgroup.
    pub(super) fn units(&self) -> usize {
        self.down * self.across
    }

    /// Vectors of rows of the tile.
    pub(super) fn m(&self) -> usize {
        self.down * self.rows
    }

    /// Vectors of columns of the tile.
    pub(super) fn n(&self) -> usize {
        self.across * self.columns
    }

    /// Vectors that stand after each row of a gathered panel. Neighbours write their channels four rows apart, which would
    /// be the same bank of shared memory for all of them; so they meet by two at most.
    pub(super) fn pad(&self) -> usize {
        usize::from(self.depth > 1)
    }

    /// Bytes of shared memory.
    #[cfg(test)]
    fn shared(&self) -> usize {
        // A window and a row of the gradient for each pixel of a panel.
        let windows = self.depth * LANES * 3 * size_of::<u32>();
        self.depth * LANES * (self.m() + self.pad() + self.n()) * LANES * size_of::<f32>() + windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_tile_stays_within_webgpus_default_limits(m in 1usize..1 << 22, n in 1usize..600, run in 1usize..200) {
            let tile = Tile::choose(m, n, run);
            prop_assert!(tile.units() <= 256);
            prop_assert!(tile.shared() <= 16 << 10, "{}", tile.shared());
            prop_assert!(run.is_multiple_of(tile.depth));
            // An invocation gathers the same channels, turn after turn.
            prop_assert!(tile.units().is_multiple_of(tile.depth));
            // An invocation keeps to few rows of vectors, turn after turn.
            prop_assert!(tile.m().is_multiple_of(tile.units()) || tile.units().is_multiple_of(tile.m()), "{tile:?}");
        }
    }
}
