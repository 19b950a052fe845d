//! burn's own convolutions on the operands of ours, for a profile that puts them side by side; nothing else runs them.
//! Their results are thrown away.
//!
//! Only kernels that can be asked for by name are of interest: one that burn chooses by timing (its autotune) may be another
//! one in the next run, whose numbers would differ.

use std::sync::Once;

use burn::tensor::ops::ConvOptions;
use burn_cubecl::kernel::conv::{ConvStrategy, conv_data_backward, conv_forward, conv_weight_backward};
use burn_cubecl::ops::{permute_nhwc_to_nchw, permute_nhwc_to_nchw_shape};
use burn_cubecl::tensor::CubeTensor;

use super::super::span;
use super::shape::Shape;
use crate::device::Precision;
use crate::kernel::convolution::Window;
use crate::kernel::probe;

/// burn's name for a window.
fn options(window: Window) -> ConvOptions<2> {
    ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1)
}

/// burn's kernels of a precision. Those that use matrix units round to TF32 or halves, so full precision may not have them.
fn strategy(precision: Precision) -> ConvStrategy {
    match precision {
        Precision::Full => ConvStrategy::Direct,
        Precision::Mixed => ConvStrategy::ImplicitGemm,
    }
}

/// Times one of burn's operators if it is asked for; it knows one student only.
fn timed<E: std::fmt::Debug>(
    on: &CubeTensor,
    operator: &'static str,
    shape: Shape,
    (batch, window): (usize, Window),
    operate: impl FnOnce(ConvOptions<2>, ConvStrategy) -> Result<CubeTensor, E>,
) {
    if window.students > 1 || !probe::beside() {
        return;
    }
    let span = span(on, operator, || shape.work(batch, 1));
    if let Err(why) = operate(options(window), strategy(window.precision)) {
        static SAID: Once = Once::new();
        let why = format!("{why:?}");
        SAID.call_once(|| log::warn!("not every kernel of burn's runs here: {operator}: {}", why.trim()));
        if let Some(span) = span {
            span.discard();
        }
    }
}

/// The convolution.
pub(super) fn convolve(
    images: &CubeTensor,
    weights: &CubeTensor,
    bias: Option<&CubeTensor>,
    shape: Shape,
    window: Window,
) {
    timed(images, "burn's convolution", shape, (images.meta.shape[0], window), |options, strategy| {
        let images = permute_nhwc_to_nchw(images.clone());
        conv_forward(images, weights.clone(), bias.cloned(), options, strategy)
    });
}

/// The gradient of the images.
pub(super) fn image_gradient(
    gradient: &CubeTensor,
    weights: &CubeTensor,
    images: &[usize],
    shape: Shape,
    window: Window,
) {
    timed(gradient, "burn's input gradient", shape, (images[0], window), |options, strategy| {
        let gradient = permute_nhwc_to_nchw(gradient.clone());
        let images = permute_nhwc_to_nchw_shape(images.to_vec().into());
        conv_data_backward(gradient, weights.clone(), images, options, strategy)
    });
}

/// The gradient of the weights.
pub(super) fn weight_gradient(
    images: &CubeTensor,
    gradient: &CubeTensor,
    weights: &[usize],
    shape: Shape,
    window: Window,
) {
    timed(images, "burn's weight gradient", shape, (images.meta.shape[0], window), |options, strategy| {
        let (images, gradient) =
            (permute_nhwc_to_nchw(images.clone()), permute_nhwc_to_nchw(gradient.clone()));
        conv_weight_backward(images, gradient, weights.to_vec().into(), options, strategy)
    });
}
