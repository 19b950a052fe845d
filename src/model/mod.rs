//! Models: the ConvNet of our reference measurements, the field's ConvNet-D, and ResNet-18.
//!
//! Weights are drawn from the program's own counter-based generator, so a seed means the same network
//! on every device; names and layouts of the state are PyTorch's and torchvision's.

mod convnet;
mod convnet_d;

impl Faulty for ModelError {
    fn fault(&self) -> Fault {
        match self {
            Self::Precision(_) => Fault::Device,
            _ => Fault::Usage,
        }
    }
}

#[cfg(all(test, feature = "flex"))]
pub(crate) mod golden;
mod init;
mod layers;
mod resnet;
mod stack;
mod state;
#[cfg(all(test, feature = "flex"))]
mod tests;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::device::{NoMatrixUnits, Precision};
use crate::fault::{Fault, Faulty};

pub use convnet::ConvNet;
pub use convnet_d::ConvNetD;
pub use resnet::ResNet18;
pub(crate) use stack::share;
pub(crate) use state::StateVisitor;
pub use state::{StateError, StateTensor, load_state, state};

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Blocks of conv without bias, BatchNorm, ReLU and 2×2 max pool; global average; linear.
    ConvNet,
    /// The field's ConvNet-D: conv with bias, InstanceNorm, ReLU, 2×2 average pool; flatten; linear.
    #[serde(rename = "convnet-d")]
    ConvNetD,
    /// ResNet-18 as in torchvision.
    ResNet18,
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ConvNet => "convnet",
            Self::ConvNetD => "convnet-d",
            Self::ResNet18 => "resnet18",
        })
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "convnet" => Ok(Self::ConvNet),
            "convnet-d" => Ok(Self::ConvNetD),
            "resnet18" => Ok(Self::ResNet18),
            _ => Err(format!("'{text}' is not a model; give convnet, convnet-d or resnet18")),
        }
    }
}

/// How a ResNet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// 7×7 convolution of stride 2 and a 3×3 max pool of stride 2, as in torchvision.
    #[default]
    ImageNet,
    /// 3×3 convolution of stride 1 and no pool, for images of about 32 pixels.
    Small,
}

impl std::str::FromStr for Stem {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "imagenet" => Ok(Self::ImageNet),
            "small" => Ok(Self::Small),
            _ => Err(format!("'{text}' is not a stem; give imagenet or small")),
        }
    }
}

/// Everything that determines a network's shape, and in what precision it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Which network.
    pub architecture: Architecture,
    /// Channels of every block of a ConvNet or ConvNet-D; ResNet-18 has its own.
    pub width: usize,
    /// How a ResNet begins.
    pub stem: Stem,
    /// Number of classes.
    pub classes: usize,
    /// Width and height of the images in pixels.
    pub image_size: usize,
    /// In what precision its convolutions compute, in training and in evaluation.
    #[serde(default)]
    pub precision: Precision,
}

/// A network that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Images too small for the number of pools.
    #[error("{architecture} needs images of at least {least} pixels, got {got}; raise --image-size")]
    TooSmall {
        /// The network.
        architecture: Architecture,
        /// Smallest side it takes.
        least: usize,
        /// The side given.
        got: usize,
    },
    /// A width or number of classes of 0.
    #[error("a model needs at least one channel and two classes")]
    Empty,
    /// A precision that the device does not have.
    #[error(transparent)]
    Precision(#[from] NoMatrixUnits),
}

