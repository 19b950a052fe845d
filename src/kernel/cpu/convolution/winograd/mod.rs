//! 3×3 convolutions of stride 1 with a quarter of the multiplications: Winograd's F(4×4, 3×3), as in Lavin and Gray 2016,
//! "Fast Algorithms for Convolutional Neural Networks".
//!
//! The outputs are cut into squares of 4×4. A square's 6×6 pixels are mapped to 36 points, likewise the 3×3 taps of a
//! kernel; a product of small matrices over the channels at each point, and a map from 36 points to 4×4 outputs:
//! 36 multiplications for 16 outputs instead of 144. The input gradient is the same with the kernel turned; the
//! weight gradient is the same transposed: 4×4 gradients and 6×6 pixels at 36 points, and from 36 points
//! back to 3×3 taps.
//!
//! A few rows of squares at a time are mapped, multiplied by the tile of the direct kernels and mapped back while
//! they are in the second-level cache.

mod correlate;
mod frame;
mod pack;
mod weight_gradient;

pub(super) use frame::Winograd;
pub(super) use weight_gradient::weight_gradient;
