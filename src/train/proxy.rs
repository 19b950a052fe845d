//! The proxy: a network trained on the full training set, whose outputs score every sample.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointError;
use super::config::TrainConfig;
use super::dynamics::from_rows;
use super::error::TrainError;
use super::eval::eval_logits;
use super::softmax::SoftmaxLog;
use super::student::{READ_EVERY, Student};
use super::task::Task;
use crate::augment::{Augmentation, Crop, Normalise};
use crate::data::{Grid, Source};
use crate::fault::{Fault, Faulty};
use crate::kernel::dynamics::dynamics;
use crate::kernel::read_all;
use crate::model::ModelConfig;
use crate::random::{Purpose, seed_for};
use crate::score::{ScoreError, TrainingLog};

/// The forward pass that scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScoringPass {
    /// The training pass itself: augmented views, batch statistics, the weights of that moment. CCS and the code
    /// of the paper's group record the same; it costs no further pass.
    #[default]
    Train,
    /// A pass over the whole images after each epoch, in evaluation mode, as in data_diet.
    Eval,
}

impl std::str::FromStr for ScoringPass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "train" => Ok(Self::Train),
            "eval" => Ok(Self::Eval),
            _ => Err(format!("'{text}' is not a moment to score; give train or eval")),
        }
    }
}

/// Scoring that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The proxy's outputs cannot be recorded.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The proxy cannot be saved or continued.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A proxy in training, and the log of its outputs.
pub struct Proxy {
    student: Student,
    device: Device,
    when: ScoringPass,
    pub(super) log: TrainingLog,
    /// The whole softmax, where it is kept.
    softmax: Option<SoftmaxLog>,
    pub(super) pending: Vec<Pending>,
    /// The pass over the whole images that has begun, where such passes score.
    pass: Option<EvalPass>,
    per_epoch: usize,
    classes: usize,
}

/// A pass over the whole images after an epoch. No step is made before it has come to its end.
#[derive(Clone, Copy)]
struct EvalPass {
    epoch: u32,
    /// The first image that is not recorded.
    next: usize,
}

/// A batch whose dynamics are still on the device.
pub(super) struct Pending {
    pub(super) epoch: u32,
    pub(super) images: Vec<u32>,
    pub(super) rows: Tensor<2>,
    /// The whole softmax, where it is kept.
    logits: Option<Tensor<2>>,
}

impl Proxy {
    /// The task of a proxy: whole images, cropped anywhere down to `min_scale` of their area and flipped.
    pub fn task(images: Arc<dyn Source>, min_scale: f64) -> Task {
        Task {
            images,
            grid: Grid::WHOLE,
            augmentation: Augmentation { crop: Crop::Global { min_scale }, ..Augmentation::default() },
            normalise: Normalise::IMAGENET,
        }
    }

