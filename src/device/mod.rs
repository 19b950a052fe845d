//! Which device computes: how it is named, opened, and read.

mod choice;
#[cfg(feature = "cuda")]
#[expect(unsafe_code, reason = "CUDA's driver is asked by its own calls")]
mod cuda;
mod error;
mod list;
mod open;
mod precision;
mod read;
mod report;
#[cfg(all(test, feature = "wgpu"))]
pub(crate) mod testing;
pub(crate) mod upload;
#[cfg(feature = "wgpu")]
mod watch;

pub use self::choice::DeviceChoice;
pub use self::error::DeviceError;
pub use self::list::DeviceList;
pub(crate) use self::open::is_cpu;
pub use self::open::{Opened, cuda_count, open};
pub use self::precision::{MatrixUnits, Precision};
pub use self::read::read;
