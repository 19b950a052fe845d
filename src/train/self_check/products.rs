//! The products of a convolution in mixed precision, on small random operands, against double precision.
//!
//! Only the products differ there: what follows them has been compared in full precision, and decisions (a ReLU's, a pool's)
//! that a rounding may turn around would hide how exact they are.

use burn::tensor::{DType, Device, Tensor, TensorData};

use super::{CheckError, read};
use crate::device::Precision;
use crate::kernel::convolution::reference::{Sizes, error};
use crate::kernel::convolution::{Window, convolution};
use crate::kernel::cross_entropy::{Target, mixed_cross_entropy};
use crate::random::{Purpose, Stream};

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
        most = most.max(of(device, &Sizes { images, outputs, kernel, window }).await?);
    }
    Ok(most)
}

async fn of(device: &Device, sizes: &Sizes) -> Result<f64, CheckError> {
    let mut stream = Stream::new(15, Purpose::Test, 0, sizes.images[3] as u64);
    let mut draw = |shape: [usize; 4], size: f64| {
        (0..shape.iter().product()).map(|_| (size * stream.normal()) as f32).collect::<Vec<f32>>()
    };
    // Such small outputs as logits: what halves make of them moves the softmax, and the gradient that comes back, by a few
    // millionths only, so that it is known. Smaller weights would leave the halves' 11 bits.
    let (images, weights) = (draw(sizes.images, 1.0), draw(sizes.weights(), 1e-3));
    let autodiff = device.clone().autodiff();
    let tensor = |values: &[f32], shape: [usize; 4]| {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::<4>::from_data(data, (&autodiff, DType::F32)).require_grad()
    };
    let bias = TensorData::new(vec![0.0f32; sizes.outputs], [sizes.outputs]);
    let bias = Tensor::<1>::from_data(bias, (&autodiff, DType::F32));
    let operands = [tensor(&images, sizes.images), tensor(&weights, sizes.weights())];
    let output = convolution(operands[0].clone(), operands[1].clone(), bias, sizes.window);
    let pixels = sizes.output()[..3].iter().product::<usize>();
    let labels: Vec<u32> = (0..pixels).map(|_| stream.below(sizes.outputs as u32)).collect();
    let share = 1.0 / pixels as f32;
    let logits = output.clone().reshape([pixels, sizes.outputs]);
    let target = |&own: &u32| Target { own, other: own, own_share: share, other_share: 0.0 };
    let losses = mixed_cross_entropy(logits, &labels.iter().map(target).collect::<Vec<_>>());
    let gradients = losses.backward();

    let expected = sizes.forward(&images, &weights);
    let mut gradient = Vec::with_capacity(expected.len());
    for (row, &label) in expected.chunks_exact(sizes.outputs).zip(&labels) {
        let sum: f64 = row.iter().map(|logit| logit.value.exp()).sum();
        gradient.extend(row.iter().enumerate().map(|(class, logit)| {
            let indicator = f64::from(u8::from(class as u32 == label));
            ((logit.value.exp() / sum - indicator) * f64::from(share)) as f32
        }));
    }
    let mut most = error(&read(output).await?, &expected);
    let expected = [sizes.of_images(&weights, &gradient), sizes.of_weights(&images, &gradient)];
    for (operand, expected) in operands.iter().zip(&expected) {
        let found = match operand.grad(&gradients) {
            Some(found) => read(found).await?,
            None => Vec::new(),
        };
        most = most.max(error(&found, expected));
    }
    Ok(most)
}
