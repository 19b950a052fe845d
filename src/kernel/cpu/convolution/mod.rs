//! Convolution of images in channels-last layout: forward, input gradient, weight gradient.
//!
//! All three are sums over taps of small matrix products. Each is brought into the shape of one of the two tiles in
//! `tile.rs` by copying a few rows of images at a time, with a border of zeros, into memory that stays in
//! the cache; weights are packed into panels as wide as a tile. Work is cut by shape alone, so results
//! do not depend on the number of threads.

mod correlate;
mod forward;
mod geometry;
mod input_gradient;
mod pack;
mod shape;
mod single;
mod weight_gradient;
mod winograd;

pub(crate) use forward::{forward, forward_by_image};
pub(crate) use input_gradient::input_gradient;
pub(crate) use shape::Convolution;
pub(crate) use single::Single;
pub(crate) use weight_gradient::{channel_sums, weight_gradient, weight_gradient_by_image};

#[cfg(test)]
mod tests;
