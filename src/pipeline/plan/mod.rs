//! What a request would take, before it is made: memory, and the time of each stage, from rates that were measured on a few images and
//! steps.
//!
//! An estimate: stages are counted exactly, and their units are taken to cost what the few that were tried did.

mod facts;
mod measure;
mod room;

use std::fmt;

use super::PipelineError;
use super::request::CompressRequest;
use crate::combine::CostEstimate;
use crate::report::Loading;
use crate::report::words::{bytes, count, counted, seconds};
use crate::train::{ScoringPass, TrainConfig, lies_on_gpu};

pub use facts::{Sizes, StepTime};
pub use measure::{Trained, composite_seconds, trained};
pub use room::Memory;

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Rates {
    /// Seconds of a file in the first pass, with all threads at work.
    pub first_pass: f64,
    /// Seconds of an image whenever it is used again, with all threads at work.
    pub again: f64,
    /// A proxy's step, where one is trained.
    pub proxy: Option<StepTime>,
    /// A student's step, where one is trained.
    pub student: Option<StepTime>,
    /// Seconds of an image in a pass that only asks the network.
    pub forward: f64,
    /// Passes over the images to measure on that a student is measured by.
    pub passes: usize,
    /// Seconds of a composite, with all threads at work.
    pub composite: f64,
    /// Seconds of choosing among all images.
    pub choose: f64,
}

/// A stage of a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PlannedStage {
    /// Its name.
    pub name: &'static str,
    /// What is done.
    pub work: String,
    /// Seconds that it takes.
    pub seconds: f64,
}

/// What a request would take.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Plan {
    /// Images and classes.
    #[serde(flatten)]
    pub sizes: Sizes,
    /// Bytes of the images' files.
    pub source_bytes: u64,
    /// Bytes that are written: those that are sure, and those of composites if they are photographs.
    pub written_bytes: (u64, u64),
    /// Memory.
    pub memory: Memory,
    /// What would be kept of the images.
    pub loading: Loading,
    /// The same in a sentence.
    pub kept: String,
    /// The device that trains; none where nothing is trained.
    pub device: Option<String>,
    /// The stages in their order.
    pub stages: Vec<PlannedStage>,
    /// Seconds of all stages.
    pub seconds: f64,
    /// What was measured.
    pub rates: Rates,
    /// What the estimate rests on.
    pub rests_on: Vec<String>,
}

impl CompressRequest {
    /// Bytes that the request writes: those that are sure, and those with composites of photographs.
    ///
    /// # Errors
    /// [`PipelineError`] for a budget that cannot be.
    pub fn written_bytes(&self, sizes: Sizes, cost: &CostEstimate) -> (u64, u64) {
        let log = match self.common.score.given {
            Some(_) => 0,
            None => room::log_bytes(&self.common.settings.proxy, sizes.train),
        };
        (log, log + cost.estimated_bytes)
    }

