//! Tests that students trained together end with the same numbers as students trained alone.

use burn::tensor::Device;
use pollster::block_on;

use super::*;
use crate::model::StateTensor;
use crate::train::student::tests::{config, lively, model, task, weights};

fn student(steps: usize, seed: u64) -> Student {
    Student::new(&model(), config(steps), task(24, lively()), seed, &Device::flex()).expect("a valid student")
}

#[test]
fn students_in_turns_learn_what_they_learn_alone() {
    // More than one turn, and of unequal length.
    let fresh = || vec![student(READ_EVERY + 3, 1), student(2 * READ_EVERY + 1, 2)];
    let mut alone = fresh();
    for student in &mut alone {
        block_on(student.advance(usize::MAX)).expect("the CPU answers");
    }
    let (mut cohort, mut told) = (Cohort::new(fresh()), Vec::new());
    block_on(cohort.train(|made| told.push(made))).expect("the CPU answers");
    assert!(cohort.stacks.is_empty(), "on a CPU every student has a core of its own");
    for (one, other) in cohort.students().iter().zip(&alone) {
        assert_eq!(weights(one), weights(other));
    }
    assert_ne!(weights(&alone[0]), weights(&alone[1]));
    assert_eq!(told, [2 * READ_EVERY, 3 * READ_EVERY + 3, 3 * READ_EVERY + 4]);
}

#[cfg(feature = "wgpu")]
mod on_a_gpu {
    use super::*;
    use crate::augment::{Augmentation, MixKind, Normalise};
    use crate::device::Precision;
    use crate::model::{Architecture, ModelConfig, Stem};
    use crate::train::student::tests::{of, wide};
    use crate::train::{Optimizer, Task, TrainConfig};

    type Learned = (Vec<CurvePoint>, Vec<StateTensor>);
    use crate::train::CurvePoint;

    fn learned(student: &Student) -> Learned {
        (student.curve().to_vec(), weights(student))
    }

    /// Students whose views, images, grid and seeds differ; two of them share their images.
    fn students(model: &ModelConfig, config: TrainConfig, device: &Device) -> Vec<Student> {
        let shared = task(24, lively());
        let mixup = Augmentation { mix: Some(MixKind::Mixup { alpha: 0.7 }), ..lively() };
        let tasks = [
            shared.clone(),
            Task { augmentation: Augmentation::NONE, ..shared },
            Task { grid: "2".parse().expect("a grid"), ..task(24, mixup) },
        ];
        let mut students: Vec<Student> = Vec::new();
        for (seed, task) in tasks.into_iter().enumerate() {
            let others = students.iter().map(|student| &**student);
            let student = Student::beside(others, model, config, task, seed as u64, device);
            students.push(student.expect("a valid student"));
        }
        students
    }

    /// Trains students of this shape together and one by one.
    fn assert_as_alone(model: &ModelConfig, optimizer: Optimizer, gpu: &Device) {
        // Three batches an epoch, the last of them smaller.
        let steps = if model.network.architecture() == Architecture::ResNet18 { 3 } else { 7 };
        let config = TrainConfig { optimizer, ..config(steps) };
        let mut alone = students(model, config, gpu);
        for student in &mut alone {
            for part in [2, steps - 2] {
                block_on(student.advance(part)).expect("the GPU answers");
            }
        }
        let mut cohort = Cohort::new(students(model, config, gpu));
        block_on(cohort.advance(2)).expect("the GPU answers");
        assert_eq!(cohort.stacks.len(), 1);
        assert_eq!(cohort.stacks[0].members, [0, 1, 2]);
        // Whoever asks for the students in between gets them as they are, and does not disturb them.
        let half = learned(&cohort.students()[1]);
        block_on(cohort.advance(steps - 2)).expect("the GPU answers");
        assert!(cohort.finished());
        for (together, alone) in cohort.students().iter().zip(&alone) {
            assert_eq!(learned(together), learned(alone), "{model:?}");
        }
        assert_ne!(half.1, weights(&alone[1]));
        assert_ne!(weights(&alone[0]), weights(&alone[1]));
    }

    #[test]
    fn stacked_students_learn_bit_for_bit_what_they_learn_alone() {
        let Some(gpu) = crate::device::testing::wgpu() else { return };
        let small = |architecture| of(architecture, Stem::ImageNet);
        for (model, optimizer) in [
            (small(Architecture::ConvNet), Optimizer::AdamW),
            // Channels and classes that fill no vector.
            (ModelConfig { classes: 5, ..wide(7) }, Optimizer::Sgd),
            (small(Architecture::ConvNetD), Optimizer::AdamW),
            (small(Architecture::ResNet18), Optimizer::AdamW),
        ] {
            assert_as_alone(&model, optimizer, &gpu);
        }
    }

