//! A student saved as bytes, to continue in another process bit for bit.
//!
//! The bytes are a safetensors file: `network.<name>` under PyTorch's names, `optimizer.<name>.<k>` for the
//! optimiser's state of that parameter, and a JSON text in the metadata with the rest. Batches and views need no
//! saving: they depend on the step and the seed alone.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};

use super::config::Decay;
use super::error::TrainError;
use super::progress::CurvePoint;
use super::student::Student;
use crate::device::{self, Precision, upload};
use crate::fault::{Fault, Faulty};
use crate::model::{StateError, StateTensor, StateVisitor, load_state, state};

/// The key of our text in the metadata of the file.
const ABOUT: &str = "tilepress-checkpoint";
/// Name of the tensor of losses that are no part of the curve yet.
const LOSSES: &str = "losses";
/// Version of the checkpoint format; it is raised by a change that an older reader cannot read.
const FORM: u32 = 1;

/// A checkpoint that cannot be made or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The device did not answer.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The weights are not those of this network.
    #[error("the checkpoint does not fit: {0}")]
    State(#[from] StateError),
    /// Not a safetensors file, or a broken one.
    #[error("the checkpoint cannot be read: {0}; start the run anew")]
    Format(#[from] SafeTensorError),
    /// Not a checkpoint of this program, or one of another version.
    #[error("the checkpoint cannot be read: {0}; start the run anew")]
    Broken(&'static str),
    /// A checkpoint of other images, options or another seed.
    #[error(
        "the checkpoint is of another run: its images, options or seed differ; give those it was made with, or \
         start the run anew"
    )]
    OtherRun,
}

/// The parts of a checkpoint besides tensors.
#[derive(Serialize, Deserialize)]
struct About {
    form: u32,
    /// [`Student::fingerprint`].
    run: String,
    step: usize,
    optimizer_steps: i32,
    curve: Vec<CurvePoint>,
    /// Number of steps whose losses are no part of the curve yet; they are the tensor [`LOSSES`].
    #[serde(default)]
    uncounted_steps: usize,
}

impl Student {
    /// Saves the student as bytes. Losses that are not part of the curve yet are saved beside it, so that the curve does not
    /// depend on when a student was saved.
    ///
    /// # Errors
    /// [`CheckpointError`] when the device does not answer.
    pub async fn checkpoint(&mut self) -> Result<Vec<u8>, CheckpointError> {
        self.checkpoint_with(&[]).await
    }

