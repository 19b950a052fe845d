//! One step of an optimiser on a whole tensor.

use super::isa::Kernels;
use super::optimizer::{AdamWJob, SgdJob};
use super::shared::Shared;
use crate::kernel::constants::{AdamW, Sgd};
use crate::parallel::for_each;

/// Floats of a piece of work.
const PIECE: usize = 64 * 1024;

/// Calls `work` with the start and length of pieces of `length` floats.
fn pieces(length: usize, work: impl Fn(usize, usize) + Sync) {
    for_each(length.div_ceil(PIECE), |piece| work(piece * PIECE, PIECE.min(length - piece * PIECE)));
}

/// Writes the parameter after the step to `output`; the moments change in place.
pub(crate) fn adamw(
    kernels: &Kernels,
    constants: AdamW,
    parameter: &[f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    output: &mut [f32],
) {
    let length = parameter.len();
    assert_eq!([gradient.len(), first.len(), second.len(), output.len()], [length; 4]);
    let (first, second, output) = (Shared::new(first), Shared::new(second), Shared::new(output));
    pieces(length, |start, length| {
        // SAFETY: the lengths are checked above; pieces do not overlap.
        unsafe {
            (kernels.adamw)(&AdamWJob {
                constants,
                length,
                parameter: parameter[start..].as_ptr(),
                gradient: gradient[start..].as_ptr(),
                first: first.at(start),
                second: second.at(start),
                output: output.at(start),
            });
        }
    });
}

/// Writes the parameter after the step to `output`; the velocity changes in place.
pub(crate) fn sgd(
    kernels: &Kernels,
    constants: Sgd,
    parameter: &[f32],
    gradient: &[f32],
    velocity: &mut [f32],
    output: &mut [f32],
) {
    let length = parameter.len();
    assert_eq!([gradient.len(), velocity.len(), output.len()], [length; 3]);
    let (velocity, output) = (Shared::new(velocity), Shared::new(output));
    pieces(length, |start, length| {
        // SAFETY: as in `adamw`.
        unsafe {
            (kernels.sgd)(&SgdJob {
                constants,
                length,
                parameter: parameter[start..].as_ptr(),
                gradient: gradient[start..].as_ptr(),
                velocity: velocity.at(start),
                output: output.at(start),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::isa::available;
    use super::super::testing::Random;
    use super::*;

    const LENGTH: usize = 37;

    /// Steps with gradients that change; the parameter, and the same in double precision.
    fn steps(
        mut step: impl FnMut(usize, &[f32], &[f32]) -> Vec<f32>,
        mut plain: impl FnMut(usize, usize, f64, f64) -> f64,
    ) {
        let mut random = Random(41);
        let mut parameter = random.floats(LENGTH);
        let mut want: Vec<f64> = parameter.iter().map(|&p| f64::from(p)).collect();
        for t in 1..=5 {
            let gradient = random.floats(LENGTH);
            parameter = step(t, &parameter, &gradient);
            for (i, want) in want.iter_mut().enumerate() {
                *want = plain(t, i, *want, f64::from(gradient[i]));
            }
        }
        for (got, want) in parameter.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 2e-6, "{got} should be {want}");
        }
    }

    #[test]
    fn adamw_makes_the_steps_of_its_formula() {
        const LR: f64 = 0.01;
        const DECAY: f64 = 0.1;
        const BETA: [f64; 2] = [0.9, 0.999];
        for kernels in available() {
            let (mut first, mut second) = (vec![0.0; LENGTH], vec![0.0; LENGTH]);
            let (mut m, mut v) = ([0.0f64; LENGTH], [0.0f64; LENGTH]);
            steps(
                |t, parameter, gradient| {
                    let constants = AdamW {
                        beta1: BETA[0] as f32,
                        beta2: BETA[1] as f32,
                        epsilon: 1e-8,
                        keep: (1.0 - LR * DECAY) as f32,
                        rate: (LR / (1.0 - BETA[0].powi(t as i32))) as f32,
                        correction: (1.0 / (1.0 - BETA[1].powi(t as i32)).sqrt()) as f32,
                    };
                    let mut output = vec![f32::NAN; LENGTH];
                    adamw(kernels, constants, parameter, gradient, &mut first, &mut second, &mut output);
                    output
                },
                |t, i, parameter, gradient| {
                    m[i] = BETA[0] * m[i] + (1.0 - BETA[0]) * gradient;
                    v[i] = BETA[1] * v[i] + (1.0 - BETA[1]) * gradient * gradient;
                    let (m, v) =
                        (m[i] / (1.0 - BETA[0].powi(t as i32)), v[i] / (1.0 - BETA[1].powi(t as i32)));
                    parameter - LR * DECAY * parameter - LR * m / (v.sqrt() + 1e-8)
                },
            );
        }
    }

    #[test]
    fn sgd_makes_the_steps_of_its_formula() {
        for kernels in available() {
            let mut velocity = vec![0.0; LENGTH];
            let mut plain = [0.0f64; LENGTH];
            steps(
                |_, parameter, gradient| {
                    let constants = Sgd { momentum: 0.9, decay: 0.01, rate: 0.05 };
                    let mut output = vec![f32::NAN; LENGTH];
                    sgd(kernels, constants, parameter, gradient, &mut velocity, &mut output);
                    output
                },
                |_, i, parameter, gradient| {
                    plain[i] = 0.9 * plain[i] + gradient + 0.01 * parameter;
                    parameter - 0.05 * plain[i]
                },
            );
        }
    }
}
