//! Numbers computed by the same formula as in `tests/golden/model.py`, and the golden files of that script.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{Architecture, Choices, ModelConfig, Network, StateTensor, StateVisitor, Stem};
use crate::device::Precision;
use burn::module::Param;
use burn::tensor::Tensor;

/// ConvNet of width 8 for 16 px and 4 classes, with the weights of the formula, saved by PyTorch.
pub(crate) const CONVNET: &[u8] = include_bytes!("../../tests/golden/model_convnet.safetensors");
/// The same for ConvNet-D.
pub(crate) const CONVNET_D: &[u8] = include_bytes!("../../tests/golden/model_convnet-d.safetensors");

/// One part of `model.json`: `passes` or `runs`.
pub(crate) fn golden<T: DeserializeOwned>(part: &str) -> Vec<T> {
    let text = include_str!("../../tests/golden/model.json");
    let mut file: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).expect("the golden file is JSON");
    serde_json::from_value(file.remove(part).expect("the part is there")).expect("the part is as expected")
}

/// A model as `model.py` writes it.
pub(crate) fn config<'de, D: Deserializer<'de>>(file: D) -> Result<ModelConfig, D::Error> {
    #[derive(Deserialize)]
    struct Config {
        architecture: Architecture,
        width: usize,
        stem: Stem,
        classes: usize,
        image_size: usize,
    }
    let Config { architecture, width, stem, classes, image_size } = Config::deserialize(file)?;
    let network = architecture.with(Choices { width, stem });
    Ok(ModelConfig { network, classes, image_size, precision: Precision::Full })
}

/// A forward and a backward pass of PyTorch in double precision.
#[derive(Deserialize)]
pub(crate) struct Pass {
    #[serde(deserialize_with = "config")]
    pub(crate) config: ModelConfig,
    pub(crate) input: String,
    pub(crate) labels: Vec<u32>,
    pub(crate) train_logits: Vec<f32>,
    pub(crate) eval_logits: Vec<f32>,
    pub(crate) gradients: std::collections::BTreeMap<String, Gradient>,
    pub(crate) running: std::collections::BTreeMap<String, Vec<f32>>,
}

/// The norm of a gradient and a [`sample`] of its numbers.
#[derive(Deserialize)]
pub(crate) struct Gradient {
    pub(crate) norm: f64,
    pub(crate) values: Vec<f32>,
}

/// 32 random bits for each place of the tensor called `name`: FNV-1a of the name, then lowbias32.
pub(crate) fn bits(name: &str, count: usize) -> impl Iterator<Item = u32> {
    let start = name.bytes().fold(0x811C_9DC5u32, |h, byte| (h ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0..count as u32).map(move |i| {
        let mut x = i.wrapping_mul(0x9E37_79B1).wrapping_add(start);
        x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
        x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
        x ^ (x >> 16)
    })
}

/// Numbers uniform in `centre ± spread`.
pub(crate) fn numbers(name: &str, count: usize, centre: f64, spread: f64) -> Vec<f32> {
    bits(name, count)
        .map(|x| (centre + spread * (f64::from(x >> 8) / f64::from(1 << 23) - 1.0)) as f32)
        .collect()
}

fn weights(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    if shape.len() > 1 {
        let fan_in = shape[1..].iter().product::<usize>() as f64;
        return numbers(name, count, 0.0, (6.0 / fan_in).sqrt());
    }
    let (centre, spread) = match name.rsplit('.').next() {
        Some("weight" | "running_var") => (1.0, 0.25),
        _ => (0.0, 0.1),
    };
    numbers(name, count, centre, spread)
}

/// The state of this network with every number from the formula.
pub(crate) fn formula_state(network: &Network) -> Vec<StateTensor> {
    struct Names(Vec<StateTensor>);
    impl StateVisitor for Names {
        fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
            let shape = param.val().dims().to_vec();
            self.0.push(StateTensor { name: name.to_owned(), values: weights(name, &shape), shape });
        }
        fn batch_counter(&mut self, _name: &str) {}
    }
    let mut names = Names(Vec::new());
    network.clone().visit_state(&mut names);
    names.0
}

/// Up to 16 numbers, evenly spread.
pub(crate) fn sample(values: &[f32]) -> Vec<f32> {
    let count = values.len().min(16);
    (0..count).map(|i| values[i * values.len() / count]).collect()
}

/// Largest difference, relative to the largest number expected or to `floor`. NaN is infinitely far.
pub(crate) fn distance(got: &[f32], want: &[f32], floor: f64) -> f64 {
    assert_eq!(got.len(), want.len());
    assert!(!want.is_empty());
    let largest = want.iter().fold(floor, |m, &w| m.max(f64::from(w.abs())));
    let worst = got.iter().zip(want).map(|(&g, &w)| (f64::from(g) - f64::from(w)).abs());
    worst.fold(0.0, |m, d| if d.is_nan() { f64::INFINITY } else { f64::max(m, d) }) / largest
}