    /// A fresh proxy. `config.length` should be whole epochs: each is recorded.
    ///
    /// Its weights, order and views come from a seed of its own ([`Purpose::Proxy`]), so that it is independent of a student
    /// with the same `seed` that is trained on the images it chose.
    ///
    /// # Errors
    /// [`ProxyError`] when there is no image or no such network.
    pub fn new(
        model: &ModelConfig,
        config: TrainConfig,
        task: Task,
        when: ScoringPass,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ProxyError> {
        // Before the epochs are counted, in 32 bits.
        config.check().map_err(TrainError::from)?;
        let samples = task.images.len();
        let per_epoch = config.steps_per_epoch(samples).max(1);
        let epochs = config.steps(samples) / per_epoch;
        let student = Student::new(model, config, task, seed_for(seed, Purpose::Proxy), device)?;
        let log = TrainingLog::new(epochs as u32, samples as u32);
        Ok(Self {
            student,
            device: device.clone(),
            when,
            log,
            softmax: None,
            pending: Vec::new(),
            pass: None,
            per_epoch,
            classes: model.classes,
        })
    }

    /// Shares all its steps among ranks, which have proxies of the same model, config, task, scoring pass and seed. Each comes to
    /// the same network and the same log.
    ///
    /// # Errors
    /// [`RanksError`](super::RanksError) for a number of ranks that cannot share a batch, views that cannot be shared, and a proxy
    /// that keeps the whole softmax.
    #[cfg(not(target_family = "wasm"))]
    pub fn share(&mut self, ranks: Arc<dyn super::Ranks>) -> Result<(), super::RanksError> {
        if self.softmax.is_some() {
            return Err(super::RanksError::Unshared("the whole softmax"));
        }
        self.student.share(ranks)
    }

    /// The ranks among which its steps are shared.
    #[cfg(not(target_family = "wasm"))]
    pub fn ranks(&self) -> Option<Arc<dyn super::Ranks>> {
        self.student.shared.clone()
    }

    /// Keeps the whole softmax of every sample from now on, which takes a float for each sample, class and epoch.
    pub fn keep_softmax(&mut self) {
        let (epochs, samples) = (self.log.epochs() as usize, self.log.samples() as usize);
        self.softmax = Some(SoftmaxLog::new(epochs, samples, self.classes));
    }

    /// The whole softmax, where it is kept.
    pub fn softmax(&self) -> Option<&SoftmaxLog> {
        self.softmax.as_ref()
    }

    /// Measures from now on by a clock of seconds.
    pub fn time_by(&mut self, clock: fn() -> f64) {
        self.student.time_by(clock);
    }

    /// The network in training.
    pub fn student(&self) -> &Student {
        &self.student
    }

    /// `true` once all epochs are recorded.
    pub fn finished(&self) -> bool {
        self.student.finished() && self.pending.is_empty() && self.pass.is_none()
    }

    /// The log so far.
    pub fn log(&self) -> &TrainingLog {
        &self.log
    }

    /// Turns the proxy into its log.
    pub fn into_log(self) -> TrainingLog {
        self.log
    }

    /// Makes up to [`READ_EVERY`] steps, then reads and records their outputs.
    ///
    /// # Errors
    /// [`ProxyError`] when the device fails, the loss diverges or a logit is not a number.
    pub async fn advance(&mut self) -> Result<(), ProxyError> {
        self.advance_by(READ_EVERY).await
    }

    /// Makes up to `steps` steps, at most [`READ_EVERY`] of them, then reads and records their outputs.
    ///
    /// # Errors
    /// The errors of [`advance`](Self::advance).
    pub async fn advance_by(&mut self, steps: usize) -> Result<(), ProxyError> {
        self.advance_while(steps.min(READ_EVERY), &|| true).await
    }

    /// Makes up to `steps` steps as [`advance_by`](Self::advance_by) does, as long as `go_on` says so before each. A pass over
    /// the whole images is interrupted likewise and goes on with the next call.
    ///
    /// # Errors
    /// The errors of [`advance`](Self::advance).
    pub async fn advance_while(&mut self, steps: usize, go_on: &dyn Fn() -> bool) -> Result<(), ProxyError> {
        self.go_on_with_pass(go_on).await?;
        for _ in 0..steps {
            if self.pass.is_some() || self.student.finished() || !go_on() {
                break;
            }
            let step = self.student.next_step().await?;
            if let (Some(step), ScoringPass::Train) = (step, self.when) {
                let (epoch, images, logits) = (step.epoch as u32, step.images.to_vec(), step.logits);
                let rows = dynamics(logits.clone(), &self.labels(&images));
                let logits = self.softmax.is_some().then_some(logits);
                self.pending.push(Pending { epoch, images, rows, logits });
            }
            let made = self.student.steps_made();
            if self.when == ScoringPass::Eval && made.is_multiple_of(self.per_epoch) {
                self.pass = Some(EvalPass { epoch: (made / self.per_epoch - 1) as u32, next: 0 });
                self.go_on_with_pass(go_on).await?;
            }
        }
        self.student.read_losses().await?;
        self.record_pending().await
    }

    /// Saves the proxy and its log as bytes, to continue in another process.
    ///
    /// # Errors
    /// [`ProxyError`] when the device fails.
    pub async fn checkpoint(&mut self) -> Result<Vec<u8>, ProxyError> {
        // One rank may save alone: after every advance all is recorded, and there is nothing to ask the others for.
        if !self.pending.is_empty() {
            self.record_pending().await?;
        }
        let log = self.log.to_bytes();
        Ok(self.student.checkpoint_with(&[(self.log_name(), &log)]).await?)
    }

    /// Continues from a checkpoint of a proxy made with the same model, config, task, scoring pass and seed; the final log is
    /// that of an uninterrupted run.
    ///
    /// # Errors
    /// [`ProxyError::Checkpoint`] for bytes that are not such a checkpoint.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        let name = self.log_name();
        // Checked before anything is changed.
        let file = safetensors::SafeTensors::deserialize(bytes).map_err(CheckpointError::from)?;
        let log = file.tensor(name).map_err(|_| CheckpointError::OtherRun)?;
        let log = TrainingLog::from_bytes(log.data())?;
        if (log.epochs(), log.samples()) != (self.log.epochs(), self.log.samples()) {
            return Err(CheckpointError::OtherRun.into());
        }
        self.student.restore(bytes)?;
        self.log = log;
        self.pass = self.unfinished_pass();
        if self.softmax.is_some() {
            self.keep_softmax();
        }
        self.pending.clear();
        Ok(())
    }

