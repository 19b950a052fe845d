//! The products of a convolution in mixed precision, on small random operands, against double precision.
//!
//! Only the products differ there: what follows them has been compared in full precision, and decisions (a ReLU's, a pool's)
//! that a rounding may turn around would hide how exact they are.

use burn::tensor::{Device, TensorData};

use super::error::CheckError;
use crate::device::{Precision, read, upload};
use crate::kernel::convolution::reference::{Sizes, Sum, error};
use crate::kernel::convolution::{Window, convolution};
use crate::kernel::cross_entropy::{Target, mixed_cross_entropy};
use crate::kernel::reshape::reshape;
use crate::random::{Purpose, Stream};

/// Number of students that a device computes for: alone, and in the same launches.
const STUDENTS: usize = 2;

/// The largest error of a product, in units of [`Sum::squares`](crate::kernel::convolution::reference::Sum)'s root.
pub(super) async fn worst(device: &Device) -> Result<f64, CheckError> {
    let mut most = 0.0f64;
    for (images, outputs, kernel, stride) in [
        ([3, 9, 10, 3], 8, 3, 1),
        ([2, 12, 8, 32], 36, 3, 1),
        ([2, 7, 7, 24], 64, 3, 2),
        ([2, 6, 6, 8], 16, 1, 2),
    ] {
        let window = Window { stride, padding: kernel / 2, students: 1, precision: Precision::Mixed };
        let sizes = Sizes { images, outputs, kernel, window };
        let operands: Vec<Operands> = (0..STUDENTS).map(|student| Operands::draw(&sizes, student)).collect();
        for count in [1, STUDENTS] {
            let found = found(device, &sizes, &operands[..count]).await?;
            for (student, operands) in operands[..count].iter().enumerate() {
                for (found, expected) in found.iter().zip(operands.expected(&sizes)) {
                    let own = found.get(student * expected.len()..(student + 1) * expected.len());
                    most = most.max(error(own.unwrap_or_default(), &expected));
                }
            }
        }
    }
    Ok(most)
}

/// Operands of one student's convolution, whose outputs are logits for these labels.
struct Operands {
    images: Vec<f32>,
    weights: Vec<f32>,
    labels: Vec<u32>,
}

impl Operands {
    fn draw(sizes: &Sizes, student: usize) -> Self {
        let mut stream = Stream::new(15, Purpose::Test, student as u32, sizes.images[3] as u64);
        let mut draw = |shape: [usize; 4], size: f64| {
            (0..shape.iter().product()).map(|_| (size * stream.normal()) as f32).collect::<Vec<f32>>()
        };
        // Such small outputs as logits: what halves make of them moves the softmax, and the gradient that comes back, by a few
        // millionths only, so that it is known. Smaller weights would leave the halves' 11 bits.
        let (images, weights) = (draw(sizes.images, 1.0), draw(sizes.weights(), 1e-3));
        let labels = (0..pixels(sizes)).map(|_| stream.below(sizes.outputs as u32)).collect();
        Self { images, weights, labels }
    }

    /// The output, the gradient of the images and that of the weights.
    fn expected(&self, sizes: &Sizes) -> [Vec<Sum>; 3] {
        let output = sizes.forward(&self.images, &self.weights);
        let share = share(sizes);
        let mut gradient = Vec::with_capacity(output.len());
        for (row, &label) in output.chunks_exact(sizes.outputs).zip(&self.labels) {
            let sum: f64 = row.iter().map(|logit| logit.value.exp()).sum();
            gradient.extend(row.iter().enumerate().map(|(class, logit)| {
                let indicator = f64::from(u8::from(class as u32 == label));
                ((logit.value.exp() / sum - indicator) * f64::from(share)) as f32
            }));
        }
        let of_images = sizes.of_images(&self.weights, &gradient);
        let of_weights = sizes.of_weights(&self.images, &gradient);
        [output, of_images, of_weights]
    }
}

/// Number of pixels of a student's output.
fn pixels(sizes: &Sizes) -> usize {
    sizes.output()[..3].iter().product()
}

/// Loss weight of one output pixel.
fn share(sizes: &Sizes) -> f32 {
    1.0 / pixels(sizes) as f32
}

/// The products of some students' operands on a device, one after the other.
async fn found(device: &Device, sizes: &Sizes, students: &[Operands]) -> Result<[Vec<f32>; 3], CheckError> {
    let autodiff = device.clone().autodiff();
    let tensor = |of: fn(&Operands) -> &[f32], mut shape: [usize; 4]| {
        let values: Vec<f32> = students.iter().flat_map(of).copied().collect();
        shape[0] *= students.len();
        upload::floats::<4>(TensorData::new(values, shape), &autodiff).require_grad()
    };
    let images = tensor(|student| &student.images, sizes.images);
    let weights = tensor(|student| &student.weights, sizes.weights());
    let outputs = students.len() * sizes.outputs;
    let bias = TensorData::new(vec![0.0f32; outputs], [outputs]);
    let bias = upload::floats::<1>(bias, &autodiff);
    let window = Window { students: students.len(), ..sizes.window };
    let output = convolution(images.clone(), weights.clone(), bias, window);
    let share = share(sizes);
    let target = |&own: &u32| Target { own, other: own, own_share: share, other_share: 0.0 };
    let targets: Vec<Target> = students.iter().flat_map(|student| &student.labels).map(target).collect();
    let logits = reshape(output.clone(), [targets.len(), sizes.outputs]);
    let gradients = mixed_cross_entropy(logits, &targets).backward();
    let mut found = [read(output).await?, Vec::new(), Vec::new()];
    for (operand, found) in [images, weights].iter().zip(&mut found[1..]) {
        if let Some(gradient) = operand.grad(&gradients) {
            *found = read(gradient).await?;
        }
    }
    Ok(found)
}
