//! The inner kernels of normalisation: moments, scale and shift with ReLU and pool, and their gradients.
//!
//! All work on rows of pixels, channels last. Nothing but the convolution's output is kept for the backward pass:
//! where ReLU and max pool let a gradient through is computed again from it, by the same instructions,
//! which costs less than writing it down and reading it back.

mod backward;
mod forward;
mod moments;

pub(super) use backward::{backward, sums};
pub(super) use forward::forward;
pub(super) use moments::moments;

use crate::kernel::pooling::Pooling;

/// What follows the convolution in a block, and the size of the images it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plane {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) relu: bool,
    pub(crate) pool: Pooling,
}

impl Plane {
    pub(crate) fn input(&self) -> usize {
        self.height * self.width * self.channels
    }

    pub(crate) fn output(&self) -> usize {
        if self.pools() { (self.height / 2) * (self.width / 2) * self.channels } else { self.input() }
    }

    pub(super) fn pools(&self) -> bool {
        self.pool != Pooling::None
    }
}

/// Adds the moments of a block of pixels to running ones (Chan, Golub and LeVeque 1983).
pub(super) struct Moments {
    /// First pixel and channel.
    pub(super) values: *const f32,
    pub(super) pixels: usize,
    /// Floats from pixel to pixel.
    pub(super) stride: usize,
    pub(super) channels: usize,
    /// Pixels that `mean` and `squares` know already.
    pub(super) before: usize,
    /// `[channels]`.
    pub(super) mean: *mut f32,
    /// `[channels]`: sum of squared distances from the mean.
    pub(super) squares: *mut f32,
}

/// `output = pool(relu(values * scale + shift + shortcut))` for one image.
pub(super) struct Forward {
    pub(super) plane: Plane,
    pub(super) values: *const f32,
    /// `[channels]`, as is `shift`.
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    /// Null when there is none.
    pub(super) shortcut: *const f32,
    pub(super) output: *mut f32,
}

/// What both halves of the backward pass read, for one image.
#[derive(Clone, Copy)]
pub(super) struct Incoming {
    pub(super) plane: Plane,
    pub(super) values: *const f32,
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    /// The block's output, read where there was a shortcut; null elsewhere.
    pub(super) output: *const f32,
    /// Gradient of the block's output.
    pub(super) gradient: *const f32,
}

/// Adds `sum of g` and `sum of g * (value - mean)` over an image, `g` being the gradient behind ReLU and pool.
pub(super) struct Sums {
    pub(super) incoming: Incoming,
    pub(super) mean: *const f32,
    /// `[channels]` each.
    pub(super) gradient: *mut f32,
    pub(super) product: *mut f32,
}

/// `d values = a * g + b + c * value` for one image, and `g` itself for the shortcut.
pub(super) struct Backward {
    pub(super) incoming: Incoming,
    /// `[channels]` each.
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    pub(super) c: *const f32,
    pub(super) values: *mut f32,
    /// Null when there is no shortcut.
    pub(super) shortcut: *mut f32,
}