    #[test]
    fn so_do_stacked_students_in_mixed_precision() {
        let Some((gpu, _)) = crate::device::testing::matrix_units() else { return };
        for architecture in [Architecture::ConvNet, Architecture::ResNet18] {
            let model = ModelConfig { precision: Precision::Mixed, ..of(architecture, Stem::ImageNet) };
            assert_as_alone(&model, Optimizer::AdamW, &gpu);
        }
    }

    #[test]
    fn a_student_put_aside_in_a_stack_goes_on_alone() {
        let Some(gpu) = crate::device::testing::wgpu() else { return };
        let fresh = || students(&model(), config(6), &gpu);
        let mut cohort = Cohort::new(fresh());
        block_on(cohort.advance(4)).expect("the GPU answers");
        let bytes = block_on(cohort.checkpoint(2)).expect("the GPU answers");
        block_on(cohort.advance(2)).expect("the GPU answers");
        let mut other = fresh().pop().expect("three students");
        other.restore(&bytes).expect("it fits");
        assert_eq!(other.steps_made(), 4);
        block_on(other.advance(2)).expect("the GPU answers");
        assert_eq!(learned(&other), learned(&cohort.students()[2]));
    }

    #[test]
    fn students_of_other_shapes_or_steps_are_not_stacked() {
        let Some(gpu) = crate::device::testing::wgpu() else { return };
        let new = |model: &ModelConfig, config, count| {
            Student::new(model, config, task(count, lively()), 1, &gpu).expect("a valid student")
        };
        let wider = wide(9);
        let mut cohort = Cohort::new(vec![
            new(&model(), config(6), 24),
            new(&wider, config(6), 24),
            new(&model(), config(7), 24),
            new(&model(), config(6), 25),
            new(&wider, config(6), 24),
        ]);
        block_on(cohort.advance(1)).expect("the GPU answers");
        let members: Vec<_> = cohort.stacks.iter().map(|stack| stack.members.clone()).collect();
        assert_eq!(members, [[1, 4]]);
        // One that is ahead is not, either.
        cohort.students()[1].progress.step += 1;
        block_on(cohort.advance(1)).expect("the GPU answers");
        assert!(cohort.stacks.is_empty());
        assert_eq!(cohort.progresses().map(Progress::steps_made).collect::<Vec<_>>(), [2, 3, 2, 2, 2]);
    }

    #[test]
    fn a_student_that_fills_the_gpu_alone_is_not_stacked() {
        let Some(gpu) = crate::device::testing::wgpu() else { return };
        let config = TrainConfig { batch: 24, ..config(2) };
        // A batch of 24 images of 16 x 16 pixels: two students of this width would pass the limit, one does not.
        let width = MAX_STACKED_FLOATS / (24 * 16 * 16) / 2 + 1;
        let model = wide(width);
        let progress = |seed| {
            Progress::new([], &model, config, task(24, lively()), seed, &gpu).expect("a valid progress")
        };
        assert_eq!(together(&progress(1)), 1);
        let narrow = wide(width - 1);
        let progress =
            Progress::new([], &narrow, config, task(24, lively()), 1, &gpu).expect("a valid progress");
        assert_eq!(together(&progress), 2);
    }

    #[test]
    fn students_beside_one_another_bring_their_images_to_a_gpu_once() {
        let Some(gpu) = crate::device::testing::wgpu() else { return };
        let shared = task(24, lively());
        let mut cohort = Cohort::default();
        // Views may differ, but neither the images nor what they are normalised by.
        let normalise = Normalise { mean: [0.5; 3], std: [0.25; 3] };
        for (seed, task) in [
            shared.clone(),
            Task { augmentation: Augmentation::NONE, ..shared.clone() },
            task(24, lively()),
            Task { normalise, ..shared },
        ]
        .into_iter()
        .enumerate()
        {
            let student = Student::beside(cohort.progresses(), &model(), config(6), task, seed as u64, &gpu);
            cohort.push(student.expect("a valid student"));
        }
        let resident: Vec<_> =
            cohort.progresses().map(|progress| progress.resident.clone().expect("they lie there")).collect();
        assert!(Arc::ptr_eq(&resident[0], &resident[1]));
        assert!(resident[2..].iter().all(|other| !Arc::ptr_eq(&resident[0], other)));
    }
}
