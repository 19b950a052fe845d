//! Tests of the training loop against PyTorch (`tests/golden/model.py`), and of stopping and continuing it at any step.

use std::sync::Arc;

use burn::tensor::{DType, TensorData};
use pollster::block_on;
use serde::Deserialize;

use super::*;
use crate::augment::{Augmentation, Crop, Mix, MixKind, Normalise, Planner, View};
use crate::data::{Grid, Image, ImageSet, Pictures, Rect, Streaming};
use crate::device::{self, Precision};
use crate::model::golden::{self, CONVNET, bits, distance, golden, numbers};
use crate::model::{Architecture, Choices, NetworkKind, StateTensor, Stem, state};
use crate::train::checkpoint::CheckpointError;
use crate::train::config::{Decay, Length, Optimizer, Schedule};
use crate::train::progress::Times;

const SIDE: usize = 16;
const CLASSES: usize = 4;

pub(in crate::train) fn model() -> ModelConfig {
    of(Architecture::ConvNet, Stem::ImageNet)
}

/// A small network.
pub(in crate::train) fn of(architecture: Architecture, stem: Stem) -> ModelConfig {
    let network = architecture.with(Choices { width: 8, stem });
    ModelConfig { network, classes: CLASSES, image_size: SIDE, precision: Precision::Full }
}

/// The small ConvNet in another width.
pub(in crate::train) fn wide(width: usize) -> ModelConfig {
    ModelConfig { network: NetworkKind::ConvNet { width }, ..model() }
}

pub(in crate::train) fn task(count: usize, augmentation: Augmentation) -> Task {
    let pixels = bits("pixels", count * 3 * SIDE * SIDE).map(|x| (x >> 24) as u8).collect();
    let labels = (0..count as u32).map(|image| image * 3 % CLASSES as u32).collect();
    let images = ImageSet::from_parts(SIDE as u32, pixels, labels).expect("a valid set");
    Task { images: Arc::new(images), grid: Grid::WHOLE, augmentation, normalise: Normalise::IMAGENET }
}

/// A policy with every random choice: crops, flips and mixed labels.
pub(in crate::train) fn lively() -> Augmentation {
    let mix = Some(MixKind::CutMix { alpha: 1.0 });
    Augmentation { crop: Crop::Global { min_scale: 0.25 }, flip: true, cutout: None, mix }
}

pub(in crate::train) fn config(steps: usize) -> TrainConfig {
    TrainConfig {
        optimizer: Optimizer::AdamW,
        lr: 0.01,
        weight_decay: 0.01,
        decay: Decay::Weights,
        batch: 10,
        length: Length::Steps(steps),
        horizon: Length::Steps(steps),
        eta_min: 0.0,
        schedule: Schedule::Step,
    }
}

fn student(steps: usize, augmentation: Augmentation, seed: u64) -> Student {
    Student::new(&model(), config(steps), task(24, augmentation), seed, &Device::flex())
        .expect("a valid student")
}

pub(in crate::train) fn weights(student: &Student) -> Vec<StateTensor> {
    block_on(state(&student.network())).expect("the CPU answers")
}

#[derive(Deserialize)]
struct Run {
    #[serde(deserialize_with = "golden::config")]
    config: ModelConfig,
    optimizer: Optimizer,
    lr: f64,
    weight_decay: f64,
    decay: Decay,
    eta_min: f64,
    steps: usize,
    horizon: usize,
    images: usize,
    batch: usize,
    seed: u64,
    losses: Vec<f32>,
}

