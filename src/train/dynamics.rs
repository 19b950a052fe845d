//! The training dynamics of a batch, read back from the device that its logits lie on.

use crate::kernel::dynamics::COLUMNS;
use crate::score::{Dynamics, ScoreError};

/// Training dynamics from the rows of [`dynamics`](crate::kernel::dynamics::dynamics), read back from the device.
///
/// # Errors
/// [`ScoreError::NotFinite`] for the first row whose logits give no finite EL2N.
pub(crate) fn from_rows(rows: &[f32]) -> Result<Vec<Dynamics>, ScoreError> {
    let read = |(row, values): (usize, &[f32])| {
        let &[p_label, p_other, el2n, entropy, loss, correct, usable] = values else {
            return Err(ScoreError::NotFinite { row });
        };
        if usable == 0.0 || !el2n.is_finite() {
            return Err(ScoreError::NotFinite { row });
        }
        Ok(Dynamics { p_label, p_other, el2n, entropy, loss, correct: correct != 0.0 })
    };
    rows.chunks(COLUMNS).enumerate().map(read).collect()
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{DType, Device, Tensor, TensorData};
    use pollster::block_on;

    use super::*;
    use crate::device::read;
    use crate::kernel::dynamics::dynamics;
    use crate::random::{Purpose, Stream};

    /// Logits of a moderate and of a confident model, of two classes and of more than a workgroup has invocations.
    fn batches() -> Vec<(usize, Vec<f32>, Vec<u32>)> {
        [(9, 2, 1.0), (33, 10, 4.0), (17, 129, 20.0), (5, 1000, 60.0)]
            .into_iter()
            .map(|(batch, classes, scale)| {
                let mut stream = Stream::new(4, Purpose::Test, classes as u32, 0);
                let mut logits: Vec<f32> =
                    (0..batch * classes).map(|_| (scale * stream.normal()) as f32).collect();
                // A tie for the largest, and a class that cannot be.
                logits[0] = 7.0 * scale as f32;
                logits[classes - 1] = logits[0];
                logits[classes + 1] = f32::NEG_INFINITY;
                let labels = (0..batch).map(|_| stream.below(classes as u32)).collect();
                (classes, logits, labels)
            })
            .collect()
    }

    fn on(device: &Device, logits: &[f32], labels: &[u32]) -> Vec<f32> {
        let shape = [labels.len(), logits.len() / labels.len()];
        let logits = Tensor::<2>::from_data(TensorData::new(logits.to_vec(), shape), (device, DType::F32));
        block_on(read(dynamics(logits, labels))).expect("the device answers")
    }

    #[test]
    fn on_the_cpu_the_rows_are_the_dynamics_bit_for_bit() {
        for (classes, logits, labels) in batches() {
            let expected = Dynamics::batch(&logits, &labels, classes).expect("finite logits");
            assert_eq!(from_rows(&on(&Device::flex(), &logits, &labels)).expect("finite"), expected);
        }
    }

    #[test]
    #[cfg(feature = "wgpu")]
    fn on_a_gpu_the_rows_are_those_of_the_cpu() {
        let Some(device) = crate::device::testing::wgpu() else { return };
        for (classes, logits, labels) in batches() {
            let found = from_rows(&on(&device, &logits, &labels)).expect("finite");
            let expected = Dynamics::batch(&logits, &labels, classes).expect("finite logits");
            for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found.correct, expected.correct, "row {row} of {classes} classes");
                let numbers = |d: &Dynamics| [d.p_label, d.p_other, d.el2n, d.entropy, d.loss];
                for (a, b) in numbers(found).into_iter().zip(numbers(expected)) {
                    // Exponentials of a GPU are good to a few units in the last place times their argument.
                    let error = (a - b).abs() / b.abs().max(1e-3);
                    assert!(a == b || error < 4e-5, "{a} should be {b}: row {row} of {classes} classes");
                }
            }
        }
    }

    #[test]
    fn a_row_without_a_value_is_named() {
        let logits = [0.0, 1.0, f32::NAN, 0.0, f32::INFINITY, 1.0];
        let check = |device: &Device| {
            let rows = on(device, &logits, &[0, 1, 1]);
            assert!(matches!(from_rows(&rows), Err(ScoreError::NotFinite { row: 1 })));
            assert!(matches!(from_rows(&rows[2 * COLUMNS..]), Err(ScoreError::NotFinite { row: 0 })));
        };
        check(&Device::flex());
        #[cfg(feature = "wgpu")]
        if let Some(device) = crate::device::testing::wgpu() {
            check(&device);
        }
    }
}
