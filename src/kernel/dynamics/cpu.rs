//! The CPU implementation: [`Dynamics`] itself, in double precision.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;

use super::{COLUMNS, TrainingDynamics};
use crate::dynamics::Dynamics;
use crate::kernel::probe::{Work, span};
use crate::parallel;

impl TrainingDynamics for Flex {
    fn dynamics(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, labels) = (logits.to_contiguous(), labels.to_contiguous());
        let classes = logits.shape()[1];
        let _span = span("dynamics", || {
            let (samples, values) = (logits.shape()[0], logits.shape().num_elements());
            let shape = format!("{samples}x{classes}");
            Work { shape, flops: (8 * values) as f64, floats: values + samples * COLUMNS }
        });
        let (logits, labels) = (logits.storage::<f32>(), labels.storage::<i32>());
        let rows = parallel::map(labels, |row, &label| {
            let d = Dynamics::from_logits(&logits[row * classes..(row + 1) * classes], label as u32);
            let flag = |yes| f32::from(u8::from(yes));
            [d.p_label, d.p_other, d.el2n, d.entropy, d.loss, flag(d.correct), flag(d.el2n.is_finite())]
        });
        let shape = [rows.len(), COLUMNS];
        FloatTensor::<Self>::from_data(TensorData::new(rows.concat(), shape))
    }
}
