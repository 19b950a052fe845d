//! The networks, a file each.

mod convnet;
mod convnet_d;
mod resnet;

pub use convnet::ConvNet;
pub use convnet_d::ConvNetD;
pub use resnet::{ResNet18, Stem};
