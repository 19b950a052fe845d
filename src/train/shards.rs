//! One step of a network that several ranks train together.
//!
//! A batch is cut into [`SHARDS`] shards, whatever the number of ranks, and each rank has as many of them as any other. A shard goes
//! through the network alone, with BatchNorm moments of its own; then gradients, running statistics and losses meet in a fixed tree.
//! So the network has the same bits after a step with 1, 2, 4 and 8 ranks, and a training goes on with another number of them.
//!
//! Running statistics become the mean of what each shard would have made of them, as if BatchNorm had seen one batch.

use std::ops::Range;
use std::sync::Arc;

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::Batch;
use super::error::TrainError;
use super::progress::{Progress, targets};
use super::ranks::{Ranks, RanksError, sum};
use super::student::{Step, Student, input};
use crate::device::upload;
use crate::kernel::copy::joined;
use crate::kernel::cross_entropy::mixed_cross_entropy;
use crate::kernel::read_all;
use crate::kernel::reshape::reshape;
use crate::model::StateVisitor;

/// Number of shards of a batch.
pub(super) const SHARDS: usize = 8;

/// The images of a shard, by their places in a batch of `count`.
pub(super) fn places(shard: usize, count: usize) -> Range<usize> {
    count * shard / SHARDS..count * (shard + 1) / SHARDS
}

/// The shards of a rank.
pub(super) fn own(ranks: &dyn Ranks) -> Range<usize> {
    let each = SHARDS / ranks.count();
    ranks.rank() * each..(ranks.rank() + 1) * each
}

impl Student {
    /// Shares all further steps among ranks, which have students of the same model, config, task and seed.
    ///
    /// # Errors
    /// [`RanksError`] for a number of ranks that cannot share a batch, and for views that mix two images, which may be of
    /// different shards.
    pub(super) fn share(&mut self, ranks: Arc<dyn Ranks>) -> Result<(), RanksError> {
        if ranks.count() == 0 || !SHARDS.is_multiple_of(ranks.count()) {
            return Err(RanksError::Count(ranks.count()));
        }
        if self.task().augmentation.mix.is_some() {
            return Err(RanksError::Unshared("`mix`"));
        }
        self.shared = Some(ranks);
        Ok(())
    }

    /// Makes one step together with the other ranks. The step that is given holds the images and logits of this rank's shards;
    /// there is none where a batch has fewer images than shards and none of them is this rank's.
    ///
    /// # Errors
    /// [`TrainError`] when an image cannot be read, the device fails or another rank is lost.
    pub(super) async fn shared_step(&mut self, ranks: &dyn Ranks) -> Result<Option<Step<'_>>, TrainError> {
        let whole = self.progress.batches.planned(self.progress.step);
        let (epoch, count) = (whole.epoch, whole.images.len());
        let shards: Vec<Range<usize>> = own(ranks).map(|shard| places(shard, count)).collect();
        let length = self.state_length() + 1;
        let (mut tree, mut logits) = (Tree::default(), Vec::new());
        for places in &shards {
            if places.is_empty() {
                tree.add(vec![0.0; length]);
                continue;
            }
            let batch = self.progress.batches.part(&whole, places.clone())?;
            let shard = self.learned(batch, count);
            let mut numbers = read_all(shard.numbers).await?;
            let loss = numbers.drain(length - 1..).sum();
            numbers.push(loss);
            tree.add(numbers);
            logits.push(shard.logits);
        }
        let mut numbers = tree.root();
        sum(ranks, &mut numbers)?;
        let loss = numbers.pop().expect("at least the loss");
        let with_images = (0..SHARDS).filter(|&shard| !places(shard, count).is_empty()).count();
        self.take(&numbers, with_images as f32);
        self.progress.step += 1;
        self.progress.put_aside(&[loss], 1);
        self.images = shards.into_iter().flat_map(|places| whole.images[places].to_vec()).collect();
        let Some([_, classes]) = logits.first().map(Tensor::dims) else { return Ok(None) };
        let vectors = logits.into_iter().map(|logits: Tensor<2>| {
            let length = logits.shape().num_elements();
            reshape(logits, [length])
        });
        let logits = reshape(joined(vectors.collect()), [self.images.len(), classes]);
        Ok(Some(Step { epoch, images: &self.images, logits }))
    }

    /// One shard through the network and back. `count` is the number of images of the whole batch, over which the loss is a mean.
    fn learned(&self, batch: Batch, count: usize) -> Learned {
        let Progress { resident, device, .. } = &self.progress;
        let mut network = self.network.clone();
        let targets = targets(&batch, self.task().images.labels(), count);
        let logits = network.forward_train(input(batch, resident.as_deref(), device));
        let detached = logits.clone().inner();
        let loss = mixed_cross_entropy(logits, &targets);
        let shares = loss.clone().inner();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let mut collect = Collect { gradients, numbers: Vec::new() };
        network.visit_state(&mut collect);
        collect.numbers.push(shares);
        Learned { numbers: collect.numbers, logits: detached }
    }

    /// Takes the sums over all shards: gradients for the optimiser, and running statistics, of which `shards` were added up.
    fn take(&mut self, numbers: &[f32], shards: f32) {
        let rate = self.progress.learning_rate();
        let device = self.progress.device.clone();
        let mut spread = Spread { numbers, shards, gradients: GradientsParams::new(), device };
        self.network.visit_state(&mut spread);
        let gradients = spread.gradients;
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
    }

    /// Number of values of the network's state.
    fn state_length(&self) -> usize {
        let mut length = Length(0);
        self.network.clone().visit_state(&mut length);
        length.0
    }
}

