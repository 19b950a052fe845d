//! Where the time of trainings goes.

use std::sync::{Mutex, PoisonError};

use crate::data::{Source, Spent};
use crate::report::Spending;
use crate::train::Times;

/// Adds up the time of trainings that may run side by side, and what was spent on their images meanwhile.
pub(super) struct Meter<'a> {
    images: Vec<&'a dyn Source>,
    before: Vec<Spent>,
    spending: Mutex<Spending>,
}

impl<'a> Meter<'a> {
    /// A meter that begins now. Each source is one of its own.
    pub(super) fn new(images: Vec<&'a dyn Source>) -> Self {
        let before = images.iter().map(|images| images.spent()).collect();
        Self { images, before, spending: Mutex::default() }
    }

    /// Counts some seconds, of which `times` were no computing.
    pub(super) fn add(&self, seconds: f64, times: Times) {
        let mut spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.seconds += seconds;
        spending.wait_seconds += times.wait;
        spending.copy_seconds += times.copy;
    }

    /// All that was counted so far.
    pub(super) fn spending(&self) -> Spending {
        let mut all = *self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        for (images, &before) in self.images.iter().zip(&self.before) {
            let spent = images.spent().since(before);
            all.images += spent.images;
            all.read_seconds += spent.read;
            all.decode_seconds += spent.decode;
            all.resize_seconds += spent.resize;
        }
        all
    }
}

/// A training's share of time in waiting, for a line of progress; `None` for images in memory.
pub(super) fn waiting(images: &dyn Source, seconds: f64, times: Times) -> Option<String> {
    let share = 100.0 * times.wait / seconds;
    (images.spent().images > 0 && share.is_finite()).then(|| format!("{share:.0} % of it waiting for images"))
}