/// Eight steps over three epochs whose last batch is smaller, in the order the program draws. Plain
/// float32 PyTorch is 5e-7 (losses) and 1e-5 (weights) away from these numbers.
#[test]
fn adamw_and_sgd_make_the_steps_of_pytorch() {
    let runs: Vec<Run> = golden("runs");
    let ends: [&[u8]; 3] = [
        include_bytes!("../../../tests/golden/model_adamw.safetensors"),
        include_bytes!("../../../tests/golden/model_sgd.safetensors"),
        include_bytes!("../../../tests/golden/model_sgd-all.safetensors"),
    ];
    assert_eq!(runs.len(), ends.len());
    for (run, end) in runs.iter().zip(ends) {
        let config = TrainConfig {
            optimizer: run.optimizer,
            lr: run.lr,
            weight_decay: run.weight_decay,
            decay: run.decay,
            batch: run.batch,
            length: Length::Steps(run.steps),
            horizon: Length::Steps(run.horizon),
            eta_min: run.eta_min,
            schedule: Schedule::Step,
        };
        let task = task(run.images, Augmentation::NONE);
        let mut student =
            Student::new(&run.config, config, task, run.seed, &Device::flex()).expect("a valid student");
        student.network.load_safetensors(CONVNET).expect("the file fits");
        for _ in 0..run.steps {
            block_on(student.advance(1)).expect("the CPU answers");
        }
        let losses: Vec<f32> = student.curve().iter().map(|point| point.loss).collect();
        let error = distance(&losses, &run.losses, 1.0);
        assert!(error < 1e-5, "{:?} of {:?}: losses are {error:e} off: {losses:?}", run.optimizer, run.decay);

        let mut expected = run.config.init(0, &Device::flex()).expect("a valid network");
        expected.load_safetensors(end).expect("the file fits");
        let expected = block_on(state(&expected)).expect("the CPU answers");
        for (got, want) in weights(&student).iter().zip(&expected) {
            let error = distance(&got.values, &want.values, 0.0);
            assert!(error < 1e-4, "{:?} of {:?}: {} is {error:e} off", run.optimizer, run.decay, want.name);
        }
    }
}

#[test]
fn a_student_can_be_put_aside_after_any_step() {
    let steps = 11;
    let mut whole = student(steps, lively(), 1);
    block_on(whole.advance(usize::MAX)).expect("the CPU answers");
    let mut single = student(steps, lively(), 1);
    let mut uneven = student(steps, lively(), 1);
    for chunk in [1; 11] {
        block_on(single.advance(chunk)).expect("the CPU answers");
    }
    for chunk in [3, 0, 1, 5, 100] {
        block_on(uneven.advance(chunk)).expect("the CPU answers");
    }
    let mean = |student: &Student| {
        let mut before = 0;
        let total: f64 = student
            .curve()
            .iter()
            .map(|point| {
                let made = point.step - std::mem::replace(&mut before, point.step);
                made as f64 * f64::from(point.loss)
            })
            .sum();
        total / steps as f64
    };
    for other in [&single, &uneven] {
        assert!(other.finished());
        assert_eq!(weights(other), weights(&whole));
        assert_eq!(other.curve().last().map(|point| point.step), Some(steps));
        assert!((mean(other) - mean(&whole)).abs() < 1e-6);
    }
    let points: Vec<usize> = uneven.curve().iter().map(|point| point.step).collect();
    assert_eq!(points, [3, 4, 9, 11]);
    // A finished student does not change.
    block_on(whole.advance(5)).expect("nothing to do");
    assert_eq!((whole.steps_made(), whole.curve().len()), (steps, 1));
}

#[test]
fn a_bias_in_front_of_an_instance_norm_stays_where_it_began() {
    let model = of(Architecture::ConvNetD, Stem::ImageNet);
    let mut student = Student::new(&model, config(5), task(24, lively()), 2, &Device::flex()).expect("valid");
    let before = weights(&student);
    block_on(student.advance(5)).expect("trains");
    let after = weights(&student);
    // Each fourth layer of the features is a convolution.
    let stays = |name: &str| match name.split('.').collect::<Vec<_>>()[..] {
        ["features", layer, "bias"] => layer.parse::<usize>().is_ok_and(|layer| layer.is_multiple_of(4)),
        _ => false,
    };
    assert_eq!(before.iter().filter(|tensor| stays(&tensor.name)).count(), model.depth());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before == after, stays(&before.name), "{}", before.name);
    }
}

