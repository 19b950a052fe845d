//! Models: ConvNet, ConvNet-D and ResNet-18.