    /// The pass that was interrupted after the last step; what it recorded is in the log.
    fn unfinished_pass(&self) -> Option<EvalPass> {
        let made = self.student.steps_made();
        if self.when == ScoringPass::Train || made == 0 || !made.is_multiple_of(self.per_epoch) {
            return None;
        }
        let epoch = (made / self.per_epoch - 1) as u32;
        let next = self.log.epoch_el2n(epoch).iter().position(|el2n| el2n.is_nan())?;
        Some(EvalPass { epoch, next })
    }

    /// Name of the log in a checkpoint. It differs between scoring passes, so that a log of one is not continued with the other.
    fn log_name(&self) -> &'static str {
        match self.when {
            ScoringPass::Train => "log.train",
            ScoringPass::Eval => "log.eval",
        }
    }

    /// Reads and records the pending batches of an epoch: one transfer for all, and one for their logits where these are kept.
    /// Ranks record what all of them have.
    async fn record_pending(&mut self) -> Result<(), ProxyError> {
        #[cfg(not(target_family = "wasm"))]
        if let Some(ranks) = self.ranks() {
            return self.record_shared(&*ranks).await;
        }
        let mut pending = std::mem::take(&mut self.pending).into_iter().peekable();
        while let Some(Pending { epoch, mut images, rows, logits }) = pending.next() {
            let (mut parts, mut logits) = (vec![rows], Vec::from_iter(logits));
            while let Some(more) = pending.next_if(|next| next.epoch == epoch) {
                images.extend(more.images);
                parts.push(more.rows);
                logits.extend(more.logits);
            }
            self.record(epoch, &images, parts, logits).await?;
        }
        Ok(())
    }

    /// Reads rows of dynamics, and logits if there are any, and records them.
    async fn record(
        &mut self,
        epoch: u32,
        images: &[u32],
        rows: Vec<Tensor<2>>,
        logits: Vec<Tensor<2>>,
    ) -> Result<(), ProxyError> {
        let rows = read_all(rows).await.map_err(TrainError::Device)?;
        self.log.record(epoch, images, &from_rows(&rows)?)?;
        if let (Some(softmax), false) = (&mut self.softmax, logits.is_empty()) {
            let logits = read_all(logits).await.map_err(TrainError::Device)?;
            softmax.record(epoch, images, &logits);
        }
        Ok(())
    }

    /// Records the rest of the pass that has begun, if any, as long as `go_on` says so.
    async fn go_on_with_pass(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), ProxyError> {
        let Some(EvalPass { epoch, next }) = self.pass else { return Ok(()) };
        let mut network = self.student.network();
        let rest: Vec<u32> = (next as u32..self.student.task().images.len() as u32).collect();
        for images in rest.chunks(self.student.batch().max(64)) {
            if !go_on() {
                return Ok(());
            }
            let task = self.student.task();
            let logits = eval_logits(&mut network, &self.device, &*task.images, images, &task.normalise)
                .map_err(TrainError::from)?;
            let rows = dynamics(logits.clone(), &self.labels(images));
            let logits = self.softmax.is_some().then_some(logits);
            self.record(epoch, images, vec![rows], Vec::from_iter(logits)).await?;
            self.pass = images.last().map(|&last| EvalPass { epoch, next: last as usize + 1 });
        }
        self.pass = None;
        Ok(())
    }

    fn labels(&self, images: &[u32]) -> Vec<u32> {
        let labels = self.student.task().images.labels();
        images.iter().map(|&image| labels[image as usize]).collect()
    }
}

