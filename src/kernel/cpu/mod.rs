//! The CPU's kernels: slices in, slices out; nothing here knows burn.
//!
//! `lanes` is the vector arithmetic of each instruction set; `tile`, `transform`, `normalise`, `pool` and `optimizer` are the
//! inner kernels written in it; `isa` compiles them for each set and picks one at run time. Around them, in
//! safe code but for the calls: `convolution`, `block`, `max_pool` and `update` work on whole batches and cut
//! them into pieces for the threads.

pub(crate) mod block;
mod buffer;
mod ceiling;
pub(crate) mod convolution;
mod isa;
mod lanes;
pub(crate) mod max_pool;
mod normalise;
mod optimizer;
mod pool;
mod scratch;
mod shared;
#[cfg(test)]
mod testing;
mod tile;
mod transform;
pub(crate) mod update;

pub(crate) use buffer::Buffer;
pub use ceiling::{MatrixCeiling, MemoryCeiling};
pub(crate) use isa::kernels;
pub(crate) use normalise::Plane;
pub(crate) use pool::Pool;
