//! Students trained on an existing set.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::cell::{StoredImages, setting};
use super::request::EvaluateRequest;
use super::views::ViewRequest;
use super::{Dataset, PipelineError};
use crate::data::{ContentHash, Grid, Source};
use crate::report::{Cost, MethodResult, Report, Spending};
use crate::run::{Devices, Job, Keep, Kept, Observer, Storage, Trained, train_all};
use crate::train::Settings;

/// Stored images to train on.
#[derive(Clone)]
pub struct TrainingSet {
    /// The name of its method or folder.
    pub name: String,
    /// The stored images.
    pub images: Arc<dyn Source>,
    /// Grid of tiles in a stored image.
    pub grid: Grid,
    /// Total size of its files in bytes.
    pub bytes: u64,
}

/// The report of an evaluation, and the weights of its first student where they were asked for.
pub struct Evaluated {
    /// Report with the students' accuracy.
    pub report: Report,
    /// Weights of the first student as a safetensors file with PyTorch's names.
    pub student: Option<Vec<u8>>,
}

/// Folder of the results of finished students, and of the checkpoints of unfinished ones.
pub const STUDENTS: &str = "students";

/// Trains students on a set and measures them on the validation images of a dataset. Finished students are kept in `out`, if
/// there is one, and a run that was stopped goes on from there.
///
/// # Errors
/// [`PipelineError`] for views that cannot be made, a device that fails, or a run that is stopped.
pub fn evaluate(
    request: &EvaluateRequest,
    data: &Dataset,
    set: &TrainingSet,
    out: Option<&dyn Storage>,
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<Evaluated, PipelineError> {
    data.ensure_measurable()?;
    let begun = observer.seconds();
    let EvaluateRequest { settings, seed, students, views, keep_student, save_every } = request;
    let training = Students {
        settings,
        views,
        seed: *seed,
        students: *students,
        keep_student: *keep_student,
        keep: out.map(|out| (out, *save_every)),
    };
    let (mut trained, [on_training, on_measuring]) = train(&training, data, set, devices, observer)?;
    let student = trained.first_mut().and_then(|first| first.weights.take());
    let options = serde_json::json!({
        "command": "evaluate", "settings": settings,
        "augmentation": views.augmentation(views.crop(set.grid))?, "seed": seed,
    });
    let mut report = Report::new(data.summary(), options);
    report.cost = Cost {
        train_seconds: Some(observer.seconds() - begun),
        loading: Some(data.loading),
        train_seconds_spent: Some(on_training),
        measure_seconds_spent: Some(on_measuring),
        ..Cost::default()
    };
    if let Some(text) = data.unmeasured() {
        observer.warn(&text);
        report.warnings.push(text);
    }
    report.set_results(result(settings, views, data, set, trained).into_iter().collect());
    Ok(Evaluated { report, student })
}

/// Students with consecutive seeds, to be trained on one set.
pub(super) struct Students<'a> {
    pub(super) settings: &'a Settings,
    pub(super) views: &'a ViewRequest,
    /// Seed of the first student.
    pub(super) seed: u64,
    pub(super) students: NonZeroUsize,
    /// `true` where the weights of the first student are part of the result.
    pub(super) keep_student: bool,
    /// Storage for finished students, and the seconds between two checkpoints of one that is not.
    pub(super) keep: Option<(&'a dyn Storage, f64)>,
}

/// Trains students on a set.
pub(super) fn train(
    training: &Students<'_>,
    data: &Dataset,
    set: &TrainingSet,
    devices: &Devices,
    observer: &dyn Observer,
) -> Result<(Vec<Trained>, [Spending; 2]), PipelineError> {
    let Students { settings, views, seed, students, keep_student, keep } = training;
    let augmentation = views.augmentation(views.crop(set.grid))?;
    let model = settings.model(data.classes.len());
    let of = fingerprint(&serde_json::json!([settings, augmentation, set.grid]), set, data);
    let jobs = (0..students.get() as u64).map(|repeat| {
        let seed = seed.wrapping_add(repeat);
        Job {
            name: format!("{}-{seed}", &of.to_string()[..8]),
            images: set.images.clone(),
            grid: set.grid,
            augmentation,
            seed,
            keep_weights: *keep_student && repeat == 0,
        }
    });
    let keep = keep.map(|(storage, every)| Keep { files: Kept::new(storage, STUDENTS, of), every });
    let val = &*data.val.images;
    Ok(train_all(jobs.collect(), keep, &model, settings.student, val, devices, observer)?)
}

/// Hash of everything that the students' results depend on, their seeds apart.
fn fingerprint(training: &serde_json::Value, set: &TrainingSet, data: &Dataset) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(training.to_string().as_bytes());
    for images in [&set.images, &data.val.images] {
        hasher.update(&images.fingerprint().0);
    }
    ContentHash(*hasher.finalize().as_bytes())
}

/// The result of students that trained on a set.
pub(super) fn result(
    settings: &Settings,
    views: &ViewRequest,
    data: &Dataset,
    set: &TrainingSet,
    trained: Vec<Trained>,
) -> Option<MethodResult> {
    let stored = StoredImages {
        images: set.images.len(),
        classes: data.classes.len(),
        bytes: set.bytes,
        grid: set.grid,
        side: settings.image_size as u32,
    };
    let setting = setting(set.name.clone(), settings, views.crop(set.grid), &stored);
    let runs = trained.into_iter().map(|trained| trained.outcome).collect();
    MethodResult::new(setting, data.classes.names(), runs, data.val.samples.len())
}