#[test]
fn the_number_of_threads_changes_no_weight() {
    // Large enough for the CPU backend to split convolutions and sums between threads.
    let model = ModelConfig { image_size: 32, ..wide(32) };
    let config = TrainConfig { batch: 50, ..config(2) };
    let pixels = bits("pixels", 50 * 3 * 32 * 32).map(|x| (x >> 24) as u8).collect();
    let images = ImageSet::from_parts(32, pixels, [0, 1, 2, 3, 1].repeat(10)).expect("a valid set");
    let task = Task { images: Arc::new(images), ..task(1, lively()) };
    let trained = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut student =
                Student::new(&model, config, task.clone(), 1, &Device::flex()).expect("a valid student");
            block_on(student.advance(2)).expect("the CPU answers");
            (weights(&student), student.curve().to_vec())
        })
    };
    let one = trained(1);
    assert_eq!(one, trained(2));
    assert_eq!(one, trained(3));
}

/// −ln softmax(row)_label and its gradient, in double precision.
fn by_hand(row: &[f32], label: usize) -> (f64, Vec<f64>) {
    let sum: f64 = row.iter().map(|&z| f64::from(z).exp()).sum();
    let gradient = row
        .iter()
        .enumerate()
        .map(|(class, &z)| f64::from(z).exp() / sum - f64::from(u8::from(class == label)));
    (sum.ln() - f64::from(row[label]), gradient.collect())
}

fn views(augmentation: Augmentation, images: &[u32]) -> Vec<View> {
    let mut views = Vec::new();
    let planner = Planner::new(augmentation, Grid::WHOLE, SIDE as u32, 1).expect("a valid plan");
    planner.plan(0, 0, images, &mut views);
    views
}

#[test]
fn a_mixed_view_pays_for_both_labels_by_their_share() {
    let images = [5u32, 0, 2, 7, 11, 3];
    let partners = [2u32, 1, 0, 5, 3, 4];
    let rows = numbers("logits", images.len() * CLASSES, 0.0, 3.0);
    let region = Rect { x: 2, y: 3, width: 8, height: 12 };
    for (lambda, region) in [(0.3f32, None), (1.0, None), (0.0, None), (1.0 - 96.0 / 256.0, Some(region))] {
        let mut views = views(lively(), &images);
        for (view, &other) in views.iter_mut().zip(&partners) {
            view.mix = Some(Mix { other, lambda, region });
        }
        let device = Device::flex().autodiff();
        let data = TensorData::new(rows.clone(), [images.len(), CLASSES]);
        let logits = Tensor::<2>::from_data(data, (&device, DType::F32)).require_grad();
        let batch = Batch { epoch: 0, images: images.to_vec(), views, pixels: None };
        let targets = targets(&batch, task(24, lively()).images.labels(), batch.images.len());
        let loss = mixed_cross_entropy(logits.clone(), &targets);
        let gradient = logits.grad(&loss.clone().backward()).expect("the logits are tracked");
        let loss: f32 = block_on(device::read(loss)).expect("the CPU answers").iter().sum();
        let gradient = block_on(device::read(gradient)).expect("the CPU answers");

        let label = |place: usize| (images[place] * 3 % CLASSES as u32) as usize;
        let (share, count) = (f64::from(lambda), images.len() as f64);
        let (mut want_loss, mut want_gradient) = (0.0, Vec::new());
        for (place, row) in rows.chunks(CLASSES).enumerate() {
            let (own, own_gradient) = by_hand(row, label(place));
            let (other, other_gradient) = by_hand(row, label(partners[place] as usize));
            want_loss += (share * own + (1.0 - share) * other) / count;
            let pairs = own_gradient.iter().zip(other_gradient);
            want_gradient.extend(pairs.map(|(a, b)| ((share * a + (1.0 - share) * b) / count) as f32));
        }
        assert!((f64::from(loss) - want_loss).abs() < 1e-6 * want_loss, "{lambda}: {loss}, {want_loss}");
        let error = distance(&gradient, &want_gradient, 0.0);
        assert!(error < 1e-6, "{lambda}: the gradient is {error:e} off");
    }
}

