//! Training and measuring a cohort of students.

use std::sync::Arc;

use super::meter::Meter;
use super::pace::Pace;
use super::rotation::Rotation;
use super::training::{Keep, finish, resume};
use super::{Devices, Observer, RunError, Stage, Training, lanes};
use crate::augment::{Augmentation, Normalise};
use crate::data::{Grid, Source};
use crate::device::Opened;
use crate::evaluate::Correct;
use crate::model::ModelConfig;
use crate::report::{Curve, RunOutcome, Spending, words};
use crate::train::{
    Cohort, Evaluation, Evaluator, Progress, ProxyError, READ_EVERY, Student, Task, Times, TrainConfig,
    TrainError,
};

/// Training job of one student: its images, its views and its seed.
#[derive(Clone)]
pub struct Job {
    /// Name of the student in the folder of finished students.
    pub name: String,
    /// The stored images it learns from.
    pub images: Arc<dyn Source>,
    /// Grid of tiles in a stored image.
    pub grid: Grid,
    /// Policy for its views.
    pub augmentation: Augmentation,
    /// Seed of its weights, order and views.
    pub seed: u64,
    /// `true` where its weights are part of the result.
    pub keep_weights: bool,
}

/// A trained student and its results.
pub struct Trained {
    /// The student's results.
    pub outcome: RunOutcome,
    /// Its weights as a safetensors file with PyTorch's names, where its job keeps them.
    pub weights: Option<Vec<u8>>,
}

/// Trains a student for each job and measures it on `val`; results in the order of the jobs. On the CPU
/// one student a core, elsewhere each device has its share of them as one cohort. With the results comes the time that training and measuring
/// took. Outcomes are kept as `<name>.json` as they come, and those
/// that are there already are not computed again; a student that is not finished goes on from its checkpoint.
///
/// # Errors
/// [`RunError`] when the device fails, a loss diverges, an outcome cannot be kept, or the observer stops the run.
pub fn train_all(
    jobs: Vec<Job>,
    keep: Option<Keep<'_>>,
    model: &ModelConfig,
    config: TrainConfig,
    val: &dyn Source,
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<(Vec<Trained>, [Spending; 2]), RunError> {
    let evaluator = Evaluator::new(val, jobs.iter().map(|job| job.grid)).map_err(TrainError::from)?;
    // A student's files depend on its images, too.
    let jobs: Vec<(Job, Option<Keep<'_>>)> = jobs
        .into_iter()
        .map(|job| {
            let keep = keep.map(|keep| Keep { files: keep.files.and(job.images.fingerprint()), ..keep });
            (job, keep)
        })
        .collect();
    let known = jobs.iter().map(|(job, keep)| keep.map_or(Ok(None), |keep| finished(keep, job)));
    let known: Vec<Option<Trained>> = known.collect::<Result<_, _>>()?;
    let missing = jobs.into_iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(job, _)| job);
    let missing: Vec<(Job, Option<Keep<'_>>)> = missing.collect();
    let meters = Meters::of(&missing, val);
    let mut trained =
        train_missing(missing.clone(), model, config, &evaluator, &meters, devices, observer)?.into_iter();
    let spent = [&meters.training, &meters.measuring].map(Meter::spending);
    for (what, spending) in ["training", "measuring"].into_iter().zip(&spent) {
        if let Some(text) = words::spending(what, spending) {
            observer.say(&text);
        }
    }
    Ok((known.into_iter().filter_map(|known| known.or_else(|| trained.next())).collect(), spent))
}

/// Time of the trainings, and of measuring what they came to.
struct Meters<'a> {
    training: Meter<'a>,
    measuring: Meter<'a>,
}

impl<'a> Meters<'a> {
    fn of(jobs: &'a [(Job, Option<Keep<'_>>)], val: &'a dyn Source) -> Self {
        // Students of one method share their images, and parts of one source its clocks.
        let mut images: Vec<&Arc<dyn Source>> = Vec::new();
        for (job, _) in jobs {
            let of = job.images.whole().unwrap_or(&job.images);
            if !images.iter().any(|known| Arc::ptr_eq(known, of)) {
                images.push(of);
            }
        }
        let images = images.into_iter().map(|images| &**images).collect();
        Self { training: Meter::new(images), measuring: Meter::new(vec![val]) }
    }
}

/// The results of a student that an earlier run finished.
fn finished(keep: Keep<'_>, job: &Job) -> Result<Option<Trained>, RunError> {
    let Some(outcome) = keep.files.read(&outcome_name(job))? else { return Ok(None) };
    let outcome = serde_json::from_slice(&outcome)?;
    let weights = if job.keep_weights { keep.files.read(&weights_name(job))? } else { None };
    if job.keep_weights && weights.is_none() {
        return Ok(None);
    }
    keep.forget(&job.name)?;
    Ok(Some(Trained { outcome, weights }))
}

