//! One training, from its last checkpoint to its end.
//!
//! A training is saved every few minutes and when the user asks to stop, so that the next process loses no more than the work
//! since then. It ends bit for bit as if nothing had happened.

use super::meter::{Meter, waiting};
use super::pace::Pace;
use super::rotation::{self, Rotation};
use super::{Kept, Observer, RunError, Stage};
use crate::train::{Progress, Proxy, ProxyError, READ_EVERY, Student, TrainError, ranks};

/// Place for the work of a run: finished parts, from which an equal run takes what it need not do again, and checkpoints of
/// unfinished ones.
#[derive(Clone, Copy)]
pub struct Keep<'a> {
    /// The kept files.
    pub files: Kept<'a>,
    /// Seconds between two checkpoints of a training.
    pub every: f64,
}

impl Keep<'_> {
    /// `true` where a training is to be saved that was saved, or begun, `seconds` ago.
    pub(super) fn is_due(self, seconds: f64) -> bool {
        seconds >= self.every
    }

    /// Removes the checkpoints of a training whose result is kept.
    ///
    /// # Errors
    /// [`RunError::Storage`] when one is there and cannot be removed.
    pub(super) fn forget(self, training: &str) -> Result<(), RunError> {
        rotation::forget(self.files, training)
    }
}

/// A training that can be saved and continued.
pub(super) trait Resumable {
    /// `true` once all its work is done.
    fn finished(&self) -> bool;
    /// Works up to the next reading of the device, or until `go_on` is `false`.
    fn advance(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), RunError>;
    /// Saves it as bytes.
    fn save(&mut self) -> Result<Vec<u8>, RunError>;
    /// Continues from saved bytes.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProxyError>;
    /// Measures its time from now on by a clock of seconds.
    fn time_by(&mut self, clock: fn() -> f64);
    /// Its steps, times, images and losses.
    fn progress(&self) -> &Progress;

    /// Whether to stop, where `own` is this process's wish: the same answer for all that train together.
    fn agreed(&self, own: bool) -> Result<bool, RunError> {
        Ok(own)
    }

    /// The checkpoint from which all that train together go on, where `own` is the one that this process has found.
    fn told(&self, own: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, RunError> {
        Ok(own)
    }
}

/// Works on a training to its end, from its checkpoint in `keep` if there is one. The checkpoint is left for
/// [`Keep::forget`], as the training's result must be kept first.
///
/// # Errors
/// [`RunError::Stopped`] when the observer asks for it; the training is then saved. [`RunError::Checkpoint`] for a checkpoint
/// that is not of this training, and the errors of the training and of the storage.
pub(super) fn finish(
    training: &mut impl Resumable,
    name: &str,
    keep: Option<Keep<'_>>,
    stage: &dyn Stage,
    meter: &Meter<'_>,
    observer: &dyn Observer,
) -> Result<(), RunError> {
    let mut checkpoints = resume(training, name, keep, stage, observer)?;
    training.time_by(observer.clock());
    let begun = observer.seconds();
    let mut saved = begun;
    let mut pace = Pace::new(training.progress(), begun);
    while !training.finished() {
        let before = training.progress().steps_made();
        training.advance(&|| !observer.wants_stop())?;
        let (stop, now) = (training.agreed(observer.wants_stop())?, observer.seconds());
        let progress = training.progress();
        if let Some(note) = waiting(&*progress.task().images, now - begun, progress.times()) {
            stage.note(&note);
        }
        if let Some(reading) = pace.reading(name, progress, now) {
            stage.reading(&reading);
        }
        stage.add(progress.steps_made() - before);
        if training.finished() {
            break;
        }
        if let (Some(keep), Some(checkpoints)) = (keep, &mut checkpoints)
            && (stop || keep.is_due(now - saved))
        {
            checkpoints.save(&training.save()?)?;
            stage.saved(name, training.progress().steps_made());
            saved = now;
        }
        if stop {
            return Err(RunError::Stopped);
        }
    }
    meter.add(observer.seconds() - begun, training.progress().times());
    Ok(())
}

/// Lets a new training go on from its newest checkpoint in `keep` that can be read, if there is one, and gives the place for the next.
///
/// # Errors
/// [`RunError::Checkpoint`] for a checkpoint that is not of this training, and the errors of the storage.
pub(super) fn resume<'a>(
    training: &mut impl Resumable,
    name: &str,
    keep: Option<Keep<'a>>,
    stage: &dyn Stage,
    observer: &dyn Observer,
) -> Result<Option<Rotation<'a>>, RunError> {
    let opened = keep.map(|keep| Rotation::open(keep.files, name, observer)).transpose()?;
    let (checkpoints, found) = opened.map_or((None, None), |(checkpoints, found)| (Some(checkpoints), found));
    // Where another process has found it, its name is not known here.
    let (file, own) = found.map_or((name.to_owned(), None), |(file, bytes)| (file, Some(bytes)));
    if let Some(bytes) = training.told(own)? {
        training.restore(&bytes).map_err(|source| RunError::Checkpoint { file, source })?;
        stage.add(training.progress().steps_made());
    }
    Ok(checkpoints)
}

/// Number of steps to the next reading of the device.
fn to_next_reading(made: usize) -> usize {
    READ_EVERY - made % READ_EVERY
}

impl Resumable for Student {
    fn finished(&self) -> bool {
        Progress::finished(self)
    }

    fn advance(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), RunError> {
        let steps = to_next_reading(self.steps_made());
        Ok(pollster::block_on(self.advance_while(steps, go_on))?)
    }

    fn save(&mut self) -> Result<Vec<u8>, RunError> {
        Ok(pollster::block_on(self.checkpoint()).map_err(ProxyError::from)?)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        Ok(Student::restore(self, bytes)?)
    }

    fn time_by(&mut self, clock: fn() -> f64) {
        Student::time_by(self, clock);
    }

    fn progress(&self) -> &Progress {
        self
    }
}

impl Resumable for Proxy {
    fn finished(&self) -> bool {
        Proxy::finished(self)
    }

    fn advance(&mut self, go_on: &dyn Fn() -> bool) -> Result<(), RunError> {
        let steps = to_next_reading(self.student().steps_made());
        // Ranks make the same steps, and agree on stopping between two readings.
        let shared = self.ranks().is_some();
        Ok(pollster::block_on(self.advance_while(steps, &|| shared || go_on()))?)
    }

    fn save(&mut self) -> Result<Vec<u8>, RunError> {
        Ok(pollster::block_on(self.checkpoint())?)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        Proxy::restore(self, bytes)
    }

    fn agreed(&self, own: bool) -> Result<bool, RunError> {
        match self.ranks() {
            None => Ok(own),
            Some(ranks) => Ok(ranks::any(&*ranks, own).map_err(TrainError::Ranks)?),
        }
    }

    fn told(&self, own: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, RunError> {
        match self.ranks() {
            None => Ok(own),
            Some(ranks) => Ok(ranks::told(&*ranks, own).map_err(TrainError::Ranks)?),
        }
    }

    fn time_by(&mut self, clock: fn() -> f64) {
        Proxy::time_by(self, clock);
    }

    fn progress(&self) -> &Progress {
        self.student()
    }
}
