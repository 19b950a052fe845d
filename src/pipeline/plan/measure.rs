//! Rates of a device: real steps of the networks of a request, and real composites, as many as a few seconds allow.

use std::sync::Arc;

use super::facts::{Sizes, StepTime};
use crate::augment::Normalise;
use crate::combine::{IpcCounts, PickedSource, SetSpec};
use crate::data::{ClassMap, ImageSet, Sample};
use crate::device::Opened;
use crate::pipeline::request::CompressRequest;
use crate::pipeline::set::SetBuilder;
use crate::pipeline::{Originals, PipelineError};
use crate::run::{Observer, RunError};
use crate::train::{
    Evaluator, Length, Proxy, READ_EVERY, ScoringPass, Statistics, Student, Task, TrainConfig, TrainError,
    evaluate,
};

/// Images of the first step, which says how many more a step may have.
const FIRST: usize = 4;
/// Steps that are timed at least and at most.
const LEAST: usize = 3;
const MOST: usize = 400;
/// Images that a pass asks about at once at most.
const ASKED: usize = 250;

/// Rates of the networks of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trained {
    /// A proxy's step, where one is trained.
    pub proxy: Option<StepTime>,
    /// A student's step, where one is trained.
    pub student: Option<StepTime>,
    /// Seconds of an image in a pass that only asks the network.
    pub forward: f64,
    /// Passes that a student is measured by.
    pub passes: usize,
}

/// Trains the networks of a request for about so many `seconds` each, on images that are repeated until they fill a batch.
///
/// # Errors
/// [`PipelineError`] when the device fails or the observer stops the run. Memory that a device lacks for a batch is such a failure.
pub fn trained(
    request: &CompressRequest,
    sizes: Sizes,
    images: &ImageSet,
    opened: &Opened,
    seconds: f64,
    observer: &dyn Observer,
) -> Result<Trained, PipelineError> {
    let (common, device) = (&request.common, &opened.device);
    let settings = &common.settings;
    let model = settings.model(sizes.classes);
    let mut made = Trained::default();
    if common.score.given.is_none() {
        let full = settings.proxy.batch.min(sizes.train);
        let begin = |batch: usize| {
            let task = Proxy::task(Arc::new(repeated(images, batch)?), settings.proxy_min_scale);
            let config = trial(settings.proxy, batch);
            let mut proxy = Proxy::new(&model, config, task, ScoringPass::Train, common.seed, device)?;
            let step = move |steps| Ok(pollster::block_on(proxy.advance_by(steps))?);
            Ok(Box::new(step) as Box<dyn FnMut(usize) -> Result<(), RunError>>)
        };
        made.proxy = Some(timed(full, seconds, observer, &begin)?);
    }
    let grid = common.budget.grid;
    let augmentation = common.views.augmentation(common.views.crop(grid))?;
    let task = |batch: usize| -> Result<Task, TrainError> {
        Ok(Task {
            images: Arc::new(repeated(images, batch)?),
            grid,
            augmentation,
            normalise: Normalise::IMAGENET,
        })
    };
    if request.students.is_some() {
        let composites = sizes.classes * common.budget.per_class()?.0 as usize;
        let full = settings.student.batch.min(composites);
        let begin = |batch: usize| {
            let config = trial(settings.student, batch);
            let mut student = Student::new(&model, config, task(batch)?, common.seed, device)?;
            let step = move |steps| Ok(pollster::block_on(student.advance(steps))?);
            Ok(Box::new(step) as Box<dyn FnMut(usize) -> Result<(), RunError>>)
        };
        made.student = Some(timed(full, seconds, observer, &begin)?);
    }
    let student = task(FIRST)
        .and_then(|task| Student::new(&model, trial(settings.proxy, FIRST), task, common.seed, device));
    let network = student.map_err(RunError::from)?.network();
    let blurred = grid.tiles() > 1 && Evaluator::blurs(sizes.val, images.side());
    made.passes = 1 + usize::from(network.keeps_statistics()) + usize::from(blurred);
    let ask = |count: usize| -> Result<f64, PipelineError> {
        observer.go_on()?;
        let set = repeated(images, count).map_err(RunError::from)?;
        let begun = observer.seconds();
        let asked = evaluate(&network, device, &set, &Normalise::IMAGENET, ASKED, Statistics::Running);
        pollster::block_on(asked).map_err(RunError::from)?;
        Ok(observer.seconds() - begun)
    };
    ask(FIRST)?;
    let few = ask(FIRST)? / FIRST as f64;
    let count = ((seconds / 2.0 / few.max(1e-9)) as usize).clamp(FIRST, 2 * ASKED);
    if count > ASKED {
        // A GPU compiles, and allocates, for a batch when it first sees one.
        ask(ASKED)?;
    }
    made.forward = ask(count)? / count as f64;
    Ok(made)
}

