//! The memory that a request would take, and what would fit where it is too much.

use std::fmt;

use super::facts::Sizes;
use crate::bounds::LOG_BYTES;
use crate::data::ImageSet;
use crate::pipeline::PipelineError;
use crate::pipeline::request::{Budget, CompressRequest};
use crate::report::words::bytes;
use crate::run::{RunError, Training};
use crate::train::{Length, Settings, TrainConfig, lies_on_gpu};

/// Sides of images that are tried where larger ones do not fit.
const SIDES: [u32; 8] = [224, 160, 128, 96, 64, 48, 32, 16];
/// Bytes of a value.
const FLOAT: u64 = 4;

/// Bytes of memory, each of them the least that it can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    /// Names, hashes and looks of all images.
    pub names: u64,
    /// What is kept of the images.
    pub images: u64,
    /// The training of proxies, and their log.
    pub proxies: u64,
    /// The training of students.
    pub students: u64,
    /// The pixels of the composites that students learn from.
    pub composites: u64,
    /// The host's at the same time.
    pub host: u64,
    /// The host's that is free, where the system tells.
    pub free: Option<u64>,
    /// A GPU's, where one trains.
    pub device: Option<u64>,
}

/// Bytes of a proxy's training log.
pub(super) fn log_bytes(config: &TrainConfig, images: usize) -> u64 {
    let epochs = config.steps(images) / config.steps_per_epoch(images).max(1);
    LOG_BYTES.saturating_mul(images as u64).saturating_mul(epochs as u64)
}

impl Memory {
    /// What a request takes with these settings in place of its own. `names` and `images` are what is kept of the images. `on_cpu` is
    /// `None` where nothing is trained.
    ///
    /// # Errors
    /// [`PipelineError`] for a budget that cannot be.
    pub fn new(
        request: &CompressRequest,
        settings: &Settings,
        sizes: Sizes,
        (names, images): (u64, u64),
        on_cpu: Option<bool>,
    ) -> Result<Self, PipelineError> {
        let mut memory = Self { names, images, ..Self::default() };
        let model = settings.model(sizes.classes);
        let side = settings.image_size;
        let mut device = 0;
        let resident = |images: usize| match lies_on_gpu(images, side) {
            true => FLOAT * (images * side * side) as u64,
            false => 0,
        };
        if let (Some(on_cpu), None) = (on_cpu, &request.common.score.given) {
            let networks = request.common.score.proxy.runs.get();
            let training = Training {
                model: &model,
                config: &settings.proxy,
                images: sizes.train,
                networks,
                logged: true,
            };
            memory.proxies = training.least_bytes(on_cpu);
            let one = Training { networks: 1, logged: false, ..training };
            device = one.least_bytes(true) + resident(sizes.train);
        }
        if let (Some(on_cpu), Some(students)) = (on_cpu, request.students) {
            let images = sizes.classes * per_class(request.common.budget)?;
            let training = Training {
                model: &model,
                config: &settings.student,
                images,
                networks: students.get(),
                logged: false,
            };
            memory.students = training.least_bytes(on_cpu);
            memory.composites = ImageSet::bytes_of(images as u64, side as u32);
            let one = Training { networks: 1, ..training }.least_bytes(true);
            // On a GPU all students train at once.
            device = device.max(one.saturating_mul(students.get() as u64) + resident(images));
        }
        memory.host = names + images + memory.proxies.max(memory.students + memory.composites);
        memory.device = on_cpu.filter(|on_cpu| !on_cpu).map(|_| device);
        Ok(memory)
    }

    /// Checks that it fits into what is `free`.
    ///
    /// # Errors
    /// [`RunError::Memory`] with the numbers and what would fit.
    pub fn ensure_fits(
        &self,
        request: &CompressRequest,
        sizes: Sizes,
        on_cpu: Option<bool>,
    ) -> Result<(), PipelineError> {
        let Some(free) = self.free.filter(|&free| self.host > free) else { return Ok(()) };
        let fits = self.what_fits(request, sizes, on_cpu, free)?;
        Err(RunError::Memory(format!(
            "this does not fit: it takes at least {}, and {} are free. {}",
            Parts(self),
            bytes(free),
            match fits {
                Some(what) => format!("What would fit: {what}"),
                None => "Nothing smaller of these options would fit: give fewer images, or free some memory"
                    .to_owned(),
            }
        ))
        .into())
    }

    fn what_fits(
        &self,
        request: &CompressRequest,
        sizes: Sizes,
        on_cpu: Option<bool>,
        free: u64,
    ) -> Result<Option<String>, PipelineError> {
        let rest = self.host - self.images;
        if rest < free {
            let room = size(free - rest);
            return Ok(Some(format!("`memory` {room}, with which images that are not kept are read again")));
        }
        let own = &request.common.settings;
        let fits = |settings: &Settings| -> Result<bool, PipelineError> {
            Ok(Self::new(request, settings, sizes, (self.names, 0), on_cpu)?.host <= free)
        };
        // One option at a time, then both batches, then smaller images.
        let mut settings = *own;
        while settings.proxy.batch > 1 {
            settings.proxy.batch = settings.proxy.batch.div_ceil(2);
            if fits(&settings)? {
                return Ok(Some(format!("`score-batch-size` {} and `memory` 0MB", settings.proxy.batch)));
            }
        }
        let mut settings = *own;
        while let Length::Epochs(epochs @ 2..) = settings.proxy.length {
            settings.proxy.length = Length::Epochs(epochs / 2);
            if fits(&settings)? {
                return Ok(Some(format!("`score-epochs` {} and `memory` 0MB", epochs / 2)));
            }
        }
        let mut settings = *own;
        while settings.student.batch > 1 {
            settings.student.batch = settings.student.batch.div_ceil(2);
            if fits(&settings)? {
                return Ok(Some(format!("`batch-size` {} and `memory` 0MB", settings.student.batch)));
            }
        }
        for side in SIDES.into_iter().filter(|&side| (side as usize) < own.image_size) {
            if fits(&own.with_image_size(side))? {
                return Ok(Some(format!("`image-size` {side} and `memory` 0MB")));
            }
        }
        Ok(None)
    }
}

fn per_class(budget: Budget) -> Result<usize, PipelineError> {
    Ok(budget.per_class()?.0 as usize)
}

/// A size as an option takes it, rounded down.
fn size(bytes: u64) -> String {
    match bytes {
        10_000_000_000.. => format!("{}GB", bytes / 1_000_000_000),
        1_000_000.. => format!("{}MB", bytes / 1_000_000),
        _ => format!("{bytes}B"),
    }
}

/// The host's memory and its parts.
struct Parts<'a>(&'a Memory);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { names, images, proxies, students, composites, host, .. } = *self.0;
        let parts: Vec<String> = [
            (names, "names and hashes"),
            (images, "images"),
            (proxies, "proxies and their log"),
            (students, "students"),
            (composites, "composites"),
        ]
        .into_iter()
        .filter(|(size, _)| *size > 0)
        .map(|(size, what)| format!("{what} {}", bytes(size)))
        .collect();
        write!(f, "{} of memory ({})", bytes(host), parts.join(", "))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at least {}", Parts(self))?;
        match self.free {
            Some(free) => write!(f, ", and {} are free", bytes(free))?,
            None => write!(f, "; how much is free the system does not tell")?,
        }
        match self.device {
            Some(device) => write!(f, "; at least {} on the device", bytes(device)),
            None => Ok(()),
        }
    }
}