#[test]
fn an_unmixed_batch_pays_its_mean_cross_entropy() {
    let images = [5u32, 0, 2];
    let rows = numbers("logits", images.len() * CLASSES, 0.0, 3.0);
    let (task, views) = (task(24, Augmentation::NONE), views(Augmentation::NONE, &images));
    let logits = TensorData::new(rows.clone(), [images.len(), CLASSES]);
    let device = Device::flex().autodiff();
    let logits = Tensor::from_data(logits, (&device, DType::F32));
    let batch = Batch { epoch: 0, images: images.to_vec(), views, pixels: None };
    let loss = mixed_cross_entropy(logits, &targets(&batch, task.images.labels(), batch.images.len()));
    let loss: f32 = block_on(device::read(loss)).expect("the CPU answers").iter().sum();
    let each = rows.chunks(CLASSES).zip(images);
    let want: f64 = each.map(|(row, image)| by_hand(row, (image * 3 % 4) as usize).0).sum::<f64>() / 3.0;
    assert!((f64::from(loss) - want).abs() < 1e-6 * want, "{loss}, {want}");
}

#[test]
fn a_loss_that_is_no_number_is_an_error_that_names_the_step() {
    let config = TrainConfig { lr: 1e30, ..config(6) };
    let task = task(24, Augmentation::NONE);
    let mut student = Student::new(&model(), config, task, 1, &Device::flex()).expect("a valid student");
    let error = block_on(student.advance(6)).expect_err("it diverges");
    assert!(matches!(error, TrainError::Diverged { step: 6, .. }), "{error}");
    assert!(error.to_string().contains("lower `lr`"), "{error}");
}

/// A task whose images are read when they are wanted, all or up to one.
fn streaming(broken: Option<usize>) -> Task {
    let pixels = bits("pixels", 24 * 3 * SIDE * SIDE).map(|x| (x >> 24) as u8).collect();
    let labels = (0..24).map(|image| image * 3 % CLASSES as u32).collect();
    let images = ImageSet::from_parts(SIDE as u32, pixels, labels).expect("a valid set");
    Task { images: Arc::new(Streaming { images, broken }), ..task(0, lively()) }
}

#[test]
fn images_read_when_they_are_wanted_teach_what_those_in_memory_do() {
    let mut memory = student(7, lively(), 1);
    let mut other =
        Student::new(&model(), config(7), streaming(None), 1, &Device::flex()).expect("a valid student");
    block_on(memory.advance(4)).expect("the CPU answers");
    block_on(other.advance(4)).expect("the CPU answers");
    let aside = block_on(memory.checkpoint()).expect("the CPU answers");
    assert_eq!(block_on(other.checkpoint()).expect("the CPU answers"), aside);
    block_on(other.advance(3)).expect("the CPU answers");
    memory.restore(&aside).expect("its own checkpoint");
    block_on(memory.advance(3)).expect("the CPU answers");
    assert_eq!(weights(&memory), weights(&other));
}

#[test]
fn an_image_that_cannot_be_had_is_an_error_of_its_step_and_leaves_the_student_before_it() {
    let mut student =
        Student::new(&model(), config(3), streaming(Some(20)), 1, &Device::flex()).expect("a valid student");
    // Three batches are an epoch, and have all images.
    let error = block_on(student.advance(3)).expect_err("four images are broken");
    assert!(matches!(error, TrainError::Data(_)), "{error}");
    let made = student.steps_made();
    assert!(made < 3);
    assert!(block_on(student.advance(1)).is_err());
    assert_eq!(student.steps_made(), made);
}

