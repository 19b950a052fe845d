//! Every operation that a network runs on a device, on small random operands, against the same on the CPU.

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::error::CheckError;
use crate::augment::{Augmentation, Executor, Layout as Order, Normalise, Planner};
use crate::data::{Grid, ImageSet};
use crate::device::{Precision, read, upload};
use crate::kernel::average_pool::average_pool;
use crate::kernel::block::{Form, Norm, Normed, Operands, Pooling, block_eval, block_train};
use crate::kernel::convolution::{Window, convolution};
use crate::kernel::copy::{joined, part};
use crate::kernel::cross_entropy::{Target, mixed_cross_entropy};
use crate::kernel::dynamics::dynamics;
use crate::kernel::max_pool::{PoolWindow, max_pool};
use crate::kernel::reshape::reshape;
use crate::kernel::update::{AdamW, Sgd, adamw, running, sgd};
use crate::random::{Purpose, Stream};
use crate::train::resident::Resident;

/// The values of each operation's results, those of one student after those of the other.
type Results = Vec<Vec<f32>>;

/// Number of students whose operands are drawn; a GPU computes on all of them in one launch, as it trains a cohort.
const STUDENTS: usize = 2;

/// Random operands, the same on every device, of some of the [`STUDENTS`].
struct Operand<'a> {
    device: &'a Device,
    students: Range<usize>,
    stream: Stream,
}

impl<'a> Operand<'a> {
    fn new(device: &'a Device, students: &Range<usize>, seed: u64) -> Self {
        Self { device, students: students.clone(), stream: Stream::new(seed, Purpose::Test, 0, 0) }
    }

    /// Operands of this shape for each student, one after the other along the first dimension.
    fn next<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        self.of(shape, |x| x)
    }

    /// An operand of this shape whose values are `of` applied to random numbers.
    fn of<const D: usize>(&mut self, mut shape: [usize; D], of: impl Fn(f32) -> f32) -> Tensor<D> {
        let each = shape.iter().product::<usize>();
        let mut all = (0..STUDENTS * each).map(|_| of(self.stream.normal() as f32)).collect::<Vec<f32>>();
        all.truncate(self.students.end * each);
        let values = all.split_off(self.students.start * each);
        shape[0] *= self.students.len();
        upload::floats(TensorData::new(values, shape), self.device)
    }
}

/// The largest difference of a result on `device` from that on the CPU, relative to the largest number of the result.
pub(super) async fn error(device: &Device) -> Result<f64, CheckError> {
    let mut worst = views(device).await?;
    let cpu = Device::flex();
    let mut expected = Results::new();
    for student in 0..STUDENTS {
        let own = results(&cpu, student..student + 1).await?;
        expected.resize(own.len(), Vec::new());
        expected.iter_mut().zip(own).for_each(|(all, own)| all.extend(own));
        // A student that trains alone, and all of them in one launch.
        let found = results(device, 0..student + 1).await?;
        for (found, expected) in found.iter().zip(&expected) {
            worst = worst.max(difference(found, expected));
        }
    }
    Ok(worst)
}

fn difference(found: &[f32], expected: &[f32]) -> f64 {
    let size = expected.iter().fold(1e-3f32, |most, v| most.max(v.abs()));
    let most = found.iter().zip(expected).fold(0.0f32, |most, (a, b)| {
        let error = (a - b).abs();
        // A NaN would pass `max` unseen.
        if error <= most { most } else { error }
    });
    if found.len() == expected.len() && most.is_finite() { f64::from(most / size) } else { f64::INFINITY }
}

