//! Students trained on an existing set.

use std::sync::Arc;

use super::cell::{StoredImages, setting};
use super::request::EvaluateRequest;
use super::views::ViewRequest;
use super::{Dataset, PipelineError};
use crate::data::{Grid, ImageSet};
use crate::device::Opened;
use crate::report::{Cost, MethodResult, Report};
use crate::run::{Job, Observer, Trained, train_all};
use crate::train::Settings;

/// Stored images to train on.
#[derive(Clone)]
pub struct TrainingSet {
    /// The name of its method or folder.
    pub name: String,
    /// The stored images.
    pub images: Arc<ImageSet>,
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

/// Trains students on a set and measures them on the validation images of a dataset.
///
/// # Errors
/// [`PipelineError`] for views that cannot be made, a device that fails, or a run that is stopped.
pub fn evaluate(
    request: &EvaluateRequest,
    data: &Dataset,
    set: &TrainingSet,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Evaluated, PipelineError> {
    data.ensure_measurable()?;
    let begun = observer.seconds();
    let EvaluateRequest { settings, seed, students, views, .. } = request;
    let trained = train(settings, views, (*seed, students.get()), data, set, opened, observer)?;
    let first = trained.first().and_then(|first| first.network.as_ref());
    let student = match first.filter(|_| request.keep_student) {
        Some(network) => Some(pollster::block_on(network.to_safetensors())?),
        None => None,
    };
    let options = serde_json::json!({
        "command": "evaluate", "settings": settings,
        "augmentation": views.augmentation(views.crop(set.grid))?, "seed": seed,
    });
    let mut report = Report::new(data.summary(), options);
    report.cost = Cost { train_seconds: Some(observer.seconds() - begun), ..Cost::default() };
    if let Some(text) = data.unmeasured() {
        observer.warn(&text);
        report.warnings.push(text);
    }
    report.set_results(result(settings, views, data, set, trained).into_iter().collect());
    Ok(Evaluated { report, student })
}

/// Trains `count` students with consecutive seeds, beginning with `seed`.
pub(super) fn train(
    settings: &Settings,
    views: &ViewRequest,
    (seed, count): (u64, usize),
    data: &Dataset,
    set: &TrainingSet,
    opened: &Opened,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, PipelineError> {
    let augmentation = views.augmentation(views.crop(set.grid))?;
    let jobs = (0..count as u64).map(|repeat| Job {
        name: repeat.to_string(),
        images: set.images.clone(),
        grid: set.grid,
        augmentation,
        seed: seed.wrapping_add(repeat),
    });
    let model = settings.model(data.classes.len());
    let val = &data.val.images;
    Ok(train_all(jobs.collect(), None, &model, settings.student, val, opened, observer)?)
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