impl Faulty for ProxyError {
    fn fault(&self) -> Fault {
        match self {
            Self::Train(error) => error.fault(),
            Self::Score(error) => error.fault(),
            Self::Checkpoint(error) => error.fault(),
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::sync::Arc;

    use burn::tensor::{DType, TensorData};
    use pollster::block_on;

    use super::*;
    use crate::augment::{Augmentation, Layout, Normalise, normalise_into};
    use crate::data::{Grid, ImageSet};
    use crate::device::{self, Precision};
    use crate::model::NetworkKind;
    use crate::model::golden::bits;
    use crate::random::permutation;
    use crate::score::Dynamics;
    use crate::train::{Length, Preset, Schedule};

    const SAMPLES: usize = 70;
    const BATCH: usize = 16;
    const CLASSES: usize = 3;
    const SIDE: usize = 8;

    fn model() -> ModelConfig {
        ModelConfig {
            network: NetworkKind::ConvNet { width: 4 },
            classes: CLASSES,
            image_size: SIDE,
            precision: Precision::Full,
        }
    }

    fn config(lr: f64, epochs: usize) -> TrainConfig {
        let (length, horizon) = (Length::Epochs(epochs), Length::Epochs(2 * epochs));
        TrainConfig {
            lr,
            batch: BATCH,
            length,
            horizon,
            schedule: Schedule::Step,
            ..Preset::Small.settings().student
        }
    }

    fn task(augmentation: Augmentation) -> Task {
        let pixels = bits("proxy", SAMPLES * 3 * SIDE * SIDE).map(|x| (x >> 24) as u8).collect();
        let labels = bits("labels", SAMPLES).map(|x| x % CLASSES as u32).collect();
        let images = ImageSet::from_parts(SIDE as u32, pixels, labels).expect("a valid set");
        Task { images: Arc::new(images), grid: Grid::WHOLE, augmentation, normalise: Normalise::IMAGENET }
    }

    fn proxy(lr: f64, epochs: usize, augmentation: Augmentation, when: ScoringPass, seed: u64) -> Proxy {
        Proxy::new(&model(), config(lr, epochs), task(augmentation), when, seed, &Device::flex())
            .expect("a valid proxy")
    }

    /// The seed that a proxy draws from.
    fn own(seed: u64) -> u64 {
        seed_for(seed, Purpose::Proxy)
    }

    fn finish(mut proxy: Proxy) -> Proxy {
        while !proxy.finished() {
            block_on(proxy.advance()).expect("the CPU answers");
        }
        proxy
    }

    fn whole_images(task: &Task, images: &[u32], device: &Device) -> Tensor<4> {
        let mut pixels = vec![0.0; images.len() * 3 * SIDE * SIDE];
        normalise_into(&*task.images, images, &task.normalise, Layout::Nhwc, &mut pixels)
            .expect("memory does not fail");
        Tensor::from_data(TensorData::new(pixels, [images.len(), SIDE, SIDE, 3]), (device, DType::F32))
    }

    /// Every number of one epoch of the log, for one sample.
    fn recorded(log: &TrainingLog, epoch: u32, sample: u32) -> [f64; 5] {
        let el2n = f64::from(log.epoch_el2n(epoch)[sample as usize]);
        let (own, other) = (log.p_label(epoch, sample), log.p_other(epoch, sample));
        [
            el2n,
            f64::from(own),
            f64::from(other),
            f64::from(log.entropy(epoch, sample)),
            log.margin(epoch, sample),
        ]
    }

    fn expected(logits: &[f32], label: u32) -> [f64; 5] {
        let d = Dynamics::from_logits(logits, label);
        let margin = f64::from(d.p_label) - f64::from(d.p_other);
        [f64::from(d.el2n), f64::from(d.p_label), f64::from(d.p_other), f64::from(d.entropy), margin]
    }

    fn agree(got: [f64; 5], want: [f64; 5]) -> bool {
        got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6)
    }

    #[test]
    fn at_a_rate_that_moves_no_weight_the_log_is_the_dynamics_of_the_fresh_network_on_each_batch() {
        let seed = 4;
        // Rate 0 trains nothing and is refused.
        let log = finish(proxy(1e-30, 1, Augmentation::NONE, ScoringPass::Train, seed)).into_log();
        let (task, device) = (task(Augmentation::NONE), Device::flex());
        let own = own(seed);
        let mut network = model().init(own, &device).expect("a valid network");
        // Batch statistics: the order decides who is scored beside whom.
        for images in permutation(own, Purpose::Shuffle, 0, SAMPLES).chunks(BATCH) {
            let logits = network.forward_train(whole_images(&task, images, &device));
            let logits = block_on(device::read(logits)).expect("the CPU answers");
            for (row, &image) in logits.chunks(CLASSES).zip(images) {
                let want = expected(row, task.images.labels()[image as usize]);
                let got = recorded(&log, 0, image);
                assert!(agree(got, want), "sample {image}: {got:?}, {want:?}");
            }
        }
    }

    #[test]
    fn a_proxy_has_nothing_in_common_with_a_student_of_its_seed() {
        let (config, device) = (config(0.02, 2), Device::flex());
        let mut proxy = proxy(0.02, 2, Augmentation::default(), ScoringPass::Train, 4);
        let mut student = Student::new(&model(), config, task(Augmentation::default()), 4, &device)
            .expect("a valid student");
        let weights =
            |student: &Student| block_on(crate::model::state(&student.network())).expect("the CPU answers");
        let drawn = |name: &str| name.ends_with(".weight");
        let mut compared = 0;
        for (of_proxy, of_student) in weights(proxy.student()).iter().zip(&weights(&student)) {
            // Weights of a norm are all 1.
            if drawn(&of_proxy.name) && of_proxy.shape.len() > 1 {
                assert_ne!(of_proxy.values, of_student.values, "{}", of_proxy.name);
                compared += 1;
            }
        }
        assert!(compared > 1, "{compared} tensors are drawn");
        let first = proxy.student.step().expect("memory does not fail").images.to_vec();
        let step = student.step().expect("memory does not fail");
        assert_ne!(first, step.images, "the order of the first epoch");
        // The options that decide the views are part of the fingerprint of a run.
        let aside = block_on(proxy.student.checkpoint()).expect("the CPU answers");
        assert!(matches!(student.restore(&aside), Err(CheckpointError::OtherRun)));
    }

    #[test]
    fn scoring_after_an_epoch_records_the_evaluation_logits_of_that_moment() {
        let mut proxy = proxy(0.02, 2, Augmentation::default(), ScoringPass::Eval, 4);
        let per_epoch = SAMPLES.div_ceil(BATCH);
        let mut moments = Vec::new();
        // The same student without a log, stopped after each epoch.
        let mut student =
            Student::new(&model(), config(0.02, 2), task(Augmentation::default()), own(4), &Device::flex())
                .expect("a valid student");
        for _ in 0..2 {
            block_on(student.advance(per_epoch)).expect("the CPU answers");
            moments.push(student.network());
        }
        proxy = finish(proxy);
        let (task, device) = (task(Augmentation::NONE), Device::flex());
        let all: Vec<u32> = (0..SAMPLES as u32).collect();
        let mut epochs = Vec::new();
        for (epoch, network) in moments.iter_mut().enumerate() {
            let logits = network.forward_eval(whole_images(&task, &all, &device));
            let logits = block_on(device::read(logits)).expect("the CPU answers");
            for (row, &image) in logits.chunks(CLASSES).zip(&all) {
                let want = expected(row, task.images.labels()[image as usize]);
                let got = recorded(proxy.log(), epoch as u32, image);
                assert!(agree(got, want), "epoch {epoch}, sample {image}: {got:?}, {want:?}");
            }
            epochs.push(logits);
        }
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn every_sample_is_recorded_once_in_every_epoch() {
        // Seven epochs of five steps: a reading of sixteen steps begins and ends inside an epoch.
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let mut proxy = proxy(0.02, 7, Augmentation::default(), when, 4);
            block_on(proxy.advance()).expect("the CPU answers");
            assert_eq!(proxy.student().steps_made(), READ_EVERY);
            assert!(!proxy.finished());
            proxy.log().check_complete(0..3).expect("three whole epochs");
            proxy.log().check_complete(0..4).expect_err("the fourth has begun at most");
            // A sample recorded twice would be an error here.
            let proxy = finish(proxy);
            assert_eq!((proxy.log().epochs(), proxy.log().samples()), (7, SAMPLES as u32));
            proxy.log().check_complete(0..7).expect("all epochs");
        }
    }

    #[test]
    fn the_whole_softmax_has_the_el2n_of_the_log() {
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let mut proxy = proxy(0.02, 3, Augmentation::default(), when, 4);
            proxy.keep_softmax();
            let proxy = finish(proxy);
            for epoch in 0..3 {
                let softmax =
                    proxy.softmax().expect("it is kept").epoch(epoch).expect("every sample is recorded");
                let el2n = proxy.log().epoch_el2n(epoch);
                for (sample, row) in softmax.chunks(CLASSES).enumerate() {
                    let label = proxy.labels(&[sample as u32])[0] as usize;
                    let squares =
                        row.iter().enumerate().map(|(c, p)| (p - f32::from(u8::from(c == label))).powi(2));
                    let norm = squares.sum::<f32>().sqrt();
                    assert!((norm - el2n[sample]).abs() < 1e-5, "{norm} should be {}", el2n[sample]);
                }
            }
        }
    }

