//! Initial weights, as PyTorch draws them but from our own generator.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use crate::device::{Precision, upload};
use crate::random::{Purpose, Stream};

/// Draws the tensors of a network in order; tensor `i` comes from stream `(seed, Init, 0, i)`.
pub(crate) struct Initializer<'a> {
    seed: u64,
    next: u64,
    device: &'a Device,
    precision: Precision,
}

impl<'a> Initializer<'a> {
    pub(crate) fn new(seed: u64, device: &'a Device, precision: Precision) -> Self {
        Self { seed, next: 0, device, precision }
    }

    /// Precision in which the network's convolutions compute.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// Uniform in ±1/√fan_in, as `torch.nn.Conv2d` and `Linear` draw weights and biases (their Kaiming uniform with a = √5
    /// is the same distribution).
    pub(crate) fn uniform<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let bound = 1.0 / (fan_in as f64).sqrt();
        self.draw(shape, |stream| stream.range(-bound, bound))
    }

    /// Kaiming normal, fan out, gain √2, as torchvision's ResNet draws the weights of its convolutions.
    pub(crate) fn kaiming_normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        fan_out: usize,
    ) -> Param<Tensor<D>> {
        let deviation = (2.0 / fan_out as f64).sqrt();
        self.draw(shape, |stream| deviation * stream.normal())
    }

    /// A trainable vector of one value.
    pub(crate) fn constant(&self, length: usize, value: f32) -> Param<Tensor<1>> {
        Param::from_tensor(self.tensor(vec![value; length], [length]))
    }

    /// A vector that is kept with the weights but not trained (running statistics).
    pub(crate) fn buffer(&self, length: usize, value: f32) -> Param<Tensor<1>> {
        self.constant(length, value).set_require_grad(false)
    }

    fn draw<const D: usize>(
        &mut self,
        shape: [usize; D],
        mut number: impl FnMut(&mut Stream) -> f64,
    ) -> Param<Tensor<D>> {
        let mut stream = Stream::new(self.seed, Purpose::Init, 0, self.next);
        self.next += 1;
        let values = (0..shape.iter().product()).map(|_| number(&mut stream) as f32).collect();
        Param::from_tensor(self.tensor(values, shape))
    }

    fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        upload::floats(TensorData::new(values, shape), self.device)
    }
}