/// What one shard gives.
struct Learned {
    /// Gradients, or new running statistics, in the order of the state; then every sample's share of the loss.
    numbers: Vec<Tensor<1>>,
    logits: Tensor<2>,
}

/// Sums of neighbours, as they come: of two, of four, of eight, each beside the number of its shards.
#[derive(Default)]
struct Tree(Vec<(usize, Vec<f32>)>);

impl Tree {
    /// Adds the next shard's numbers.
    fn add(&mut self, numbers: Vec<f32>) {
        let mut next = (1, numbers);
        while let Some((_, mut before)) = self.0.pop_if(|before| before.0 == next.0) {
            before.iter_mut().zip(&next.1).for_each(|(before, next)| *before += next);
            next = (2 * next.0, before);
        }
        self.0.push(next);
    }

    /// The sum of all shards.
    fn root(mut self) -> Vec<f32> {
        let (_, numbers) = self.0.pop().expect("a rank has a shard");
        assert!(self.0.is_empty(), "a rank has 1, 2, 4 or 8 shards");
        numbers
    }
}

struct Length(usize);

impl StateVisitor for Length {
    fn tensor<const D: usize>(&mut self, _name: &str, param: &mut Param<Tensor<D>>) {
        self.0 += param.val().shape().num_elements();
    }

    fn batch_counter(&mut self, _name: &str) {}
}

/// Collects the gradient of every trained parameter, and the value of every other tensor.
struct Collect {
    gradients: GradientsParams,
    numbers: Vec<Tensor<1>>,
}

impl StateVisitor for Collect {
    fn tensor<const D: usize>(&mut self, name: &str, param: &mut Param<Tensor<D>>) {
        let value = param.val();
        let length = value.shape().num_elements();
        let number = if param.is_require_grad() {
            self.gradients.remove::<D>(param.id).unwrap_or_else(|| panic!("the loss depends on {name}"))
        } else {
            value.inner()
        };
        self.numbers.push(reshape(number, [length]));
    }

    fn batch_counter(&mut self, _name: &str) {}
}

/// The way back: gradients for the optimiser, running statistics into the network.
struct Spread<'a> {
    numbers: &'a [f32],
    shards: f32,
    gradients: GradientsParams,
    device: Device,
}

