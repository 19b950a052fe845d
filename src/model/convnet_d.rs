//! The field's ConvNet-D (Gidaris and Komodakis 2018; Zhao et al., "Dataset condensation", 2021).

use burn::module::Module;
use burn::tensor::Tensor;

use super::ModelConfig;
use super::init::Initializer;
use super::layers::{Conv, InstanceNorm, Linear, Mode, instance_block};
use super::state::StateVisitor;
use crate::kernel::reshape::reshape;

/// D = log2 px − 2, to the nearest, blocks of conv 3×3 with bias, InstanceNorm, ReLU, average pool 2×2; flatten; linear.
#[derive(Module, Debug)]
pub struct ConvNetD {
    convs: Vec<Conv>,
    norms: Vec<InstanceNorm>,
    classifier: Linear,
}

impl ConvNetD {
    pub(crate) fn new(config: &ModelConfig, init: &mut Initializer) -> Self {
        let width = config.width;
        let mut convs = Vec::new();
        for block in 0..config.depth() {
            convs.push(Conv::new(if block == 0 { 3 } else { width }, width, 3, true, init));
        }
        let norms = convs.iter().map(|_| InstanceNorm::new(width, init)).collect();
        let side = config.image_size >> config.depth();
        Self { convs, norms, classifier: Linear::new(width * side * side, config.classes, init) }
    }

    pub(crate) fn forward(&self, mut x: Tensor<4>, mode: Mode) -> Tensor<2> {
        for (conv, norm) in self.convs.iter().zip(&self.norms) {
            x = instance_block(conv, norm, x, mode);
        }
        let [batch, height, width, channels] = x.dims();
        // The classifier's weights are in PyTorch's order of features.
        let features = reshape(x.permute([0, 3, 1, 2]), [batch, channels * height * width]);
        self.classifier.forward(features, mode)
    }

    pub(crate) fn state<V: StateVisitor>(&mut self, visitor: &mut V) {
        for (block, (conv, norm)) in self.convs.iter_mut().zip(&mut self.norms).enumerate() {
            conv.state(&format!("features.{}", 4 * block), visitor);
            norm.state(&format!("features.{}", 4 * block + 1), visitor);
        }
        self.classifier.state("classifier", visitor);
    }
}