    /// The stages of the request and what each takes on the CPU (`gpus` 0), where images are made by the threads that train, or on so many
    /// GPUs, where they are made beside the training, and which share networks out.
    ///
    /// # Errors
    /// [`PipelineError`] for a budget that cannot be.
    pub fn stages(
        &self,
        sizes: Sizes,
        cost: &CostEstimate,
        rates: &Rates,
        gpus: usize,
    ) -> Result<Vec<PlannedStage>, PipelineError> {
        let (common, Sizes { train, val, classes }) = (&self.common, sizes);
        let settings = &common.settings;
        let files = train + val;
        let mut stages = vec![PlannedStage {
            name: "first pass",
            work: format!("{} read, decoded and hashed", counted(files as u64, "file", "files")),
            seconds: files as f64 * rates.first_pass,
        }];
        let on_cpu = gpus == 0;
        // Rounds of networks, where each GPU has one at a time, as a share of one after the other.
        let shared = |networks: usize| networks.div_ceil(gpus.max(1)) as f64 / networks.max(1) as f64;
        let beside = |computing: f64, loading: f64| match on_cpu {
            true => computing + loading,
            false => computing.max(loading),
        };
        let steps_of = |config: &TrainConfig, images: usize| config.steps(images) as f64;
        if let (None, Some(step)) = (&common.score.given, rates.proxy) {
            let (config, runs) = (&settings.proxy, common.score.proxy.runs.get());
            let steps = steps_of(config, train) * runs as f64;
            let epochs = config.steps(train) / config.steps_per_epoch(train).max(1);
            // Of an epoch the last batch may be smaller, so images are counted, not batches.
            let used = (train * epochs * runs) as f64;
            let batch = config.batch.min(train) as f64;
            let loading = match !on_cpu && lies_on_gpu(train, settings.image_size) {
                true => train as f64 * rates.again * runs as f64,
                false => used * rates.again,
            };
            stages.push(PlannedStage {
                name: "proxy training",
                work: format!(
                    "{} of {} images: {} of {}",
                    counted(steps as u64, "step", "steps"),
                    config.batch,
                    counted(runs as u64, "proxy", "proxies"),
                    counted(epochs as u64, "epoch", "epochs"),
                ),
                seconds: beside(used / batch * step.seconds * shared(runs), loading),
            });
            if common.score.proxy.pass == ScoringPass::Eval {
                stages.push(PlannedStage {
                    name: "eval passes",
                    work: format!(
                        "{} over {} images",
                        counted((epochs * runs) as u64, "pass", "passes"),
                        count(train as u64)
                    ),
                    seconds: beside(used * rates.forward * shared(runs), used * rates.again),
                });
            }
        }
        stages.push(PlannedStage {
            name: "prune",
            work: format!("a choice among {} images, without the search for copies", count(train as u64)),
            seconds: rates.choose,
        });
        stages.push(PlannedStage {
            name: "combine",
            work: format!("{} composites of {} images", count(cost.composites), count(cost.sources)),
            seconds: cost.composites as f64 * rates.composite,
        });
        if let (Some(students), Some(step)) = (self.students, rates.student) {
            let (config, students) = (&settings.student, students.get());
            let images = classes * common.budget.per_class()?.0 as usize;
            let batch = config.batch.min(images);
            let steps = steps_of(config, images) * students as f64;
            let epochs = steps / config.steps_per_epoch(images).max(1) as f64;
            let asked = (val * rates.passes * students) as f64;
            stages.push(PlannedStage {
                name: "students",
                work: format!(
                    "{} of {batch} images: {}, each measured {} on {} images",
                    counted(steps as u64, "step", "steps"),
                    counted(students as u64, "student", "students"),
                    counted(rates.passes as u64, "time", "times"),
                    count(val as u64)
                ),
                seconds: epochs * images as f64 / batch.max(1) as f64 * step.seconds * shared(students)
                    + beside(asked * rates.forward * shared(students), asked * rates.again),
            });
        }
        Ok(stages)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sizes { train, val, classes } = self.sizes;
        writeln!(f, "An estimate: nothing was trained or written.")?;
        writeln!(
            f,
            "  images: {} to learn from and {} to measure on, in {}; {} on disk",
            count(train as u64),
            count(val as u64),
            counted(classes as u64, "class", "classes"),
            bytes(self.source_bytes)
        )?;
        let (sure, likely) = self.written_bytes;
        let log =
            if sure > 0 { format!(", {} of them the training log", bytes(sure)) } else { String::new() };
        writeln!(f, "  to write: about {} if the images are photographs{log}", bytes(likely))?;
        writeln!(f, "  memory: {}", self.memory)?;
        writeln!(f, "  kept: {}", self.kept)?;
        writeln!(f, "  device: {}", self.device.as_deref().unwrap_or("none, as nothing is trained"))?;
        let width = self.stages.iter().map(|stage| stage.name.len()).max().unwrap_or(0);
        for PlannedStage { name, work, seconds: time } in &self.stages {
            writeln!(f, "  {name:width$}  {:>12}  {work}", seconds(*time))?;
        }
        writeln!(f, "  {:width$}  {:>12}", "together", seconds(self.seconds))?;
        write!(f, "It rests on {}.", self.rests_on.join("; "))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::data::OnError;
    use crate::fault::{Fault, Faulty as _};
    use crate::pipeline::testing::common;
    use crate::prune::Rule;
    use crate::train::Length;

    const SIZES: Sizes = Sizes { train: 1000, val: 100, classes: 10 };
    const STEP: StepTime = StepTime { seconds: 2.0, tried: 4, steps: 3 };
    const RATES: Rates = Rates {
        first_pass: 0.01,
        again: 0.1,
        proxy: Some(STEP),
        student: Some(STEP),
        forward: 0.5,
        passes: 3,
        composite: 0.25,
        choose: 7.0,
    };

    /// Two epochs of batches of 100 for the proxy; 4 steps of 4 of 20 composites for each of three students.
    fn request() -> CompressRequest {
        let mut common = common();
        common.settings.proxy.batch = 100;
        CompressRequest {
            common,
            rule: Rule::Easy,
            students: NonZeroUsize::new(3),
            val_fraction: 0.2,
            on_error: OnError::Skip,
        }
    }

    fn cost(request: &CompressRequest) -> CostEstimate {
        let names = (0..10).map(|class| class.to_string());
        CostEstimate::new(&request.spec(&crate::data::ClassMap::new(names))).expect("a budget")
    }

    fn seconds_of(request: &CompressRequest, rates: &Rates, gpus: usize) -> Vec<(&'static str, f64)> {
        let stages = request.stages(SIZES, &cost(request), rates, gpus).expect("a budget");
        stages.iter().map(|stage| (stage.name, (stage.seconds * 1e6).round() / 1e6)).collect()
    }

    #[test]
    fn stages_are_counted_exactly_and_each_unit_costs_what_was_measured() {
        let mut request = request();
        // 2,000 uses of images: 20 steps of 2 s and, on the CPU, 0.1 s for each image. 12 steps of students, and 900 images asked.
        let expected = [
            ("first pass", 11.0),
            ("proxy training", 240.0),
            ("prune", 7.0),
            ("combine", 5.0),
            ("students", 564.0),
        ];
        assert_eq!(seconds_of(&request, &RATES, 0), expected);
        request.common.score.proxy.pass = ScoringPass::Eval;
        request.common.score.proxy.runs = NonZeroUsize::new(2).expect("not 0");
        let twice = seconds_of(&request, &RATES, 0);
        assert_eq!(twice[1..3], [("proxy training", 480.0), ("eval passes", 4000.0 * 0.6)]);
    }

    #[test]
    fn on_a_gpu_the_slower_of_steps_and_images_counts_and_images_that_lie_there_come_once() {
        let request = request();
        // 1,000 images of 16 px lie on a GPU: they are read once.
        assert_eq!(seconds_of(&request, &RATES, 1)[1], ("proxy training", 100.0));
        let mut large = request;
        large.common.settings.image_size = 1024;
        assert_eq!(seconds_of(&large, &RATES, 1)[1], ("proxy training", 200.0));
        // Two proxies on two GPUs take the time of one.
        large.common.score.proxy.runs = NonZeroUsize::new(2).expect("not 0");
        assert_eq!(seconds_of(&large, &RATES, 1)[1], ("proxy training", 400.0));
        let long = StepTime { seconds: 30.0, ..STEP };
        let long = Rates { proxy: Some(long), ..RATES };
        let [one, two, three] = [1, 2, 3].map(|gpus| seconds_of(&large, &long, gpus)[1].1);
        assert_eq!([one, two, three], [1200.0, 600.0, 600.0]);
        large.common.score.proxy.runs = NonZeroUsize::MIN;
        let slow = StepTime { seconds: 30.0, ..STEP };
        let slow = Rates { proxy: Some(slow), ..RATES };
        assert_eq!(seconds_of(&large, &slow, 1)[1], ("proxy training", 600.0));
    }

    #[test]
    fn without_students_and_with_given_scores_nothing_is_trained() {
        let mut request = request();
        request.students = None;
        let rates = Rates { proxy: None, student: None, ..RATES };
        let names: Vec<_> = seconds_of(&request, &rates, 0).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["first pass", "prune", "combine"]);
        let memory = Memory::new(&request, &request.common.settings, SIZES, (3, 4), None).expect("a budget");
        assert_eq!((memory.host, memory.device), (7, None));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would_which_then_fits() {
        let mut request = request();
        request.common.settings.image_size = 224;
        request.common.settings.proxy.batch = 256;
        let of = |request: &CompressRequest, images: u64| {
            Memory::new(request, &request.common.settings, SIZES, (1000, images), Some(true))
                .expect("a budget")
        };
        let whole = of(&request, 150_528_000);
        assert!(whole.ensure_fits(&request, SIZES, Some(true)).is_ok(), "nobody knows what is free");
        let refused = |memory: Memory, request: &CompressRequest, free: u64| {
            let memory = Memory { free: Some(free), ..memory };
            let error = memory.ensure_fits(request, SIZES, Some(true)).expect_err("too little");
            assert_eq!(error.fault(), Fault::Usage);
            error.to_string()
        };
        // The images alone are too many: less of them is kept.
        let said = refused(whole, &request, whole.host - 50_000_000);
        assert!(said.contains("What would fit: `memory` 100MB"), "{said}");
        // The training is too large: the batch that is named is the first of its halves that fits.
        let bare = of(&request, 0);
        let said = refused(bare, &request, bare.host * 6 / 10);
        assert!(said.contains("`score-batch-size` 128 and `memory` 0MB"), "{said}");
        request.common.settings.proxy.batch = 128;
        assert!(of(&request, 0).host <= bare.host * 6 / 10);
        // A log of many epochs: fewer of them.
        request.common.settings.proxy.length = Length::Epochs(100_000);
        let long = of(&request, 0);
        let said = refused(long, &request, long.host * 6 / 10);
        assert!(said.contains("`score-epochs` 50000"), "{said}");
        let said = refused(long, &request, 10);
        assert!(said.contains("give fewer images"), "{said}");
    }
}
