//! Combine: shrink whole images and lay a grid of them into one composite.

mod grid;

pub use grid::{Grid, Rect};
