//! The networks against PyTorch and torchvision (`tests/golden/model.py`).

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use pollster::block_on;
use safetensors::tensor::{Dtype, TensorView};

use super::golden::{CONVNET, CONVNET_D, Pass, distance, formula_state, golden, numbers, sample};
use super::visit::StateVisitor;
use super::*;
use crate::device::{DeviceError, Precision, read};
use crate::kernel::cross_entropy;

/// Error of logits, relative to the largest: float32 PyTorch itself is 3e-6 away from double precision.
const LOGITS: f64 = 2e-5;
/// Error of a gradient, relative to the largest number of its tensor; float32 PyTorch: 5e-5. It holds where every ReLU decides
/// as in double precision, for which the inputs are chosen: one that does not moves gradients before it by up to 4.5e-2.
const GRADIENTS: f64 = 1e-4;
/// Error of running statistics. The biased variance would be 5e-5 off in the largest batch here.
const RUNNING: f64 = 1e-5;

/// Width and stem of the golden files' networks and of the smallest ResNet.
const SMALL: Choices = Choices { width: 8, stem: Stem::Small };

fn small(architecture: Architecture) -> ModelConfig {
    let network = architecture.with(SMALL);
    ModelConfig { network, classes: 4, image_size: 16, precision: Precision::Full }
}

fn small_networks() -> [ModelConfig; 3] {
    [Architecture::ConvNet, Architecture::ConvNetD, Architecture::ResNet18].map(small)
}

#[test]
fn convnet_d_has_the_fields_depth_at_the_fields_sizes() {
    let depth = |image_size| ModelConfig { image_size, ..small(Architecture::ConvNetD) }.depth();
    // Fashion-MNIST, CIFAR, Tiny-ImageNet, ImageNet subsets at 128 px, ImageNet.
    assert_eq!([28, 32, 64, 128, 224, 256].map(depth), [3, 3, 4, 5, 6, 6]);
    for side in 8..=512 {
        assert!((2..=5).contains(&(side >> depth(side))), "{side} px leave {}", side >> depth(side));
    }
}

fn input(name: &str, batch: usize, side: usize, device: &Device) -> Tensor<4> {
    let pixels = numbers(name, batch * 3 * side * side, 0.0, 2.0);
    let pixels = TensorData::new(pixels, [batch, 3, side, side]);
    Tensor::<4>::from_data(pixels, (device, DType::F32)).permute([0, 2, 3, 1])
}

/// The gradients of a network under PyTorch's names and in its layouts.
struct Gradients {
    of: GradientsParams,
    found: BTreeMap<String, Vec<f32>>,
}

impl StateVisitor for Gradients {
    fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
        if let Some(gradient) = self.of.get::<D>(param.id) {
            self.found.insert(name.to_owned(), block_on(read(gradient)).expect("the CPU answers"));
        }
    }

    fn batch_counter(&mut self, _name: &str) {}
}

fn check(pass: &Pass) {
    let device = Device::flex().autodiff();
    let (config, batch) = (pass.config, pass.labels.len());
    let mut network = config.init(0, &device).expect("a valid network");
    let state_by_formula = formula_state(&network);
    load_state(&mut network, &state_by_formula).expect("the state fits");
    let images = input(&pass.input, batch, config.image_size, &device);
    let logits = network.forward_train(images.clone());
    let got = block_on(read(logits.clone())).expect("the CPU answers");
    let error = distance(&got, &pass.train_logits, 0.0);
    assert!(error < LOGITS, "{config:?}: logits in training are {error:e} off");

    let gradients = cross_entropy(logits, &pass.labels).mean().backward();
    let of = GradientsParams::from_grads(gradients, &network);
    let mut gradients = Gradients { of, found: BTreeMap::new() };
    network.visit_state(&mut gradients);
    assert!(gradients.found.keys().eq(pass.gradients.keys()), "the trained tensors are PyTorch's");
    // The gradient of a bias before a normalisation is rounding error only.
    let floor = 1e-3 * pass.gradients.values().fold(0.0, |m, g| f64::max(m, g.norm));
    for (name, want) in &pass.gradients {
        let got = &gradients.found[name];
        let error = distance(&sample(got), &want.values, floor);
        assert!(error < GRADIENTS, "{config:?}: the gradient of {name} is {error:e} off");
        let norm = got.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        let error = (norm - want.norm).abs() / want.norm.max(floor);
        assert!(error < GRADIENTS, "{config:?}: the norm of {name}'s gradient is {error:e} off");
    }

    let mut trained = network.valid();
    let after = block_on(state(&trained)).expect("the CPU answers");
    for (name, want) in &pass.running {
        let tensor = after.iter().find(|tensor| tensor.name == *name).expect("it is kept");
        let error = distance(&sample(&tensor.values), want, 0.0);
        assert!(error < RUNNING, "{config:?}: {name} is {error:e} off");
    }
    let logits = trained.forward_eval(images.inner());
    let error = distance(&block_on(read(logits)).expect("the CPU answers"), &pass.eval_logits, 0.0);
    assert!(error < LOGITS, "{config:?}: logits in evaluation are {error:e} off");
}

