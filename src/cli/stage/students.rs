//! Training and measuring a cohort of students.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::augment::{Augmentation, Normalise};
use crate::cli::console::Console;
use crate::cli::exit::check_interrupt;
use crate::cli::lanes;
use crate::cli::output::write_atomic;
use crate::combine::Grid;
use crate::data::ImageSet;
use crate::device::Opened;
use crate::evaluate::Correct;
use crate::model::{ModelConfig, Network};
use crate::report::{Curve, RunOutcome};
use crate::train::{Cohort, Course, Evaluation, Exam, READ_EVERY, Recipe, Student, Task};

/// What one student is trained on.
#[derive(Clone)]
pub(in crate::cli) struct Job {
    /// What it is called in the folder of finished students.
    pub(in crate::cli) name: String,
    pub(in crate::cli) images: Arc<ImageSet>,
    pub(in crate::cli) grid: Grid,
    pub(in crate::cli) augmentation: Augmentation,
    pub(in crate::cli) seed: u64,
}

/// A trained student and its measurement. One that an earlier run finished has no network any more.
pub(in crate::cli) struct Trained {
    pub(in crate::cli) outcome: RunOutcome,
    pub(in crate::cli) network: Option<Network>,
}

/// Trains a student for each job and measures it on `val`; results in the order of the jobs. On the CPU
/// one student a core, elsewhere all as one cohort on the device. Outcomes are kept in the folder `keep` as
/// they come, and those that are there already are not computed again.
pub(in crate::cli) fn train_all(
    jobs: Vec<Job>,
    keep: Option<&Path>,
    model: &ModelConfig,
    recipe: Recipe,
    val: &ImageSet,
    opened: &Opened,
    console: &Console,
) -> anyhow::Result<Vec<Trained>> {
    if let Some(keep) = keep {
        std::fs::create_dir_all(keep)?;
    }
    let exam = Exam::new(val, jobs.iter().map(|job| job.grid));
    let known: Vec<Option<RunOutcome>> = jobs.iter().map(|job| finished(keep?, &job.name)).collect();
    let missing = jobs.into_iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(job, _)| job);
    let trained = train_missing(missing.collect(), keep, model, recipe, &exam, opened, console)?;
    let mut trained = trained.into_iter();
    let all = known.into_iter().map(|known| match known {
        Some(outcome) => Some(Trained { outcome, network: None }),
        None => trained.next(),
    });
    Ok(all.flatten().collect())
}

/// The outcome of a student that an earlier run finished.
fn finished(keep: &Path, name: &str) -> Option<RunOutcome> {
    let bytes = std::fs::read(keep.join(format!("{name}.json"))).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn train_missing(
    jobs: Vec<Job>,
    keep: Option<&Path>,
    model: &ModelConfig,
    recipe: Recipe,
    exam: &Exam<'_>,
    opened: &Opened,
    console: &Console,
) -> anyhow::Result<Vec<Trained>> {
    let steps: usize = jobs.iter().map(|job| recipe.steps(job.images.len())).sum();
    let stage = console.stage("train", "steps", steps);
    let begin = |job: &Job, others: &Cohort| -> anyhow::Result<Student> {
        let task = Task {
            images: job.images.clone(),
            grid: job.grid,
            augmentation: job.augmentation,
            normalise: Normalise::IMAGENET,
        };
        Ok(Student::beside(others.courses(), model, recipe, task, job.seed, &opened.device)?)
    };
    let trained = if opened.is_cpu {
        lanes::run(jobs, |job| {
            let begun = Instant::now();
            let mut student = begin(&job, &Cohort::default())?;
            while !student.finished() {
                check_interrupt()?;
                let before = student.steps_made();
                pollster::block_on(student.advance(READ_EVERY))?;
                stage.add(student.steps_made() - before);
            }
            measure(&student, &job, begun.elapsed().as_secs_f64(), keep, exam, opened)
        })?
    } else {
        let begun = Instant::now();
        let mut cohort = Cohort::default();
        for job in &jobs {
            let student = begin(job, &cohort)?;
            cohort.push(student);
        }
        let mut told = 0;
        while !cohort.finished() {
            check_interrupt()?;
            pollster::block_on(cohort.advance(READ_EVERY))?;
            let made = cohort.courses().map(Course::steps_made).sum();
            stage.add(made - told);
            told = made;
        }
        let share = begun.elapsed().as_secs_f64() / jobs.len().max(1) as f64;
        let students = cohort.students().iter().zip(&jobs);
        let measured = students.map(|(student, job)| measure(student, job, share, keep, exam, opened));
        measured.collect::<anyhow::Result<_>>()?
    };
    stage.finish();
    Ok(trained)
}

fn measure(
    student: &Student,
    job: &Job,
    seconds: f64,
    keep: Option<&Path>,
    exam: &Exam<'_>,
    opened: &Opened,
) -> anyhow::Result<Trained> {
    let network = student.network();
    let answers = pollster::block_on(exam.ask(&network, &opened.device))?;
    let evaluation = &answers.sharp;
    let per_class = evaluation.per_class.iter().map(|&(seen, right)| percent(right, seen)).collect();
    let curve = student.curve();
    let seed = job.seed;
    let outcome = RunOutcome {
        seed,
        top1: evaluation.top1_percent(),
        soft_top1: answers.soft.as_ref().map(Evaluation::top1_percent),
        adapted_top1: answers.adapted.as_ref().map(Evaluation::top1_percent),
        macro_top1: Some(evaluation.macro_top1_percent()),
        correct: Some(Correct::of(&evaluation.answers, exam.labels())),
        top5: (evaluation.per_class.len() > 5).then(|| evaluation.top5_percent()),
        per_class,
        seconds,
        curve: Curve {
            seed,
            step: curve.iter().map(|point| point.step as u64).collect(),
            train_loss: curve.iter().map(|point| f64::from(point.loss)).collect(),
        },
    };
    if let Some(keep) = keep {
        let file = keep.join(format!("{}.json", job.name));
        write_atomic(&file, &serde_json::to_vec(&outcome)?)?;
    }
    Ok(Trained { outcome, network: Some(network) })
}

fn percent(right: usize, seen: usize) -> f64 {
    100.0 * right as f64 / seen.max(1) as f64
}