impl ModelConfig {
    /// Makes the network on `device`, its weights drawn from `seed`.
    ///
    /// # Errors
    /// [`ModelError`] when no such network can be made.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Network, ModelError> {
        if self.width == 0 || self.classes < 2 {
            return Err(ModelError::Empty);
        }
        let least = match self.architecture {
            Architecture::ConvNet | Architecture::ConvNetD => 8,
            Architecture::ResNet18 => 8,
        };
        if self.image_size < least {
            let (architecture, got) = (self.architecture, self.image_size);
            return Err(ModelError::TooSmall { architecture, least, got });
        }
        self.precision.on(device)?;
        let mut init = init::Initializer::new(seed, device, self.precision);
        Ok(match self.architecture {
            Architecture::ConvNet => Network::ConvNet(ConvNet::new(self, &mut init)),
            Architecture::ConvNetD => Network::ConvNetD(ConvNetD::new(self, &mut init)),
            Architecture::ResNet18 => Network::ResNet18(ResNet18::new(self, &mut init)),
        })
    }

    /// Floats of the largest of an image's activations.
    pub(crate) fn widest(&self) -> usize {
        let (side, channels) = match (self.architecture, self.stem) {
            (Architecture::ConvNet | Architecture::ConvNetD, _) => (self.image_size, self.width),
            (Architecture::ResNet18, Stem::Small) => (self.image_size, 64),
            (Architecture::ResNet18, Stem::ImageNet) => (self.image_size.div_ceil(2), 64),
        };
        side * side * channels
    }

    /// Blocks of a ConvNet or ConvNet-D. ConvNet-D has as many as the field gives it, log2 image_size − 2 to the nearest:
    /// 3 for 28 and 32 pixels, 4 for 64, 5 for 128, 6 for 224, which leaves 2 to 5 pixels a side. ConvNet has
    /// ⌊log2 image_size⌋ − 2, which leaves 4 to 7.
    pub fn depth(&self) -> usize {
        let floor = self.image_size.ilog2() as usize;
        // log2 px is nearer to the next whole number when px² ≥ 2^(2⌊log2 px⌋ + 1).
        let above = self.image_size.saturating_mul(self.image_size) >> (2 * floor + 1) > 0;
        let halvings = if self.architecture == Architecture::ConvNetD && above { floor + 1 } else { floor };
        halvings.saturating_sub(2).max(1)
    }
}

/// Any of the networks.
#[expect(clippy::large_enum_variant, reason = "a student has one; they are never kept in bulk")]
#[derive(Module, Debug)]
pub enum Network {
    /// See [`ConvNet`].
    ConvNet(ConvNet),
    /// See [`ConvNetD`].
    ConvNetD(ConvNetD),
    /// See [`ResNet18`].
    ResNet18(ResNet18),
}

impl Network {
    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`, with the statistics of the batch;
    /// updates the running ones.
    pub fn forward_train(&mut self, images: Tensor<4>) -> Tensor<2> {
        self.forward_train_stacked(images, 1)
    }

    /// The same of S students at once, whose networks are [stacked](Self::stacked) in this one: logits `[S·B, classes]` of
    /// images `[S·B, H, W, 3]`, one student's after the other's.
    pub(crate) fn forward_train_stacked(&mut self, images: Tensor<4>, students: usize) -> Tensor<2> {
        self.forward(images, layers::Mode::Train { students })
    }

    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`, with the running statistics.
    pub fn forward_eval(&mut self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images, layers::Mode::Eval)
    }

    /// Logits `[B, classes]` of normalised images `[B, H, W, 3]`, with the statistics of the batch; the running ones stay
    /// as they are.
    pub fn forward_adapted(&mut self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images, layers::Mode::Adapted)
    }

    /// Whether the network keeps running statistics of its training images (BatchNorm), by which it normalises others.
    pub fn keeps_statistics(&self) -> bool {
        match self {
            Self::ConvNet(_) | Self::ResNet18(_) => true,
            Self::ConvNetD(_) => false,
        }
    }

    fn forward(&mut self, images: Tensor<4>, mode: layers::Mode) -> Tensor<2> {
        match self {
            Self::ConvNet(net) => net.forward(images, mode),
            Self::ConvNetD(net) => net.forward(images, mode),
            Self::ResNet18(net) => net.forward(images, mode),
        }
    }
}