#[test]
fn batches_that_are_made_ahead_are_those_of_their_steps_on_any_number_of_threads() {
    let mut plain = student(11, lively(), 1);
    block_on(plain.advance(11)).expect("the CPU answers");
    for (threads, ahead) in [(1, 1), (1, 5), (3, 1), (3, 5)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let begin = || {
                let mut student = Student::new(&model(), config(11), streaming(None), 1, &Device::flex())
                    .expect("a valid student");
                student.progress.ahead = ahead;
                student
            };
            let mut first = begin();
            // Within the second epoch, with batches begun that nobody takes.
            block_on(first.advance(4)).expect("the CPU answers");
            let aside = block_on(first.checkpoint()).expect("the CPU answers");
            let mut second = begin();
            block_on(second.advance(1)).expect("the CPU answers");
            second.restore(&aside).expect("its own checkpoint");
            block_on(second.advance(7)).expect("the CPU answers");
            assert_eq!(weights(&second), weights(&plain), "{threads} threads, {ahead} ahead");
            assert!(second.progress.coming.is_empty(), "none is begun beyond the last step");
        });
    }
}

#[test]
fn an_image_that_cannot_be_had_ends_no_earlier_step_than_its_own_where_batches_are_made_ahead() {
    let make = |ahead| {
        let mut student = Student::new(&model(), config(3), streaming(Some(20)), 1, &Device::flex())
            .expect("a valid student");
        student.progress.ahead = ahead;
        let error = block_on(student.advance(3)).expect_err("four images are broken");
        assert!(block_on(student.advance(1)).is_err(), "again");
        (student.steps_made(), error.to_string())
    };
    assert_eq!(make(0), make(3));
}

#[test]
fn waiting_and_copying_are_timed_where_there_is_a_clock() {
    /// Each reading is a second after the one before.
    fn ticks() -> f64 {
        use std::sync::atomic::{AtomicU32, Ordering};
        static TICKS: AtomicU32 = AtomicU32::new(0);
        f64::from(TICKS.fetch_add(1, Ordering::Relaxed))
    }
    let mut student = student(3, lively(), 1);
    block_on(student.advance(1)).expect("the CPU answers");
    assert_eq!(student.times(), Times::default());
    student.time_by(ticks);
    block_on(student.advance(2)).expect("the CPU answers");
    // Before and after the batch is taken, after it is copied, after the step, after the next batch is made.
    assert_eq!(student.times(), Times { wait: 4.0, copy: 2.0 });
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let made = Student::new(&model(), config(1), task(0, Augmentation::NONE), 1, &Device::flex());
    assert!(matches!(made.err(), Some(TrainError::Empty)));
}

/// Crops, flips and mixing are cut on the GPU, too, and the CPU's convolutions of this width are made in squares. Rounding
/// differs, and AdamW makes much of small differences.
#[test]
#[cfg(feature = "wgpu")]
fn a_gpu_trains_a_student_as_the_cpu_does() {
    let Some(gpu) = crate::device::testing::wgpu() else { return };
    let losses = |device: &Device| {
        let config = TrainConfig { lr: 0.002, ..config(12) };
        let mut student =
            Student::new(&model(), config, task(24, lively()), 1, device).expect("a valid student");
        while !student.finished() {
            block_on(student.advance(1)).expect("the device answers");
        }
        student.curve().iter().map(|point| point.loss).collect::<Vec<_>>()
    };
    let (on_gpu, on_cpu) = (losses(&gpu), losses(&Device::flex()));
    let error = distance(&on_gpu, &on_cpu, 1.0);
    assert!(error < 1e-3, "losses are {error:e} apart: {on_gpu:?}, {on_cpu:?}");
}