/// A training that is as long as it may be timed. Its rate is so small that repeated images harm nothing.
fn trial(config: TrainConfig, batch: usize) -> TrainConfig {
    let length = Length::Epochs(2 * MOST);
    TrainConfig { batch, lr: 1e-9, length, horizon: length, ..config }
}

/// So many images, the same again and again.
fn repeated(images: &ImageSet, count: usize) -> Result<ImageSet, TrainError> {
    if images.is_empty() {
        return Err(TrainError::Empty);
    }
    let places = || (0..count).map(|place| place % images.len());
    let pixels = places().flat_map(|place| images.image(place)).copied().collect();
    let labels = places().map(|place| images.labels()[place]).collect();
    Ok(ImageSet::from_parts(images.side(), pixels, labels)?)
}

type Step<'a> = Box<dyn FnMut(usize) -> Result<(), RunError> + 'a>;

/// Times steps of `full` images, or of as many as can be made in some `seconds`.
fn timed<'a>(
    full: usize,
    seconds: f64,
    observer: &dyn Observer,
    begin: &dyn Fn(usize) -> Result<Step<'a>, RunError>,
) -> Result<StepTime, PipelineError> {
    let time = |step: &mut Step<'_>, steps: usize| -> Result<f64, RunError> {
        observer.go_on()?;
        let begun = observer.seconds();
        step(steps)?;
        Ok((observer.seconds() - begun) / steps as f64)
    };
    let mut tried = full.min(FIRST);
    let mut step = begin(tried)?;
    // The first step allocates and, on a GPU, compiles.
    step(1)?;
    let few = time(&mut step, 1)?;
    let affordable = seconds / (LEAST + 1) as f64 / few.max(1e-9) * tried as f64;
    let larger = full.min(affordable as usize);
    if larger > tried {
        tried = larger;
        step = begin(tried)?;
        step(1)?;
    }
    let (mut times, mut spent, mut steps) = (Vec::new(), 0.0, 0);
    // A run waits for the device once in so many steps.
    let at_once = if time(&mut step, 1)? * (READ_EVERY * LEAST) as f64 <= seconds { READ_EVERY } else { 1 };
    while times.len() < LEAST || (spent < seconds && steps < MOST) {
        let one = time(&mut step, at_once)?;
        spent += one * at_once as f64;
        steps += at_once;
        times.push(one);
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    Ok(StepTime { seconds: median * full as f64 / tried.max(1) as f64, tried, steps })
}

/// Seconds of a composite of a request, with all threads at work, from as many of the `samples` as some `seconds` allow.
///
/// # Errors
/// [`PipelineError`] when an image cannot be read any more, or the observer stops the run.
pub fn composite_seconds(
    request: &CompressRequest,
    (samples, originals): (&[Sample], &dyn Originals),
    seconds: f64,
    observer: &dyn Observer,
) -> Result<f64, PipelineError> {
    let common = &request.common;
    let tiles = common.budget.grid.tiles() as usize;
    let (mut made, mut spent, mut at_once) = (0, 0.0, 2 * rayon::current_num_threads());
    while made == 0 || (spent < seconds && made < 4 * samples.len().div_ceil(tiles)) {
        observer.go_on()?;
        let pick = |rank: usize| {
            let sample = &samples[(made * tiles + rank) % samples.len()];
            PickedSource { path: sample.path.clone(), hash: sample.hash, score: None, rank: rank as u32 }
        };
        let picks = vec![(0..at_once * tiles).map(pick).collect()];
        let spec = SetSpec {
            ipc: at_once as u32,
            ipc_counts: IpcCounts::Composites,
            ..request.spec(&ClassMap::new(["probe".to_owned()]))
        };
        let builder = SetBuilder::new(spec, common.style.fit, picks)?;
        let begun = observer.seconds();
        builder.in_memory(originals)?;
        spent += observer.seconds() - begun;
        made += at_once;
        at_once *= 2;
    }
    Ok(spent / made as f64)
}
