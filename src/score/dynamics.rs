//! The training dynamics of a batch, whose shape and values are checked.

use super::ScoreError;
pub use crate::dynamics::Dynamics;

impl Dynamics {
    /// The dynamics of a batch: `logits` is `[labels.len(), classes]`, row by row.
    ///
    /// # Errors
    /// [`ScoreError::Shape`], [`ScoreError::Label`], and [`ScoreError::NotFinite`] for the first row
    /// whose logits give no finite EL2N.
    pub fn batch(logits: &[f32], labels: &[u32], classes: usize) -> Result<Vec<Self>, ScoreError> {
        if classes == 0 || labels.len().checked_mul(classes) != Some(logits.len()) {
            return Err(ScoreError::Shape { logits: logits.len(), labels: labels.len(), classes });
        }
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(ScoreError::Label { row, label: labels[row], classes });
        }
        let all = crate::parallel::map(labels, |row, &label| {
            Self::from_logits(&logits[row * classes..(row + 1) * classes], label)
        });
        match all.iter().position(|dynamics| !dynamics.el2n.is_finite()) {
            Some(row) => Err(ScoreError::NotFinite { row }),
            None => Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn logits_without_a_softmax_are_an_error_that_names_the_row() {
        for bad in [f32::NAN, f32::INFINITY] {
            let error = Dynamics::batch(&[0.0, 1.0, bad, 0.0], &[0, 1], 2);
            assert!(matches!(error, Err(ScoreError::NotFinite { row: 1 })));
        }
    }

    #[test]
    fn a_batch_of_a_wrong_shape_or_label_is_refused() {
        assert!(matches!(Dynamics::batch(&[0.0; 5], &[0, 1], 2), Err(ScoreError::Shape { .. })));
        assert!(matches!(Dynamics::batch(&[], &[], 0), Err(ScoreError::Shape { .. })));
        assert!(matches!(Dynamics::batch(&[0.0; 4], &[0, 2], 2), Err(ScoreError::Label { row: 1, .. })));
    }

    proptest! {
        #[test]
        fn a_batch_is_its_rows(rows in prop::collection::vec(prop::array::uniform5(-9f32..9.0), 0..40)) {
            let labels: Vec<u32> = (0..rows.len() as u32).map(|i| i % 5).collect();
            let batch = Dynamics::batch(&rows.concat(), &labels, 5).expect("finite logits");
            for ((row, &label), d) in rows.iter().zip(&labels).zip(batch) {
                prop_assert_eq!(Dynamics::from_logits(row, label), d);
            }
        }
    }
}