    /// Continues from a checkpoint of a student made with the same model, config, task and seed: every later step
    /// is, bit for bit, the one it would have made without the interruption.
    ///
    /// # Errors
    /// [`CheckpointError`] for bytes that are not such a checkpoint; the student is then unchanged.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let about = self.about(bytes)?;
        if about.step > self.steps || !(0..=about.step as i64).contains(&i64::from(about.optimizer_steps)) {
            return Err(CheckpointError::Broken("it counts more steps than there are"));
        }
        let file = SafeTensors::deserialize(bytes)?;
        let (mut weights, mut kept, mut uncounted) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (name, view) in file.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F32) {
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if let Some(name) = name.strip_prefix("network.") {
                weights.push(StateTensor { name: name.to_owned(), shape: view.shape().to_vec(), values });
            } else if let Some(name) = name.strip_prefix("optimizer.") {
                kept.insert(name.to_owned(), values);
            } else if name == LOSSES {
                uncounted = values;
            }
        }
        let mut network = self.network.clone();
        load_state(&mut network, &weights)?;
        let mut restored = Vec::new();
        let length_of =
            |name: &str| weights.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.values.len());
        for (name, id) in self.parameters() {
            let expected = length_of(&name);
            let of_parameter =
                kept.iter().filter(|(kept, _)| kept.rsplit_once('.').is_some_and(|(of, _)| of == name));
            if of_parameter.into_iter().any(|(_, values)| Some(values.len()) != expected) {
                return Err(CheckpointError::Broken("the optimiser's state is of another network"));
            }
            let values = (0..).map_while(|k| kept.remove(&format!("{name}.{k}")));
            let tensors: Vec<Tensor<1>> = values
                .map(|values| {
                    let length = values.len();
                    upload::floats(TensorData::new(values, [length]), &self.device)
                })
                .collect();
            if !tensors.is_empty() {
                restored.push((id, tensors));
            }
        }
        if !self.optimizer.restore(about.optimizer_steps, restored) {
            return Err(CheckpointError::Broken("the optimiser's state is incomplete"));
        }
        self.network = network;
        self.progress.step = about.step;
        self.progress.curve = about.curve;
        self.progress.uncounted = uncounted;
        self.progress.uncounted_steps = about.uncounted_steps;
        self.progress.forget_batches();
        self.losses.clear();
        Ok(())
    }

    /// [`checkpoint`](Self::checkpoint) with other bytes beside it, by name.
    pub(crate) async fn checkpoint_with(
        &mut self,
        beside: &[(&str, &[u8])],
    ) -> Result<Vec<u8>, CheckpointError> {
        self.gather_losses().await?;
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for StateTensor { name, shape, values } in state(&self.network).await? {
            tensors.push((format!("network.{name}"), shape, floats(&values)));
        }
        for (name, id) in self.parameters() {
            for (k, kept) in self.optimizer.kept(id).into_iter().enumerate() {
                let values = device::read(kept).await.map_err(TrainError::Device)?;
                tensors.push((format!("optimizer.{name}.{k}"), vec![values.len()], floats(&values)));
            }
        }
        if self.uncounted_steps > 0 {
            tensors.push((LOSSES.to_owned(), vec![self.uncounted.len()], floats(&self.uncounted)));
        }
        let mut views = BTreeMap::new();
        for (name, shape, bytes) in &tensors {
            views.insert(name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?);
        }
        for &(name, bytes) in beside {
            views.insert(name, TensorView::new(Dtype::U8, vec![bytes.len()], bytes)?);
        }
        let about = About {
            form: FORM,
            run: self.fingerprint().to_owned(),
            step: self.step,
            optimizer_steps: self.optimizer.steps(),
            curve: self.curve.clone(),
            uncounted_steps: self.uncounted_steps,
        };
        let text = serde_json::to_string(&about).map_err(|_| CheckpointError::Broken("its text"))?;
        // One entry only, so that equal checkpoints are equal bytes.
        Ok(safetensors::serialize(views, Some(HashMap::from([(ABOUT.to_owned(), text)])))?)
    }

    /// The text of a checkpoint, when it is one of this run.
    fn about(&self, bytes: &[u8]) -> Result<About, CheckpointError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let text = header.metadata().as_ref().and_then(|entries| entries.get(ABOUT));
        let text = text.ok_or(CheckpointError::Broken("it is no checkpoint of a run"))?;
        let about: About =
            serde_json::from_str(text).map_err(|_| CheckpointError::Broken("its text is not ours"))?;
        if about.form != FORM {
            return Err(CheckpointError::Broken("another version wrote it"));
        }
        if about.run != self.fingerprint() {
            return Err(CheckpointError::OtherRun);
        }
        Ok(about)
    }

    /// Hash of everything that a run depends on: config, views, seed, precision, images and labels.
    fn fingerprint(&self) -> &str {
        self.progress.fingerprint.get_or_init(|| self.find_fingerprint())
    }

    fn find_fingerprint(&self) -> String {
        let task = self.task();
        let mut asked = serde_json::json!({
            "recipe": self.config,
            "grid": task.grid,
            "augmentation": task.augmentation,
            "normalise": [task.normalise.mean, task.normalise.std],
            "side": task.images.side(),
            "seed": self.batches.seed(),
        });
        // A checkpoint from before an option existed still fits where the option has the value that was fixed then.
        if let Some(config) = asked["recipe"].as_object_mut() {
            if self.config.decay == Decay::default() {
                config.remove("decay");
            }
            if self.config.eta_min == 0.0 {
                config.remove("eta_min");
            }
        }
        if !task.images.crop_from().is_square() {
            asked["crop_from"] = serde_json::json!(task.images.crop_from());
        }
        #[cfg(not(target_family = "wasm"))]
        if self.shared.is_some() {
            // Whatever the number of ranks.
            asked["shards"] = serde_json::json!(super::shards::SHARDS);
        }
        if self.model.precision == Precision::Mixed {
            asked["precision"] = serde_json::json!(Precision::Mixed);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(asked.to_string().as_bytes());
        hasher.update(&task.images.fingerprint().0);
        hasher.finalize().to_string()
    }

    /// Name and id of every tensor of the network, in the order of its state.
    fn parameters(&self) -> Vec<(String, ParamId)> {
        let mut ids = Ids(Vec::new());
        self.network.clone().visit_state(&mut ids);
        ids.0
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

struct Ids(Vec<(String, ParamId)>);

impl StateVisitor for Ids {
    fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
        self.0.push((name.to_owned(), param.id));
    }

    fn batch_counter(&mut self, _name: &str) {}
}

impl Faulty for CheckpointError {
    fn fault(&self) -> Fault {
        match self {
            Self::Train(error) => error.fault(),
            Self::State(error) => error.fault(),
            _ => Fault::Data,
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::sync::Arc;

    use burn::tensor::Device;
    use pollster::block_on;

    use super::*;
    use crate::augment::{Augmentation, MixKind, Normalise};
    use crate::data::{Grid, ImageSet};
    use crate::model::{Architecture, Choices, ModelConfig, Stem};
    use crate::random::{Purpose, Stream};
    use crate::train::{Length, Optimizer, Schedule, Task, TrainConfig};

    const SIDE: u32 = 16;

    fn student(architecture: Architecture, optimizer: Optimizer, seed: u64) -> Student {
        let mut stream = Stream::new(1, Purpose::Test, 0, 0);
        let pixels = (0..26 * SIDE * SIDE * 3).map(|_| stream.next_u32() as u8).collect();
        let images = ImageSet::from_parts(SIDE, pixels, (0..26).map(|i| i % 4).collect()).expect("26 images");
        let model = ModelConfig {
            network: architecture.with(Choices { width: 6, stem: Stem::Small }),
            classes: 4,
            image_size: SIDE as usize,
            precision: Precision::Full,
        };
        let length = Length::Steps(12);
        let config = TrainConfig {
            optimizer,
            lr: 0.01,
            weight_decay: 0.02,
            decay: Decay::default(),
            batch: 8,
            length,
            horizon: length,
            eta_min: 0.0,
            schedule: Schedule::Step,
        };
        let task = Task {
            images: Arc::new(images),
            grid: Grid::TWO,
            augmentation: Augmentation { mix: Some(MixKind::CutMix { alpha: 1.0 }), ..Default::default() },
            normalise: Normalise::IMAGENET,
        };
        Student::new(&model, config, task, seed, &Device::flex()).expect("a valid student")
    }

    fn weights(student: &Student) -> Vec<StateTensor> {
        block_on(state(&student.network())).expect("the CPU answers")
    }

    #[test]
    fn a_restored_student_goes_on_bit_for_bit() {
        for architecture in [Architecture::ConvNet, Architecture::ConvNetD, Architecture::ResNet18] {
            for optimizer in [Optimizer::AdamW, Optimizer::Sgd] {
                let mut whole = student(architecture, optimizer, 3);
                block_on(whole.advance(5)).unwrap();
                let bytes = block_on(whole.checkpoint()).unwrap();
                assert_eq!(bytes, block_on(whole.checkpoint()).unwrap(), "equal states are equal bytes");
                block_on(whole.advance(7)).unwrap();

                let mut other = student(architecture, optimizer, 3);
                // Steps it made before do not matter.
                block_on(other.advance(1)).unwrap();
                other.restore(&bytes).unwrap();
                assert_eq!(other.steps_made(), 5);
                block_on(other.advance(7)).unwrap();
                assert_eq!(weights(&other), weights(&whole), "{architecture}, {optimizer:?}");
                assert_eq!(other.curve(), whole.curve());
            }
        }
    }

    #[test]
    fn a_student_stopped_between_two_readings_ends_with_the_same_curve() {
        let mut whole = student(Architecture::ConvNet, Optimizer::AdamW, 3);
        block_on(whole.advance(7)).unwrap();
        block_on(whole.advance(5)).unwrap();
        assert_eq!(whole.curve().iter().map(|point| point.step).collect::<Vec<_>>(), [7, 12]);
        for stop in 0..7 {
            let mut first = student(Architecture::ConvNet, Optimizer::AdamW, 3);
            let asked = std::cell::Cell::new(0);
            block_on(first.advance_while(7, &|| asked.replace(asked.get() + 1) < stop)).unwrap();
            assert_eq!((first.steps_made(), first.curve().len()), (stop, 0));
            let bytes = block_on(first.checkpoint()).unwrap();
            assert_eq!(bytes, block_on(first.checkpoint()).unwrap(), "saving changes nothing");
            let mut second = student(Architecture::ConvNet, Optimizer::AdamW, 3);
            second.restore(&bytes).unwrap();
            block_on(second.advance(7 - stop)).unwrap();
            block_on(second.advance(5)).unwrap();
            assert_eq!(second.curve(), whole.curve(), "stopped after {stop} steps");
            assert_eq!(weights(&second), weights(&whole));
        }
    }

    #[test]
    fn the_optimisers_state_is_part_of_a_checkpoint() {
        let mut whole = student(Architecture::ConvNet, Optimizer::AdamW, 3);
        block_on(whole.advance(5)).unwrap();
        let bytes = block_on(whole.checkpoint()).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
        let weights = names.iter().filter(|name| name.starts_with("network.")).count();
        let moments = names.iter().filter(|name| name.starts_with("optimizer.")).count();
        assert!(moments > weights, "two moments a trained tensor: {names:?}");
    }

    #[test]
    fn a_checkpoint_of_another_run_is_refused_and_changes_nothing() {
        let mut one = student(Architecture::ConvNet, Optimizer::AdamW, 3);
        block_on(one.advance(2)).unwrap();
        let bytes = block_on(one.checkpoint()).unwrap();
        let before = weights(&one);
        let mut seed = student(Architecture::ConvNet, Optimizer::AdamW, 4);
        assert!(matches!(seed.restore(&bytes), Err(CheckpointError::OtherRun)));
        let mut model = student(Architecture::ConvNetD, Optimizer::AdamW, 3);
        assert!(matches!(model.restore(&bytes), Err(CheckpointError::State(_))));
        assert!(matches!(one.restore(&bytes[..bytes.len() / 2]), Err(CheckpointError::Format(_))));
        assert!(matches!(one.restore(b"no checkpoint"), Err(CheckpointError::Format(_))));
        let plain = block_on(one.network().to_safetensors()).unwrap();
        assert!(matches!(one.restore(&plain), Err(CheckpointError::Broken(_))));
        assert_eq!(weights(&one), before);
    }
}
