//! Training and measuring a cohort of students.

use std::sync::Arc;

use super::{Observer, RunError, Storage, Training, lanes};
use crate::augment::{Augmentation, Normalise};
use crate::data::{Grid, ImageSet};
use crate::device::Opened;
use crate::evaluate::Correct;
use crate::model::{ModelConfig, Network};
use crate::report::{Curve, RunOutcome};
use crate::train::{
    Cohort, Evaluation, Evaluator, Progress, READ_EVERY, Student, Task, TrainConfig, TrainError,
};

/// Training job of one student: its images, its views and its seed.
#[derive(Clone)]
pub struct Job {
    /// Name of the student in the folder of finished students.
    pub name: String,
    /// The stored images it learns from.
    pub images: Arc<ImageSet>,
    /// Grid of tiles in a stored image.
    pub grid: Grid,
    /// Policy for its views.
    pub augmentation: Augmentation,
    /// Seed of its weights, order and views.
    pub seed: u64,
}

/// A trained student and its results.
pub struct Trained {
    /// The student's results.
    pub outcome: RunOutcome,
    /// The student's network; `None` for a student that an earlier run finished.
    pub network: Option<Network>,
}

/// Trains a student for each job and measures it on `val`; results in the order of the jobs. On the CPU
/// one student a core, elsewhere all as one cohort on the device. Outcomes are kept as `keep.1/<name>.json` as
/// they come, and those that are there already are not computed again.
///
/// # Errors
/// [`RunError`] when the device fails, a loss diverges, an outcome cannot be kept, or the observer stops the run.
pub fn train_all(
    jobs: Vec<Job>,
    keep: Option<(&dyn Storage, &str)>,
    model: &ModelConfig,
    config: TrainConfig,
    val: &ImageSet,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, RunError> {
    let evaluator = Evaluator::new(val, jobs.iter().map(|job| job.grid)).map_err(TrainError::from)?;
    let known: Vec<Option<RunOutcome>> = jobs.iter().map(|job| finished(keep?, &job.name)).collect();
    let missing = jobs.into_iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(job, _)| job);
    let trained = train_missing(missing.collect(), keep, model, config, &evaluator, opened, observer)?;
    let mut trained = trained.into_iter();
    let all = known.into_iter().map(|known| match known {
        Some(outcome) => Some(Trained { outcome, network: None }),
        None => trained.next(),
    });
    Ok(all.flatten().collect())
}

/// The outcome of a student that an earlier run finished.
fn finished((storage, folder): (&dyn Storage, &str), name: &str) -> Option<RunOutcome> {
    serde_json::from_slice(&storage.read(&format!("{folder}/{name}.json")).ok()??).ok()
}

fn train_missing(
    jobs: Vec<Job>,
    keep: Option<(&dyn Storage, &str)>,
    model: &ModelConfig,
    config: TrainConfig,
    evaluator: &Evaluator<'_>,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, RunError> {
    if let Some(images) = jobs.iter().map(|job| job.images.len()).max() {
        let training = Training { model, config: &config, images, networks: jobs.len(), logged: false };
        training.ensure_fits(opened.is_cpu, observer)?;
    }
    let steps: usize = jobs.iter().map(|job| config.steps(job.images.len())).sum();
    let stage = observer.stage("train", "steps", steps);
    let begin = |job: &Job, others: &Cohort| -> Result<Student, RunError> {
        let task = Task {
            images: job.images.clone(),
            grid: job.grid,
            augmentation: job.augmentation,
            normalise: Normalise::IMAGENET,
        };
        Ok(Student::beside(others.progresses(), model, config, task, job.seed, &opened.device)?)
    };
    let trained = if opened.is_cpu {
        lanes::run(jobs, |job| {
            let begun = observer.seconds();
            let mut student = begin(&job, &Cohort::default())?;
            while !student.finished() {
                observer.go_on()?;
                let before = student.steps_made();
                pollster::block_on(student.advance(READ_EVERY))?;
                stage.add(student.steps_made() - before);
            }
            measure(&student, &job, observer.seconds() - begun, keep, evaluator, opened)
        })?
    } else {
        let begun = observer.seconds();
        let mut cohort = Cohort::default();
        for job in &jobs {
            let student = begin(job, &cohort)?;
            cohort.push(student);
        }
        let mut told = 0;
        while !cohort.finished() {
            observer.go_on()?;
            pollster::block_on(cohort.advance(READ_EVERY))?;
            let made = cohort.progresses().map(Progress::steps_made).sum();
            stage.add(made - told);
            told = made;
        }
        let share = (observer.seconds() - begun) / jobs.len().max(1) as f64;
        let students = cohort.students().iter().zip(&jobs);
        let measured = students.map(|(student, job)| measure(student, job, share, keep, evaluator, opened));
        measured.collect::<Result<_, RunError>>()?
    };
    Ok(trained)
}

fn measure(
    student: &Student,
    job: &Job,
    seconds: f64,
    keep: Option<(&dyn Storage, &str)>,
    evaluator: &Evaluator<'_>,
    opened: &Opened,
) -> Result<Trained, RunError> {
    let network = student.network();
    let answers = pollster::block_on(evaluator.ask(&network, &opened.device))?;
    let evaluation = &answers.sharp;
    let per_class = evaluation.per_class.iter().map(|&(seen, right)| percent(right, seen)).collect();
    let curve = student.curve();
    let seed = job.seed;
    let outcome = RunOutcome {
        seed,
        top1: evaluation.top1_percent(),
        top1_at_tile_size: answers.at_tile_size.as_ref().map(Evaluation::top1_percent),
        adapted_top1: answers.adapted.as_ref().map(Evaluation::top1_percent),
        macro_top1: Some(evaluation.macro_top1_percent()),
        correct: Some(Correct::of(&evaluation.answers, evaluator.labels())),
        top5: (evaluation.per_class.len() > 5).then(|| evaluation.top5_percent()),
        per_class,
        seconds,
        curve: Curve {
            seed,
            step: curve.iter().map(|point| point.step as u64).collect(),
            train_loss: curve.iter().map(|point| f64::from(point.loss)).collect(),
        },
    };
    if let Some((storage, folder)) = keep {
        storage.write(&format!("{folder}/{}.json", job.name), &serde_json::to_vec(&outcome)?)?;
    }
    Ok(Trained { outcome, network: Some(network) })
}

fn percent(right: usize, seen: usize) -> f64 {
    100.0 * right as f64 / seen.max(1) as f64
}
