//! Models: the ConvNet of our reference measurements, the field's ConvNet-D, and ResNet-18.
//!
//! Weights are drawn from the program's own counter-based generator, so a seed means the same network
//! on every device; names and layouts of the state are PyTorch's and torchvision's. `registry` lists the networks, each of
//! which is a file in `nets` made of `layers`.

mod config;
#[cfg(all(test, feature = "flex"))]
pub(crate) mod golden;
mod init;
mod layers;
mod net;
mod nets;
mod network;
mod registry;
mod stack;
mod state;
#[cfg(all(test, feature = "flex"))]
mod tests;
mod visit;

pub use config::{ModelConfig, ModelError};
pub use nets::{ConvNet, ConvNetD, ResNet18, Stem};
pub use registry::{Architecture, Choices, Network, NetworkKind};
pub(crate) use stack::share;
pub use state::{StateError, StateTensor, load_state, state};
pub(crate) use visit::StateVisitor;