#[test]
fn every_network_agrees_with_pytorch_in_logits_gradients_and_running_statistics() {
    let passes: Vec<Pass> = golden("passes");
    assert_eq!(passes.len(), 5, "ConvNet, ConvNet-D at two sizes, ResNet-18 with both stems");
    passes.iter().for_each(check);
}

#[test]
fn a_file_that_pytorch_saved_loads_with_every_number_in_its_place() {
    for (architecture, file) in [(Architecture::ConvNet, CONVNET), (Architecture::ConvNetD, CONVNET_D)] {
        let mut network = small(architecture).init(3, &Device::flex()).expect("a valid network");
        network.load_safetensors(file).expect("the file fits");
        let loaded = block_on(state(&network)).expect("the CPU answers");
        assert_eq!(loaded, formula_state(&network));
    }
}

/// With `TILEPRESS_SAVE_STUDENT` set to a folder, writes there the files that `tests/golden/student_check.py` reads.
#[test]
fn a_saved_network_is_read_back_to_the_last_bit() {
    let kept = std::env::var_os("TILEPRESS_SAVE_STUDENT").map(std::path::PathBuf::from);
    for config in small_networks() {
        let device = Device::flex();
        let mut first = config.init(1, &device.clone().autodiff()).expect("a valid network");
        let images = input("input 0", 4, config.image_size, &device.clone().autodiff());
        first.forward_train(images.clone());
        let bytes = block_on(first.to_safetensors()).expect("the CPU answers");

        let mut second = config.init(2, &device).expect("a valid network");
        assert_ne!(block_on(state(&first)).expect("a state"), block_on(state(&second)).expect("a state"));
        second.load_safetensors(&bytes).expect("its own file fits");
        assert_eq!(block_on(state(&first)).expect("a state"), block_on(state(&second)).expect("a state"));
        assert_eq!(bytes, block_on(second.to_safetensors()).expect("the CPU answers"));
        let logits = block_on(read(second.forward_eval(images.clone().inner()))).expect("the CPU answers");
        assert_eq!(
            logits,
            block_on(read(first.valid().forward_eval(images.inner()))).expect("the CPU answers")
        );

        if let Some(folder) = &kept {
            let file = |end| folder.join(format!("{}.{end}", config.network.architecture()));
            std::fs::write(file("safetensors"), &bytes).expect("the folder can be written");
            let Choices { width, stem } = SMALL;
            let (architecture, classes) = (config.network.architecture(), config.classes);
            let config = serde_json::json!({
                "architecture": architecture, "width": width, "stem": stem, "classes": classes,
                "image_size": config.image_size,
            });
            let about = serde_json::json!({ "config": config, "input": "input 0", "eval_logits": logits });
            std::fs::write(file("json"), about.to_string()).expect("the folder can be written");
        }
    }
}

