//! Arguments of the normalisation kernels.

use crate::kernel::pooling::Pooling;

/// Size of a block's convolved images, and the ReLU and pool that follow the normalisation.
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

    pub(in crate::kernel::cpu) fn pools(&self) -> bool {
        self.pool != Pooling::None
    }
}

/// Adds the moments of a block of pixels to running ones (Chan, Golub and LeVeque 1983).
pub(in crate::kernel::cpu) struct Moments {
    /// First pixel and channel.
    pub(in crate::kernel::cpu) values: *const f32,
    pub(in crate::kernel::cpu) pixels: usize,
    /// Floats from pixel to pixel.
    pub(in crate::kernel::cpu) stride: usize,
    pub(in crate::kernel::cpu) channels: usize,
    /// Pixels that `mean` and `squares` know already.
    pub(in crate::kernel::cpu) before: usize,
    /// `[channels]`.
    pub(in crate::kernel::cpu) mean: *mut f32,
    /// `[channels]`: sum of squared distances from the mean.
    pub(in crate::kernel::cpu) squares: *mut f32,
}

/// `output = pool(relu(values * scale + shift + shortcut))` for one image.
pub(in crate::kernel::cpu) struct Forward {
    pub(in crate::kernel::cpu) plane: Plane,
    pub(in crate::kernel::cpu) values: *const f32,
    /// `[channels]`, as is `shift`.
    pub(in crate::kernel::cpu) scale: *const f32,
    pub(in crate::kernel::cpu) shift: *const f32,
    /// Null when there is none.
    pub(in crate::kernel::cpu) shortcut: *const f32,
    pub(in crate::kernel::cpu) output: *mut f32,
}

/// Inputs of both halves of the backward pass, for one image.
#[derive(Clone, Copy)]
pub(in crate::kernel::cpu) struct Incoming {
    pub(in crate::kernel::cpu) plane: Plane,
    pub(in crate::kernel::cpu) values: *const f32,
    pub(in crate::kernel::cpu) scale: *const f32,
    pub(in crate::kernel::cpu) shift: *const f32,
    /// The block's output, read where there was a shortcut; null elsewhere.
    pub(in crate::kernel::cpu) output: *const f32,
    /// Gradient of the block's output.
    pub(in crate::kernel::cpu) gradient: *const f32,
}

/// Adds `sum of g` and `sum of g * (value - mean)` over an image, `g` being the gradient behind ReLU and pool.
pub(in crate::kernel::cpu) struct Sums {
    pub(in crate::kernel::cpu) incoming: Incoming,
    pub(in crate::kernel::cpu) mean: *const f32,
    /// `[channels]` each.
    pub(in crate::kernel::cpu) gradient: *mut f32,
    pub(in crate::kernel::cpu) product: *mut f32,
}

/// `d values = a * g + b + c * value` for one image, and `g` itself for the shortcut.
pub(in crate::kernel::cpu) struct Backward {
    pub(in crate::kernel::cpu) incoming: Incoming,
    /// `[channels]` each.
    pub(in crate::kernel::cpu) a: *const f32,
    pub(in crate::kernel::cpu) b: *const f32,
    pub(in crate::kernel::cpu) c: *const f32,
    pub(in crate::kernel::cpu) values: *mut f32,
    /// Null when there is no shortcut.
    pub(in crate::kernel::cpu) shortcut: *mut f32,
}
