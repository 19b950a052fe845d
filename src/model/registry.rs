//! The list of networks. A new network needs a file in `nets` and a line here.

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::init::Initializer;
use super::layers::Mode;
use super::net::{Net, Sizes};
use super::nets::{ConvNet, ConvNetD, ResNet18, Stem};
use super::visit::StateVisitor;

/// Options of all networks; each network uses only its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Channels of every block of a ConvNet or ConvNet-D.
    pub width: usize,
    /// First layers of a ResNet.
    pub stem: Stem,
}

/// Makes [`Architecture`], [`NetworkKind`] and [`Network`] from a list of networks. Each entry has a type that implements
/// [`Net`], the network's options (fields of [`Choices`]), and its name.
macro_rules! networks {
    ($($(#[$doc:meta])* $net:ident { $($choice:ident: $type:ty),* } = $name:tt;)+) => {
        /// A network by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Architecture {
            $($(#[$doc])* #[serde(rename = $name)] $net,)+
        }

        /// A network and its options.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum NetworkKind {
            $(
                $(#[$doc])*
                $net {
                    $(#[doc = concat!("See [`Choices::", stringify!($choice), "`].")] $choice: $type),*
                },
            )+
        }

        /// Any of the networks.
        #[expect(clippy::large_enum_variant, reason = "a student has one; they are never kept in bulk")]
        #[derive(Module, Debug)]
        pub enum Network {
            $(#[doc = concat!("See [`", stringify!($net), "`].")] $net($net),)+
        }

        impl Architecture {
            /// Every network, with its name.
            const ALL: &[(Self, &str)] = &[$((Self::$net, $name)),+];

            /// Names of the network's options, which are fields of [`Choices`].
            pub fn choices(self) -> &'static [&'static str] {
                match self {
                    $(Self::$net => &[$(stringify!($choice)),*],)+
                }
            }

            /// The network with its own options taken from `choices`.
            pub fn with(self, choices: Choices) -> NetworkKind {
                match self {
                    $(Self::$net => NetworkKind::$net { $($choice: choices.$choice),* },)+
                }
            }

            /// Smallest side of the images that the network takes, in pixels.
            pub fn least_side(self) -> usize {
                match self {
                    $(Self::$net => $net::LEAST_SIDE,)+
                }
            }
        }

        impl NetworkKind {
            /// The network's architecture, without its options.
            pub fn architecture(self) -> Architecture {
                match self {
                    $(Self::$net { .. } => Architecture::$net,)+
                }
            }

            /// Number of blocks of the network for images of this side, in pixels.
            pub fn depth(self, side: usize) -> usize {
                match self {
                    $(Self::$net { .. } => $net::depth(side),)+
                }
            }

            /// Number of floats in the largest activation of an image of this side, in pixels.
            pub(super) fn widest(self, side: usize) -> usize {
                match self {
                    $(Self::$net { $($choice),* } => $net::widest(($($choice),*), side),)+
                }
            }

            /// The network with fresh weights.
            pub(super) fn init(self, sizes: Sizes, init: &mut Initializer) -> Network {
                match self {
                    $(Self::$net { $($choice),* } => Network::$net($net::new(($($choice),*), sizes, init)),)+
                }
            }
        }

        impl Network {
            /// `true` where the network keeps running statistics of its training images (BatchNorm) and normalises other images
            /// by them.
            pub fn keeps_statistics(&self) -> bool {
                match self {
                    $(Self::$net(_) => $net::KEEPS_STATISTICS,)+
                }
            }

            pub(super) fn forward(&mut self, images: Tensor<4>, mode: Mode) -> Tensor<2> {
                match self {
                    $(Self::$net(net) => net.forward(images, mode),)+
                }
            }

            pub(crate) fn visit_state<V: StateVisitor>(&mut self, visitor: &mut V) {
                match self {
                    $(Self::$net(net) => net.state(visitor),)+
                }
            }
        }
    };
}

networks! {
    /// Blocks of conv without bias, BatchNorm, ReLU and 2×2 max pool; global average; linear.
    ConvNet { width: usize } = "convnet";
    /// The field's ConvNet-D: conv with bias, InstanceNorm, ReLU, 2×2 average pool; flatten; linear.
    ConvNetD { width: usize } = "convnet-d";
    /// ResNet-18 as in torchvision.
    ResNet18 { stem: Stem } = "resnet18";
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (_, name) = Self::ALL.iter().find(|(of, _)| of == self).expect("every network has a name");
        f.write_str(name)
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::ALL.iter().find(|(_, name)| *name == text) {
            Some((found, _)) => Ok(*found),
            None => {
                let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
                let (last, others) = names.split_last().expect("there are networks");
                Err(format!("'{text}' is not a model; give {} or {last}", others.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_reads_back_what_it_writes() {
        for &(architecture, name) in Architecture::ALL {
            assert_eq!(architecture.to_string(), name);
            assert_eq!(name.parse(), Ok(architecture));
            assert_eq!(serde_json::to_string(&architecture).expect("a name"), format!("\"{name}\""));
        }
        let refused = "vit".parse::<Architecture>().expect_err("no network of ours");
        assert_eq!(refused, "'vit' is not a model; give convnet, convnet-d or resnet18");
    }

    #[test]
    fn a_network_takes_of_the_choices_what_it_has() {
        let choices = Choices { width: 7, stem: Stem::Small };
        assert_eq!(Architecture::ConvNet.with(choices), NetworkKind::ConvNet { width: 7 });
        assert_eq!(Architecture::ResNet18.with(choices), NetworkKind::ResNet18 { stem: Stem::Small });
        assert_eq!(Architecture::ConvNetD.choices(), ["width"]);
        assert_eq!(Architecture::ResNet18.choices(), ["stem"]);
    }
}