#[test]
fn loading_leaves_a_network_trainable_where_it_was_and_only_there() {
    let device = Device::flex().autodiff();
    let mut network = small(Architecture::ConvNet).init(0, &device).expect("a valid network");
    network.load_safetensors(CONVNET).expect("the file fits");
    let loss = network.forward_train(input("input 0", 4, 16, &device)).powi_scalar(2).mean();
    let of = GradientsParams::from_grads(loss.backward(), &network);
    let mut gradients = Gradients { of, found: BTreeMap::new() };
    network.visit_state(&mut gradients);
    let trained: Vec<&str> = gradients.found.keys().map(String::as_str).collect();
    let expected =
        ["0.weight", "1.bias", "1.weight", "10.bias", "10.weight", "4.weight", "5.bias", "5.weight"];
    assert_eq!(trained, expected);
}

#[test]
fn a_state_that_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let mut network = small(Architecture::ConvNet).init(0, &Device::flex()).expect("a valid network");
    let before = block_on(state(&network)).expect("the CPU answers");
    let fitting = formula_state(&network);

    let mut missing = fitting.clone();
    missing.retain(|tensor| tensor.name != "5.running_var");
    let error = load_state(&mut network, &missing).expect_err("a tensor is missing");
    assert!(matches!(&error, StateError::Missing(name) if name == "5.running_var"), "{error}");
    assert!(error.to_string().contains("no tensor '5.running_var'"), "{error}");

    let mut misshapen = fitting.clone();
    let last = misshapen.iter_mut().find(|tensor| tensor.name == "10.weight").expect("the classifier");
    last.shape = vec![8, 4];
    let error = load_state(&mut network, &misshapen).expect_err("a tensor is transposed");
    assert_eq!(error.to_string(), "tensor '10.weight' is [8, 4] in the file and [4, 8] in the model");

    // A file in half precision has the tensors, but not as this program keeps them.
    let half = vec![0u8; 2 * 4 * 8];
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = fitting
        .iter()
        .filter(|tensor| tensor.name != "10.weight")
        .map(|t| (t.name.clone(), t.shape.clone(), t.values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let mut views: BTreeMap<&str, TensorView> = bytes
        .iter()
        .map(|(name, shape, data)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).expect("a tensor"))
        })
        .collect();
    views.insert("10.weight", TensorView::new(Dtype::F16, vec![4, 8], &half).expect("a tensor"));
    let file = safetensors::serialize(views, None).expect("a file");
    let error = network.load_safetensors(&file).expect_err("half precision");
    assert_eq!(error.to_string(), "tensor '10.weight' is [4, 8] F16 in the file and [4, 8] F32 in the model");

    for broken in [&CONVNET[..CONVNET.len() - 1], b"", b"not a safetensors file at all"] {
        let error = network.load_safetensors(broken).expect_err("a broken file");
        assert!(matches!(error, StateError::Format(_)), "{error}");
    }
    let error = network.load_safetensors(CONVNET_D).expect_err("another network's file");
    assert!(matches!(error, StateError::Missing(_)), "{error}");

    assert_eq!(block_on(state(&network)).expect("the CPU answers"), before);
}

#[test]
fn a_seed_decides_every_weight() {
    for config in small_networks() {
        let weights = |seed| {
            let network = config.init(seed, &Device::flex()).expect("a valid network");
            block_on(state(&network)).expect("the CPU answers")
        };
        assert_eq!(weights(7), weights(7));
        let (one, other) = (weights(7), weights(8));
        let drawn = |tensor: &&StateTensor| tensor.shape.len() > 1;
        assert!(one.iter().filter(drawn).zip(other.iter().filter(drawn)).all(|(a, b)| a.values != b.values));
    }
}

#[test]
#[cfg(feature = "flex")]
fn a_network_of_mixed_precision_is_refused_where_there_are_no_matrix_units() {
    let config = ModelConfig { precision: Precision::Mixed, ..small(Architecture::ConvNet) };
    let refused = config.init(0, &Device::flex()).expect_err("a CPU has none");
    assert!(matches!(refused, ModelError::Device(DeviceError::NoMatrixUnits)), "{refused}");
}