async fn results(device: &Device, students: Range<usize>) -> Result<Results, CheckError> {
    let mut found = Vec::new();
    let count = students.len();
    let (batch, instance) = (Norm::Batch, Norm::Instance);
    for (images, output, kernel, stride, norm, relu, pool, shortcut) in [
        ([3, 9, 10, 3], 8, 3, 1, batch, true, Pooling::Max, false),
        ([2, 8, 8, 32], 36, 3, 1, batch, true, Pooling::None, true),
        ([2, 7, 7, 64], 64, 3, 2, batch, true, Pooling::None, false),
        ([2, 6, 6, 8], 16, 1, 2, batch, false, Pooling::None, false),
        ([1, 12, 12, 3], 7, 7, 2, batch, true, Pooling::None, false),
        // Small images, gone through place by place; more of them than a tile has rows.
        ([70, 2, 2, 12], 40, 3, 1, batch, true, Pooling::None, false),
        // Images of one part and of several; an odd edge.
        ([3, 9, 10, 3], 8, 3, 1, instance, true, Pooling::Average, false),
        ([2, 24, 24, 3], 7, 3, 1, instance, true, Pooling::Average, false),
    ] {
        let window = Window { stride, padding: kernel / 2, students: count, precision: Precision::Full };
        let form = Form { window, relu, pool };
        blocks(device, &students, images, output, kernel, (norm, form), shortcut, &mut found).await?;
    }
    let autodiff = device.clone().autodiff();
    let mut operand = Operand::new(&autodiff, &students, 12);
    let images = operand.next([2, 7, 9, 5]).require_grad();
    let pooled = max_pool(images.clone(), PoolWindow { kernel: 3, stride: 2, padding: 1 });
    let gradients = loss(&pooled, count).backward();
    found.push(read(pooled).await?);
    found.push(gradient(&images, &gradients).await?);

    // The second makes logits.
    for (images, outputs, kernel) in [([2, 6, 5, 3], 6, 3), ([6, 1, 1, 20], 10, 1)] {
        let weights = operand.next([outputs, images[3], kernel, kernel]).require_grad();
        let (images, bias) = (operand.next(images).require_grad(), operand.next([outputs]).require_grad());
        let window = Window { stride: 1, padding: kernel / 2, students: count, precision: Precision::Full };
        let output = convolution(images.clone(), weights.clone(), bias.clone(), window);
        let gradients = loss(&output, count).backward();
        found.push(read(output).await?);
        found.push(gradient(&images, &gradients).await?);
        found.push(gradient(&weights, &gradients).await?);
        found.push(gradient(&bias, &gradients).await?);
    }

    let images = operand.next([3, 5, 4, 6]).require_grad();
    let means = average_pool(images.clone(), [5, 4]);
    let gradients = loss(&means, count).backward();
    found.extend([read(means).await?, gradient(&images, &gradients).await?]);

    let mut operand = Operand::new(device, &students, 13);
    let length = 77;
    let constants =
        AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, keep: 0.99, rate: 0.01, correction: 3.0 };
    let (parameter, step) = (operand.next([length]), operand.next([length]));
    let moments = [operand.next([length]), operand.of([length], |x| x * x)];
    let (parameter, [first, second]) = adamw(parameter, step.clone(), moments, constants);
    found.extend([read(parameter.clone()).await?, read(first).await?, read(second).await?]);
    let constants = Sgd { momentum: 0.9, decay: 0.01, rate: 0.1 };
    let (parameter, velocity) = sgd(parameter, step, operand.next([length]), constants);
    let batch = [operand.next([length]), operand.next([length])];
    let [mean, variance] = running([parameter.clone(), velocity.clone()], batch, 0.9, (0.3, 0.4));
    found.extend([read(mean).await?, read(variance).await?]);
    // A cohort's gradients and parameters are laid one after the other, and cut apart.
    let middle = count * length / 2;
    let parts = [part(velocity.clone(), middle..count * length), part(velocity, 0..middle)];
    let [after, before] = parts;
    found.extend([read(parameter).await?, read(joined(vec![before, after])).await?]);

    let labels: Vec<u32> = students.flat_map(|_| 0..9).collect();
    found.push(read(dynamics(operand.of([9, 40], |x| 5.0 * x), &labels)).await?);
    Ok(found)
}

/// Each student's share of a loss whose gradient differs from value to value: of every pixel as logits, against one class
/// after the other.
fn loss(output: &Tensor<4>, students: usize) -> Tensor<1> {
    let [batch, height, width, channels] = output.dims();
    let (pixels, each) = (batch * height * width, batch / students * height * width);
    let target = |pixel: usize| {
        let own = (pixel % each % channels) as u32;
        Target { own, other: own, own_share: 1.0 / each as f32, other_share: 0.0 }
    };
    let targets: Vec<Target> = (0..pixels).map(target).collect();
    mixed_cross_entropy(reshape(output.clone(), [pixels, channels]), &targets)
}