/// File name of a job's outcome.
fn outcome_name(job: &Job) -> String {
    format!("{}.json", job.name)
}

/// File name of a job's weights.
fn weights_name(job: &Job) -> String {
    format!("{}.safetensors", job.name)
}

fn train_missing(
    jobs: Vec<(Job, Option<Keep<'_>>)>,
    model: &ModelConfig,
    config: TrainConfig,
    evaluator: &Evaluator<'_>,
    meters: &Meters<'_>,
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, RunError> {
    if let Some(images) = jobs.iter().map(|(job, _)| job.images.len()).max() {
        let training = Training { model, config: &config, images, networks: jobs.len(), logged: false };
        training.ensure_fits(devices.is_cpu(), observer)?;
    }
    let steps: usize = jobs.iter().map(|(job, _)| config.steps(job.images.len())).sum();
    let stage = observer.stage("train", "steps", steps);
    let begin = |job: &Job, others: &Cohort, opened: &Opened| -> Result<Student, RunError> {
        let task = Task {
            images: job.images.clone(),
            grid: job.grid,
            augmentation: job.augmentation,
            normalise: Normalise::IMAGENET,
        };
        Ok(Student::beside(others.progresses(), model, config, task, job.seed, &opened.device)?)
    };
    if devices.is_cpu() {
        let opened = devices.first();
        return lanes::run(jobs, observer, |(job, keep), observer| {
            let begun = observer.seconds();
            let mut student = begin(&job, &Cohort::default(), opened)?;
            finish(&mut student, &job.name, keep, &*stage, &meters.training, observer)?;
            let seconds = observer.seconds() - begun;
            measured(&meters.measuring, observer, || {
                measure(&student, &job, seconds, keep, evaluator, opened)
            })
        });
    }
    let shares = devices.share_out(jobs, |(job, _)| config.steps(job.images.len()));
    let trained = lanes::side_by_side(shares.len(), shares, observer, |_, (opened, jobs), observer| {
        let begun = observer.seconds();
        let (mut cohort, mut checkpoints) = (Cohort::default(), Vec::new());
        for (job, keep) in &jobs {
            let mut student = begin(job, &cohort, opened)?;
            checkpoints.push(resume(&mut student, &job.name, *keep, &*stage, observer)?);
            student.time_by(observer.clock());
            cohort.push(student);
        }
        finish_cohort(&mut cohort, &jobs, &mut checkpoints, &*stage, observer)?;
        let seconds = observer.seconds() - begun;
        for progress in cohort.progresses() {
            meters.training.add(0.0, progress.times());
        }
        meters.training.add(seconds, Times::default());
        let share = seconds / jobs.len().max(1) as f64;
        let students = cohort.students().iter().zip(&jobs);
        students
            .map(|(student, (job, keep))| {
                measured(&meters.measuring, observer, || {
                    measure(student, job, share, *keep, evaluator, opened)
                })
            })
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(trained.into_iter().flatten().collect())
}

/// Counts the time of measuring a student.
fn measured<T>(meter: &Meter<'_>, observer: &dyn Observer, measure: impl FnOnce() -> T) -> T {
    let begun = observer.seconds();
    let made = measure();
    meter.add(observer.seconds() - begun, Times::default());
    made
}

/// Trains a cohort to its end. It is saved from time to time and when the observer asks to stop, each student by itself.
fn finish_cohort(
    cohort: &mut Cohort,
    jobs: &[(Job, Option<Keep<'_>>)],
    checkpoints: &mut [Option<Rotation<'_>>],
    stage: &dyn Stage,
    observer: &dyn Observer,
) -> Result<(), RunError> {
    let made = |cohort: &Cohort| cohort.progresses().map(Progress::steps_made).sum::<usize>();
    let mut saved = observer.seconds();
    let mut paces: Vec<Pace> = cohort.progresses().map(|progress| Pace::new(progress, saved)).collect();
    while !cohort.finished() {
        let before = made(cohort);
        pollster::block_on(cohort.advance(READ_EVERY))?;
        stage.add(made(cohort) - before);
        let (stop, now) = (observer.wants_stop(), observer.seconds());
        for ((progress, pace), (job, _)) in cohort.progresses().zip(&mut paces).zip(jobs) {
            if let Some(reading) = pace.reading(&job.name, progress, now) {
                stage.reading(&reading);
            }
        }
        if cohort.finished() {
            break;
        }
        let mut due = false;
        for (place, ((job, keep), checkpoints)) in jobs.iter().zip(&mut *checkpoints).enumerate() {
            if let (Some(keep), Some(checkpoints)) = (keep, checkpoints)
                && (stop || keep.is_due(now - saved))
            {
                let bytes = pollster::block_on(cohort.checkpoint(place)).map_err(ProxyError::from)?;
                checkpoints.save(&bytes)?;
                stage.saved(&job.name, cohort.progresses().nth(place).map_or(0, Progress::steps_made));
                due = true;
            }
        }
        if due {
            saved = now;
        }
        if stop {
            return Err(RunError::Stopped);
        }
    }
    Ok(())
}

fn measure(
    student: &Student,
    job: &Job,
    seconds: f64,
    keep: Option<Keep<'_>>,
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
    let weights = match job.keep_weights {
        true => Some(pollster::block_on(network.to_safetensors())?),
        false => None,
    };
    if let Some(keep) = keep {
        // A student counts as finished once its outcome is there, so that comes last.
        if let Some(weights) = &weights {
            keep.files.write(&weights_name(job), weights)?;
        }
        keep.files.write(&outcome_name(job), &serde_json::to_vec(&outcome)?)?;
        keep.forget(&job.name)?;
    }
    Ok(Trained { outcome, weights })
}

/// A class without images was not measured.
fn percent(right: usize, seen: usize) -> Option<f64> {
    (seen > 0).then(|| 100.0 * right as f64 / seen as f64)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::augment::Crop;
    use crate::data::{ContentHash, ImageSet};
    use crate::model::NetworkKind;
    use crate::random::{Purpose, permutation};
    use crate::run::memory::Memory;
    use crate::run::{Kept, Silent};
    use crate::train::{Length, Preset};

    const SIDE: usize = 16;

    fn images(count: usize) -> Arc<dyn Source> {
        let size = count * SIDE * SIDE * 3;
        let pixels = permutation(0, Purpose::Shuffle, 0, size).into_iter().map(|x| x as u8).collect();
        let labels = (0..count as u32).map(|image| image % 3).collect();
        Arc::new(ImageSet::from_parts(SIDE as u32, pixels, labels).expect("a valid set"))
    }

    /// Devices that each have their share as a cohort. No GPU is needed for that.
    fn devices(count: usize) -> Devices {
        let opened = |place| Opened { device: Device::flex(), name: format!("{place}"), is_cpu: false };
        Devices::of((0..count).map(opened).collect())
    }

    fn jobs() -> Vec<Job> {
        let images = images(24);
        let augmentation =
            Augmentation { crop: Crop::Global { min_scale: 0.5 }, flip: true, ..Augmentation::NONE };
        let job = |seed: u64| Job {
            name: format!("student-{seed}"),
            images: images.clone(),
            grid: Grid::WHOLE,
            augmentation,
            seed,
            keep_weights: true,
        };
        (0..5).map(job).collect()
    }

    fn trained(
        devices: &Devices,
        keep: Option<Keep<'_>>,
        observer: &dyn Observer,
    ) -> Result<Vec<String>, RunError> {
        let settings = Preset::Small.settings().with_image_size(SIDE as u32);
        let model = ModelConfig { network: NetworkKind::ConvNetD { width: 8 }, ..settings.model(3) };
        let steps = Length::Steps(READ_EVERY + 3);
        let config = TrainConfig { length: steps, horizon: steps, ..settings.student };
        let (trained, _) = train_all(jobs(), keep, &model, config, &*images(12), devices, observer)?;
        let told = |one: &Trained| {
            format!("{:?} {:?}", RunOutcome { seconds: 0.0, ..one.outcome.clone() }, one.weights)
        };
        Ok(trained.iter().map(told).collect())
    }

    #[test]
    fn students_end_with_the_same_weights_on_any_number_of_devices() {
        let on_one = trained(&devices(1), None, &Silent).expect("one device");
        assert_eq!(on_one.len(), 5);
        for count in [2, 3, 8] {
            assert_eq!(trained(&devices(count), None, &Silent).expect("several devices"), on_one, "{count}");
        }
    }

    #[test]
    fn students_that_were_stopped_on_some_devices_go_on_with_another_number_of_them() {
        let expected = trained(&devices(1), None, &Silent).expect("one device");
        let storage = Memory::default();
        let files = Kept::new(&storage, "students", ContentHash::of(b"one run"));
        let keep = Some(Keep { files, every: 0.0 });
        let stopped = trained(&devices(2), keep, &Stopping);
        assert!(matches!(stopped, Err(RunError::Stopped)), "{stopped:?}");
        assert_eq!(trained(&devices(3), keep, &Silent).expect("three devices"), expected);
    }

    /// An observer that wants to stop at once.
    struct Stopping;

    impl Observer for Stopping {
        fn say(&self, _text: &str) {}
        fn warn(&self, _text: &str) {}
        fn stage(&self, _name: &'static str, _unit: &'static str, _total: usize) -> Box<dyn Stage + '_> {
            Box::new(Silent)
        }
        fn wants_stop(&self) -> bool {
            true
        }
        fn seconds(&self) -> f64 {
            0.0
        }
    }
}
