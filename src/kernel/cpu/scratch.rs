//! Memory of a thread that kernels borrow for a while.

use std::cell::Cell;

use super::tile::Pixel;

thread_local! {
    static FLOATS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    static PIXELS: Cell<Vec<Pixel>> = const { Cell::new(Vec::new()) };
}

/// Calls `work` with `len` floats of any value and a list of pixels, both of this thread. They stay allocated.
pub(super) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32], &mut Vec<Pixel>) -> R) -> R {
    let (mut floats, mut pixels) = (FLOATS.take(), PIXELS.take());
    if floats.len() < len {
        floats.resize(len, 0.0);
    }
    let result = work(&mut floats[..len], &mut pixels);
    FLOATS.set(floats);
    PIXELS.set(pixels);
    result
}
