//! Work that shows what the machine can do at most: multiply-adds on numbers that stay in the first-level cache, and
//! a stream through memory.

use super::isa::{Kernels, kernels};
use super::shared::Shared;
use super::tile::{Multiply, Pixel};
use crate::parallel::for_each;

/// Multiply-adds in the convolutions' own tile, on every thread.
pub struct MatrixCeiling {
    kernels: &'static Kernels,
    threads: usize,
    pixels: Vec<Pixel>,
    input: Vec<f32>,
    weights: Vec<f32>,
    output: Vec<f32>,
}

/// Depth of the product, and of the input of one pixel: with the widest panel 24 of the 32 KiB that a first-level cache
/// has at least.
const DEPTH: usize = 128;
/// Pixels: whole tiles on every instruction set.
const PIXELS: usize = 12;
/// Products in a piece of work.
const TIMES: usize = 500;
/// Pieces of work a thread, so that no thread waits long for another.
const PIECES: usize = 16;

impl MatrixCeiling {
    /// Work for `threads` threads.
    pub fn new(threads: usize) -> Self {
        let kernels = kernels();
        let pixel = |p: usize| Pixel { input: (p * DEPTH) as u32, output: (p * kernels.panel) as u32 };
        Self {
            kernels,
            threads,
            pixels: (0..PIXELS).map(pixel).collect(),
            input: vec![0.5; PIXELS * DEPTH],
            weights: vec![0.25; DEPTH * kernels.panel],
            output: vec![0.0; threads * PIECES * PIXELS * kernels.panel],
        }
    }

    /// The instruction set that computes.
    pub fn instructions(&self) -> &'static str {
        self.kernels.name
    }

    /// One pass; how many floating-point operations it was.
    pub fn pass(&mut self) -> f64 {
        let (kernels, each) = (self.kernels, PIXELS * self.kernels.panel);
        let output = Shared::new(&mut self.output);
        let pieces = self.threads * PIECES;
        for_each(pieces, |piece| {
            for _ in 0..TIMES {
                // SAFETY: the sizes were made for each other above; each piece has its own outputs.
                unsafe {
                    (kernels.multiply)(&Multiply {
                        pixels: &self.pixels,
                        input: self.input.as_ptr(),
                        run_stride: 0,
                        runs: 1,
                        run: DEPTH,
                        weights: self.weights.as_ptr(),
                        weight_stride: 0,
                        bias: self.weights.as_ptr(),
                        output: output.at(piece * each),
                        columns: kernels.panel,
                    });
                }
            }
        });
        (pieces * TIMES * PIXELS * DEPTH * kernels.panel * 2) as f64
    }
}

/// Two arrays read and a third one written, far larger than any cache.
pub struct MemoryCeiling {
    arrays: [Vec<f32>; 3],
    threads: usize,
}

/// Floats of an array: 128 MB.
const LENGTH: usize = 1 << 25;

impl MemoryCeiling {
    /// Work for `threads` threads.
    pub fn new(threads: usize) -> Self {
        Self { arrays: [1.0, 2.0, 0.0].map(|value| vec![value; LENGTH]), threads }
    }

    /// Runs one pass and returns the number of bytes that were read and written.
    pub fn pass(&mut self) -> f64 {
        let [a, b, sums] = &mut self.arrays;
        let sums = Shared::new(sums);
        let pieces = self.threads * PIECES;
        for_each(pieces, |piece| {
            let places = piece * LENGTH / pieces..(piece + 1) * LENGTH / pieces;
            // SAFETY: pieces do not overlap.
            let sums = unsafe { sums.slice(places.clone()) };
            for ((sum, a), b) in sums.iter_mut().zip(&a[places.clone()]).zip(&b[places]) {
                *sum = a + b;
            }
        });
        (3 * LENGTH * size_of::<f32>()) as f64
    }
}