async fn gradient<const D: usize>(
    of: &Tensor<D>,
    gradients: &burn::tensor::Gradients,
) -> Result<Vec<f32>, CheckError> {
    match of.grad(gradients) {
        Some(gradient) => Ok(read(gradient).await?),
        None => Ok(vec![f32::NAN]),
    }
}

/// A block in training and in evaluation, and the gradients of its operands.
#[allow(clippy::too_many_arguments, reason = "one line of the table above")]
async fn blocks(
    device: &Device,
    students: &Range<usize>,
    images: [usize; 4],
    output: usize,
    kernel: usize,
    (norm, form): (Norm, Form),
    shortcut: bool,
    found: &mut Results,
) -> Result<(), CheckError> {
    let autodiff = device.clone().autodiff();
    let mut operand = Operand::new(&autodiff, students, 11);
    let side = |length: usize| (length + 2 * form.window.padding - kernel) / form.window.stride + 1;
    let operands = Operands {
        images: operand.next(images).require_grad(),
        weights: operand.next([output, images[3], kernel, kernel]).require_grad(),
        scale: operand.next([output]).require_grad(),
        shift: operand.next([output]).require_grad(),
    };
    let normed = match norm {
        Norm::Batch => {
            let shape = [images[0], side(images[1]), side(images[2]), output];
            Normed::Batch { shortcut: shortcut.then(|| operand.next(shape).require_grad()) }
        }
        Norm::Instance => Normed::Instance { bias: Some(operand.next([output]).require_grad()) },
    };
    let (made, mean, variance) = block_train(operands.clone(), normed.clone(), form);
    let gradients = loss(&made, students.len()).backward();
    if let Normed::Batch { shortcut } = &normed {
        let moments = [mean.clone(), variance.clone()];
        found.push(read(block_eval(operands.clone(), shortcut.clone(), moments, form)).await?);
    }
    found.extend([read(made).await?, read(mean).await?, read(variance).await?]);
    found.push(gradient(&operands.images, &gradients).await?);
    found.push(gradient(&operands.weights, &gradients).await?);
    found.push(gradient(&operands.scale, &gradients).await?);
    found.push(gradient(&operands.shift, &gradients).await?);
    match &normed {
        Normed::Batch { shortcut: Some(shortcut) } => found.push(gradient(shortcut, &gradients).await?),
        Normed::Instance { bias: Some(bias) } => found.push(gradient(bias, &gradients).await?),
        Normed::Batch { shortcut: None } | Normed::Instance { bias: None } => {}
    }
    Ok(())
}

/// Views of random images for two students, against those that the CPU cuts.
async fn views(device: &Device) -> Result<f64, CheckError> {
    const SIDE: u32 = 14;
    const IMAGES: usize = 6;
    let mut stream = Stream::new(14, Purpose::Test, 0, 0);
    let pixels = (0..IMAGES * (SIDE * SIDE * 3) as usize).map(|_| stream.next_u32() as u8).collect();
    let set = ImageSet::from_parts(SIDE, pixels, vec![0; IMAGES]).expect("as many pixels as labels");
    let planner =
        Planner::new(Augmentation::default(), Grid::TWO, SIDE, 0).expect("the images hold the grid");
    let normalise = Normalise::IMAGENET;
    let resident = Resident::new(&set, &normalise, device).expect("memory does not fail");
    let Some(resident) = resident else {
        return Ok(0.0);
    };
    let batch = Tensor::empty([IMAGES, SIDE as usize, SIDE as usize, 3], (device, DType::F32));
    let (mut planned, mut expected) =
        ([Vec::new(), Vec::new()], vec![0.0; IMAGES * (SIDE * SIDE * 3) as usize]);
    let places = expected.chunks_exact_mut(IMAGES / 2 * (SIDE * SIDE * 3) as usize);
    for ((planned, images), place) in planned.iter_mut().zip([[5, 3, 1], [0, 2, 4]]).zip(places) {
        planner.plan(0, 0, &images, planned);
        Executor::new(SIDE)
            .execute(&set, planned, &normalise, Order::Nhwc, place)
            .expect("memory does not fail");
    }
    let [first, second] = &planned;
    let batch = resident.views_into(batch, 0, &[first, second], device);
    Ok(difference(&read(batch).await?, &expected))
}