impl StateVisitor for Spread<'_> {
    fn tensor<const D: usize>(&mut self, _name: &str, param: &mut Param<Tensor<D>>) {
        let old = param.val();
        let (own, rest) = self.numbers.split_at(old.shape().num_elements());
        self.numbers = rest;
        if param.is_require_grad() {
            let gradient = TensorData::new(own.to_vec(), old.dims());
            self.gradients.register(param.id, upload::floats::<D>(gradient, &self.device));
        } else {
            let mean: Vec<f32> = own.iter().map(|sum| sum / self.shards).collect();
            let new = upload::floats::<D>(TensorData::new(mean, old.dims()), &old.device());
            *param = Param::initialized(param.id, new).set_require_grad(false);
        }
    }

    fn batch_counter(&mut self, _name: &str) {}
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use pollster::block_on;

    use super::super::config::Length;
    use super::super::ranks::testing::on_each;
    use super::super::student::tests::{config, of, task, weights};
    use super::super::{Proxy, ScoringPass, TrainConfig};
    use super::*;
    use crate::augment::{Augmentation, Crop};
    use crate::model::{Architecture, StateTensor, Stem};

    const STEPS: usize = 5;
    const IMAGES: usize = 24;

    fn views() -> Augmentation {
        Augmentation { crop: Crop::Global { min_scale: 0.25 }, flip: true, cutout: None, mix: None }
    }

    fn fresh(architecture: Architecture) -> Student {
        let model = of(architecture, Stem::Small);
        Student::new(&model, config(STEPS), task(IMAGES, views()), 3, &Device::flex())
            .expect("a valid student")
    }

    /// The state and the curve after `steps` steps of every rank.
    fn ends(architecture: Architecture, steps: usize, count: usize) -> Vec<(Vec<StateTensor>, Vec<f32>)> {
        on_each(count, |ranks| {
            let mut student = fresh(architecture);
            student.share(Arc::new(ranks)).expect("a power of two");
            block_on(student.advance(steps)).expect("the CPU answers");
            (weights(&student), student.curve().iter().map(|point| point.loss).collect())
        })
    }

    /// Batches of 10, 10 and 4 images: with 8 ranks some have one image and some none.
    #[test]
    fn one_two_four_and_eight_ranks_come_to_the_same_bits() {
        // A ResNet-18 has eleven million weights, which eight ranks would send about.
        for (architecture, steps, counts) in [
            (Architecture::ConvNet, STEPS, &[2, 4, 8][..]),
            (Architecture::ConvNetD, STEPS, &[2, 4, 8][..]),
            (Architecture::ResNet18, 2, &[2][..]),
        ] {
            let one = ends(architecture, steps, 1).remove(0);
            for &count in counts {
                for (rank, end) in ends(architecture, steps, count).iter().enumerate() {
                    assert!(*end == one, "{architecture}, rank {rank} of {count}");
                }
            }
        }
    }

    /// Without statistics of a batch, shards change nothing but the order of sums.
    #[test]
    fn a_network_without_batch_statistics_makes_the_steps_of_one_process() {
        let mut alone = fresh(Architecture::ConvNetD);
        block_on(alone.advance(STEPS)).expect("the CPU answers");
        let (shared, curve) = ends(Architecture::ConvNetD, STEPS, 2).remove(0);
        for (alone, shared) in weights(&alone).iter().zip(&shared) {
            for (alone, shared) in alone.values.iter().zip(&shared.values) {
                assert!((alone - shared).abs() < 1e-4, "{alone} and {shared}");
            }
        }
        assert!((alone.curve()[0].loss - curve[0]).abs() < 1e-5);
    }

    #[test]
    fn running_statistics_are_the_mean_of_those_of_the_shards() {
        let mut student = fresh(Architecture::ConvNet);
        let whole = student.progress.batches.planned(0);
        let count = whole.images.len();
        let length = student.state_length();
        let each: Vec<Vec<f32>> = (0..SHARDS)
            .map(|shard| {
                let batch = student.progress.batches.part(&whole, places(shard, count)).expect("in memory");
                let mut numbers =
                    block_on(read_all(student.learned(batch, count).numbers)).expect("the CPU answers");
                numbers.truncate(length);
                numbers
            })
            .collect();
        let ranks = super::super::ranks::testing::threads(1).remove(0);
        block_on(student.shared_step(&ranks)).expect("the CPU answers");
        let mut at = 0;
        let mut compared = 0;
        for tensor in weights(&student) {
            if tensor.name.contains("running") {
                for (place, value) in tensor.values.iter().enumerate() {
                    let mean = each.iter().map(|numbers| f64::from(numbers[at + place])).sum::<f64>() / 8.0;
                    assert!((f64::from(*value) - mean).abs() < 1e-6, "{}: {value} and {mean}", tensor.name);
                    compared += 1;
                }
            }
            at += tensor.values.len();
        }
        assert!(compared > 0);
    }

    #[test]
    fn every_rank_has_the_log_of_all_images_and_goes_on_with_another_number() {
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let proxy = || {
                let config =
                    TrainConfig { length: Length::Epochs(2), horizon: Length::Epochs(2), ..config(0) };
                let model = of(Architecture::ConvNet, Stem::Small);
                Proxy::new(&model, config, task(IMAGES, views()), when, 3, &Device::flex())
                    .expect("a valid proxy")
            };
            let run = |count: usize, steps: Vec<usize>, from: Option<Vec<u8>>| {
                on_each(count, |ranks| {
                    let mut proxy = proxy();
                    proxy.share(Arc::new(ranks)).expect("a power of two");
                    if let Some(bytes) = &from {
                        proxy.restore(bytes).expect("of this run, whatever the number of ranks");
                    }
                    for &steps in &steps {
                        block_on(proxy.advance_by(steps)).expect("the CPU answers");
                    }
                    let saved = block_on(proxy.checkpoint()).expect("the CPU answers");
                    (proxy.finished(), proxy.log().to_bytes(), saved)
                })
            };
            let whole = run(1, vec![16], None).remove(0);
            assert!(whole.0);
            assert!(run(4, vec![16], None).iter().all(|(_, log, _)| *log == whole.1));
            let begun = run(2, vec![2], None).remove(0).2;
            assert!(
                run(8, vec![1, 16], Some(begun.clone()))
                    .iter()
                    .all(|(done, log, _)| *done && *log == whole.1)
            );
            let error = proxy().restore(&begun).expect_err("without shards it is another run");
            assert!(error.to_string().contains("another run"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_shared_is_refused() {
        let ranks = |count| Arc::new(super::super::ranks::testing::threads(count).remove(0));
        let error = fresh(Architecture::ConvNet).share(ranks(3)).expect_err("three");
        assert!(error.to_string().contains("3 ranks"), "{error}");
        let lively = super::super::student::tests::lively();
        let model = of(Architecture::ConvNet, Stem::Small);
        let mut mixed =
            Student::new(&model, config(1), task(IMAGES, lively), 3, &Device::flex()).expect("valid");
        assert!(mixed.share(ranks(2)).expect_err("mixed").to_string().contains("`mix`"));
    }
}
