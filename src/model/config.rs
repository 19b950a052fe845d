//! The configuration of a network.

use burn::tensor::Device;

use super::init::Initializer;
use super::net::Sizes;
use super::registry::{Architecture, Network, NetworkKind};
use crate::device::{DeviceError, Precision};
use crate::fault::{Fault, Faulty};

/// Everything that determines a network's shape, and the precision in which it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// The network and its options.
    pub network: NetworkKind,
    /// Number of classes.
    pub classes: usize,
    /// Width and height of the images in pixels.
    pub image_size: usize,
    /// Precision in which its convolutions compute, in training and in evaluation.
    pub precision: Precision,
}

/// A network that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Images too small for the number of pools.
    #[error("{architecture} needs images of at least {least} pixels, got {got}; raise `image-size`")]
    TooSmall {
        /// The network.
        architecture: Architecture,
        /// Smallest side it takes, in pixels.
        least: usize,
        /// The side given, in pixels.
        got: usize,
    },
    /// A width or number of classes of 0.
    #[error("a model needs at least one channel and two classes")]
    Empty,
    /// A device that it cannot compute on.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl Faulty for ModelError {
    fn fault(&self) -> Fault {
        match self {
            Self::Device(error) => error.fault(),
            _ => Fault::Usage,
        }
    }
}

impl ModelConfig {
    /// Makes the network on `device`, its weights drawn from `seed`.
    ///
    /// # Errors
    /// [`ModelError`] when no such network can be made.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Network, ModelError> {
        let architecture = self.network.architecture();
        let (least, got) = (architecture.least_side(), self.image_size);
        if self.network.widest(least) == 0 || self.classes < 2 {
            return Err(ModelError::Empty);
        }
        if got < least {
            return Err(ModelError::TooSmall { architecture, least, got });
        }
        self.precision.on(device)?;
        let sizes = Sizes { classes: self.classes, side: self.image_size };
        Ok(self.network.init(sizes, &mut Initializer::new(seed, device, self.precision)))
    }

    /// Number of floats in the largest activation of an image.
    pub(crate) fn widest(&self) -> usize {
        self.network.widest(self.image_size)
    }

    /// Number of blocks of the network.
    pub fn depth(&self) -> usize {
        self.network.depth(self.image_size)
    }
}
