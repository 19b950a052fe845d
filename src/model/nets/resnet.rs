//! ResNet-18 (He et al. 2016), as in torchvision.

use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::kernel::max_pool::{PoolWindow, max_pool};
use crate::model::init::Initializer;
use crate::model::layers::{BatchNorm, Conv, Linear, Mode, Then, block, global_average};
use crate::model::net::{Net, Sizes};
use crate::model::visit::StateVisitor;

/// First layers of a ResNet.
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

/// ResNet-18 with torchvision's ImageNet stem, or one for small images.
#[derive(Module, Debug)]
pub struct ResNet18 {
    conv1: Conv,
    bn1: BatchNorm,
    blocks: Vec<BasicBlock>,
    fc: Linear,
    pooled: bool,
}

/// Two 3×3 convolutions and a shortcut.
#[derive(Module, Debug)]
pub(crate) struct BasicBlock {
    conv1: Conv,
    bn1: BatchNorm,
    conv2: Conv,
    bn2: BatchNorm,
    downsample: Option<Downsample>,
}

/// The 1×1 convolution of a shortcut that changes shape.
#[derive(Module, Debug)]
pub(crate) struct Downsample {
    conv: Conv,
    norm: BatchNorm,
}

const CHANNELS: [usize; 4] = [64, 128, 256, 512];
const BLOCKS_A_LAYER: usize = 2;

impl Net for ResNet18 {
    type Choice = Stem;

    const LEAST_SIDE: usize = 8;
    const KEEPS_STATISTICS: bool = true;

    fn new(stem: Stem, sizes: Sizes, init: &mut Initializer) -> Self {
        let pooled = stem == Stem::ImageNet;
        let (kernel, stride) = if pooled { (7, 2) } else { (3, 1) };
        let conv1 = Conv::resnet(3, CHANNELS[0], kernel, stride, init);
        let bn1 = BatchNorm::new(CHANNELS[0], init);
        let mut blocks = Vec::new();
        let mut input = CHANNELS[0];
        for (layer, output) in CHANNELS.into_iter().enumerate() {
            for block in 0..BLOCKS_A_LAYER {
                let stride = if layer > 0 && block == 0 { 2 } else { 1 };
                blocks.push(BasicBlock::new(input, output, stride, init));
                input = output;
            }
        }
        Self { conv1, bn1, blocks, fc: Linear::new(input, sizes.classes, init), pooled }
    }

    fn widest(stem: Stem, side: usize) -> usize {
        let side = match stem {
            Stem::Small => side,
            Stem::ImageNet => side.div_ceil(2),
        };
        side * side * CHANNELS[0]
    }

    fn depth(_side: usize) -> usize {
        CHANNELS.len() * BLOCKS_A_LAYER
    }

    fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let relu = Then { relu: true, ..Then::default() };
        let mut x = block(&self.conv1, &mut self.bn1, x, relu, mode);
        if self.pooled {
            x = max_pool(x, PoolWindow { kernel: 3, stride: 2, padding: 1 });
        }
        for basic in &mut self.blocks {
            x = basic.forward(x, mode);
        }
        self.fc.forward(global_average(x), mode)
    }

    fn state<V: StateVisitor>(&mut self, visitor: &mut V) {
        self.conv1.state("conv1", visitor);
        self.bn1.state("bn1", visitor);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.state(&format!("layer{}.{}", i / BLOCKS_A_LAYER + 1, i % BLOCKS_A_LAYER), visitor);
        }
        self.fc.state("fc", visitor);
    }
}

impl BasicBlock {
    fn new(input: usize, output: usize, stride: usize, init: &mut Initializer) -> Self {
        Self {
            conv1: Conv::resnet(input, output, 3, stride, init),
            bn1: BatchNorm::new(output, init),
            conv2: Conv::resnet(output, output, 3, 1, init),
            bn2: BatchNorm::new(output, init),
            downsample: (stride != 1 || input != output).then(|| Downsample {
                conv: Conv::resnet(input, output, 1, stride, init),
                norm: BatchNorm::new(output, init),
            }),
        }
    }

    fn forward(&mut self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let relu = Then { relu: true, ..Then::default() };
        let out = block(&self.conv1, &mut self.bn1, x.clone(), relu.clone(), mode);
        let shortcut = match &mut self.downsample {
            Some(Downsample { conv, norm }) => block(conv, norm, x, Then::default(), mode),
            None => x,
        };
        block(&self.conv2, &mut self.bn2, out, Then { shortcut: Some(shortcut), ..relu }, mode)
    }

    fn state<V: StateVisitor>(&mut self, name: &str, visitor: &mut V) {
        self.conv1.state(&format!("{name}.conv1"), visitor);
        self.bn1.state(&format!("{name}.bn1"), visitor);
        self.conv2.state(&format!("{name}.conv2"), visitor);
        self.bn2.state(&format!("{name}.bn2"), visitor);
        if let Some(downsample) = &mut self.downsample {
            downsample.conv.state(&format!("{name}.downsample.0"), visitor);
            downsample.norm.state(&format!("{name}.downsample.1"), visitor);
        }
    }
}