/// The same steps with products in mixed precision: losses differ by rounding only, and fall as in full precision. A
/// checkpoint of one precision is refused by the other.
#[test]
#[cfg(feature = "wgpu")]
fn mixed_precision_trains_a_student_as_full_precision_does() {
    let Some((gpu, _)) = crate::device::testing::matrix_units() else { return };
    // AdamW's first step depends only on the signs of gradients, and a ResNet on such small images has many near zero.
    for (architecture, optimizer, steps, tolerance) in [
        (Architecture::ConvNet, Optimizer::AdamW, 12, 1e-3),
        (Architecture::ResNet18, Optimizer::Sgd, 5, 1e-2),
    ] {
        let train = |precision| {
            let config = TrainConfig { optimizer, lr: 0.002, ..config(steps) };
            let model = ModelConfig { precision, ..of(architecture, Stem::Small) };
            let mut student =
                Student::new(&model, config, task(24, lively()), 1, &gpu).expect("a valid student");
            while !student.finished() {
                block_on(student.advance(1)).expect("the device answers");
            }
            student
        };
        let (mut full, mut mixed) = (train(Precision::Full), train(Precision::Mixed));
        let losses = |student: &Student| student.curve().iter().map(|point| point.loss).collect::<Vec<_>>();
        let error = distance(&losses(&mixed), &losses(&full), 1.0);
        assert!(error < tolerance, "{architecture}: losses are {error:e} apart");
        assert!(error > 1e-6, "{architecture}: {error:e}: these are no halves");
        let left = block_on(mixed.checkpoint()).expect("the device answers");
        assert!(matches!(full.restore(&left), Err(crate::train::CheckpointError::OtherRun)));
    }
}

/// Students of the same images, of which one lends the images themselves for views, at a width of their own.
fn student_of_pictures(width: usize) -> Student {
    let squares = task(24, lively());
    let picture = |image: usize| {
        let pixels = squares.images.fetch(image, &mut Vec::new()).expect("memory does not fail").to_vec();
        // Rows of `width` pixels, which begin as those of the square.
        let rows = pixels.chunks(3 * SIDE);
        let pixels = rows.flat_map(|row| row.iter().copied().cycle().take(3 * width).collect::<Vec<_>>());
        Image::new(width as u32, SIDE as u32, pixels.collect()).expect("a whole image")
    };
    let pictures =
        Pictures::new(SIDE as u32, (0..24).map(picture).collect(), squares.images.labels().to_vec());
    let task = Task { images: Arc::new(pictures), ..squares };
    Student::new(&model(), config(8), task, 3, &Device::flex()).expect("a valid student")
}

#[test]
fn a_student_learns_from_views_of_the_images_themselves_where_its_source_says_so() {
    let ends = |mut student: Student| {
        block_on(student.advance(8)).expect("memory does not fail");
        weights(&student)
    };
    let squares = ends(student(8, lively(), 3));
    // An image of the side is its own square copy, bit for bit.
    assert_eq!(ends(student_of_pictures(SIDE)), squares);
    assert_ne!(ends(student_of_pictures(3 * SIDE)), squares);
}

#[test]
fn a_training_by_views_of_squares_is_not_continued_by_views_of_images_nor_the_other_way_round() {
    let (mut of_squares, mut of_images) = (student(8, lively(), 3), student_of_pictures(SIDE));
    for student in [&mut of_squares, &mut of_images] {
        block_on(student.advance(2)).expect("memory does not fail");
    }
    let saved = [&mut of_squares, &mut of_images]
        .map(|student| block_on(student.checkpoint()).expect("the CPU answers"));
    let refused = [of_squares.restore(&saved[1]), of_images.restore(&saved[0])];
    assert!(refused.iter().all(|refused| matches!(refused, Err(CheckpointError::OtherRun))), "{refused:?}");
    of_images.restore(&saved[1]).expect("its own");
    of_squares.restore(&saved[0]).expect("its own");
}