    #[test]
    fn a_proxy_put_aside_ends_with_the_log_of_an_uninterrupted_one() {
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let fresh = || proxy(0.02, 3, Augmentation::default(), when, 4);
            let whole = finish(fresh()).into_log().to_bytes();
            let mut first = fresh();
            block_on(first.advance_by(7)).expect("the CPU answers");
            assert_eq!(first.student().steps_made(), 7);
            let bytes = block_on(first.checkpoint()).expect("the CPU answers");
            let mut second = fresh();
            second.restore(&bytes).expect("its own checkpoint");
            assert_eq!(finish(second).into_log().to_bytes(), whole, "{when:?}");
            let other = if when == ScoringPass::Train { ScoringPass::Eval } else { ScoringPass::Train };
            let mut other = proxy(0.02, 3, Augmentation::default(), other, 4);
            assert!(matches!(other.restore(&bytes), Err(ProxyError::Checkpoint(CheckpointError::OtherRun))));
        }
    }

    #[test]
    fn a_proxy_stopped_at_any_moment_ends_with_the_log_of_an_uninterrupted_one() {
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let fresh = || proxy(0.02, 2, Augmentation::default(), when, 4);
            let whole = finish(fresh()).into_log().to_bytes();
            // Five steps an epoch and, after each, a pass in two parts: also between those it may be stopped.
            for moment in 0..15 {
                let (mut first, asked) = (fresh(), std::cell::Cell::new(0));
                let go_on = || asked.replace(asked.get() + 1) < moment;
                block_on(first.advance_while(READ_EVERY, &go_on)).expect("the CPU answers");
                let bytes = block_on(first.checkpoint()).expect("the CPU answers");
                let mut second = fresh();
                second.restore(&bytes).expect("its own checkpoint");
                assert_eq!(second.student().steps_made(), first.student().steps_made());
                assert_eq!(finish(second).into_log().to_bytes(), whole, "{when:?}, {moment}");
                // The one that was stopped may go on by itself, too.
                assert_eq!(finish(first).into_log().to_bytes(), whole, "{when:?}, {moment}");
            }
        }
    }

    #[test]
    fn recording_leaves_the_training_as_it_is() {
        let weights =
            |student: &Student| block_on(crate::model::state(&student.network())).expect("the CPU answers");
        let mut plain =
            Student::new(&model(), config(0.02, 3), task(Augmentation::default()), own(4), &Device::flex())
                .expect("a valid student");
        block_on(plain.advance(usize::MAX)).expect("the CPU answers");
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let proxy = finish(proxy(0.02, 3, Augmentation::default(), when, 4));
            assert_eq!(weights(proxy.student()), weights(&plain));
        }
    }

    #[test]
    fn a_seed_decides_the_log_and_the_number_of_threads_does_not() {
        for when in [ScoringPass::Train, ScoringPass::Eval] {
            let log = |seed, threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                pool.install(|| {
                    finish(proxy(0.02, 3, Augmentation::default(), when, seed)).into_log().to_bytes()
                })
            };
            let one = log(4, 1);
            assert_eq!(one, log(4, 1));
            assert_eq!(one, log(4, 2), "{when:?}: threads");
            assert_ne!(one, log(5, 1));
        }
    }
}
