//! The ranges of numbers that a user may give, and what a number outside costs.
//!
//! Every surface checks against these, so that no number is cut to fewer bits on its way, and none makes the machine run out
//! of memory or threads before anything is said.

use crate::fault::{Fault, Faulty};
use crate::quantity::{bytes, count};

/// Bytes of the training log for one image in one epoch.
pub const LOG_BYTES: u64 = 18;

/// Range of an option that is a whole number.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// Name of the option.
    pub option: &'static str,
    /// The smallest value.
    pub least: u64,
    /// The largest value.
    pub most: u64,
    /// What a value costs, for the message about one that is too large.
    cost: fn(u64) -> String,
}

/// Range of an option that is a number: a finite one.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// Name of the option.
    pub option: &'static str,
    /// `true` where 0 is allowed.
    zero: bool,
    /// The largest value.
    most: f64,
}

/// A number outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{option}` {given} is {}", self.advice())]
pub struct BoundError {
    /// Name of the option.
    pub option: &'static str,
    given: String,
    range: String,
    cost: String,
}

impl BoundError {
    /// The range, and what the number would cost: for a message that names the option itself.
    pub fn advice(&self) -> String {
        format!("out of range: give {}{}", self.range, self.cost)
    }
}

impl Faulty for BoundError {
    fn fault(&self) -> Fault {
        Fault::Usage
    }
}

impl Whole {
    const fn new(option: &'static str, most: u64, cost: fn(u64) -> String) -> Self {
        Self { option, least: 1, most, cost }
    }

    /// The same range under another name.
    #[must_use]
    pub const fn named(self, option: &'static str) -> Self {
        Self { option, ..self }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// [`BoundError`] outside the range; for a value that is too large it says what that would cost.
    pub fn check(self, value: u64) -> Result<(), BoundError> {
        if (self.least..=self.most).contains(&value) {
            return Ok(());
        }
        let cost = if value > self.most { format!("; {}", (self.cost)(value)) } else { String::new() };
        let range = format!("{} to {}", self.least, count(self.most));
        Err(BoundError { option: self.option, given: value.to_string(), range, cost })
    }
}

impl Number {
    /// The same range under another name.
    #[must_use]
    pub const fn named(self, option: &'static str) -> Self {
        Self { option, ..self }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// [`BoundError`] outside the range, and for what is no finite number.
    pub fn check(self, value: f64) -> Result<(), BoundError> {
        // NaN fails every comparison.
        if value <= self.most && (value > 0.0 || (self.zero && value == 0.0)) {
            return Ok(());
        }
        let from = if self.zero { "a number from 0" } else { "a number above 0 and" };
        let range = format!("{from} up to {:e}", self.most);
        Err(BoundError { option: self.option, given: value.to_string(), range, cost: String::new() })
    }
}

/// Side of an image in pixels.
pub const SIDE: Whole = Whole::new("image-size", 4096, |side| {
    format!("one image of that side takes {}", bytes(side.saturating_mul(side).saturating_mul(3)))
});

/// Channels of a ConvNet: with the gradient and AdamW's two moments each weight of a 3×3 convolution takes 16 bytes.
pub const WIDTH: Whole = Whole::new("width", 4096, |width| {
    let weights = width.saturating_mul(width).saturating_mul(9);
    format!("each convolution of that width takes {} in training", bytes(weights.saturating_mul(16)))
});

/// Images in a batch.
pub const BATCH: Whole = Whole::new("batch-size", 65_536, |batch| {
    format!("even at 32 px the pixels of that batch take {}", bytes(batch.saturating_mul(32 * 32 * 3 * 4)))
});

/// Optimiser steps.
pub const STEPS: Whole = Whole::new("steps", 100_000_000, |steps| {
    format!("at a thousand steps a second that takes {}", days(steps as f64 / 1000.0))
});

/// Passes over a training set.
pub const EPOCHS: Whole = Whole::new("epochs", 1_000_000, |epochs| {
    format!("at ten passes a second that takes {}", days(epochs as f64 / 10.0))
});

/// Epochs that a proxy trains.
pub const SCORE_EPOCHS: Whole = Whole::new("score-epochs", 10_000, |epochs| {
    let log = bytes(epochs.saturating_mul(1000 * LOG_BYTES));
    format!("for every 1,000 images the training log of that many epochs takes {log}")
});

/// Proxies that are averaged.
pub const RUNS: Whole =
    Whole::new("runs", 1000, |runs| format!("that many proxies train {} times as long as one", count(runs)));

/// Seeds of students.
pub const REPEATS: Whole = Whole::new("repeats", 10_000, |repeats| {
    let seconds = days(repeats as f64);
    format!("{} students take {seconds} where one takes a second", count(repeats))
});

/// Students that train at once.
pub const STUDENTS: Whole = Whole::new("students", 1024, |students| {
    format!(
        "{} students take {} of threads' stacks alone",
        count(students),
        bytes(students.saturating_mul(2 << 20))
    )
});

/// Threads.
pub const THREADS: Whole = Whole::new("threads", 1024, |threads| {
    format!("that many threads reserve {} for their stacks", bytes(threads.saturating_mul(2 << 20)))
});

/// Stored images, or source images, a class.
pub const IPC: Whole = Whole::new("ipc", 1_000_000, |ipc| {
    format!("at 64 px that many images take {} for each class", bytes(ipc.saturating_mul(64 * 64 * 3)))
});

/// A learning rate; the optimiser computes in 32 bits.
pub const RATE: Number = Number { option: "lr", zero: false, most: 1e38 };

/// Weight decay; 0 is none.
pub const WEIGHT_DECAY: Number = Number { option: "weight-decay", zero: true, most: 1e38 };

/// A long time in words.
fn days(seconds: f64) -> String {
    let days = seconds / 86_400.0;
    if days < 1.0 { format!("{:.0} hours", seconds / 3600.0) } else { format!("{days:.0} days") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_is_named_with_the_range_and_what_it_costs() {
        let error = SCORE_EPOCHS.check(4_294_967_299).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`score-epochs` 4294967299 is out of range: give 1 to 10,000; for every 1,000 images the training log of \
             that many epochs takes 77.3 TB"
        );
        assert_eq!(error.fault(), Fault::Usage);
        assert_eq!(
            WIDTH.check(100_000).unwrap_err().to_string(),
            "`width` 100000 is out of range: give 1 to 4,096; each convolution of that width takes 1.4 TB in training"
        );
        assert_eq!(
            THREADS.named("cores").check(0).unwrap_err().to_string(),
            "`cores` 0 is out of range: give 1 to 1,024"
        );
        for bound in [SIDE, WIDTH, BATCH, STEPS, EPOCHS, SCORE_EPOCHS, RUNS, REPEATS, STUDENTS, THREADS, IPC]
        {
            assert!(bound.check(bound.least).is_ok() && bound.check(bound.most).is_ok(), "{}", bound.option);
            assert!(bound.check(bound.most + 1).is_err() && bound.check(u64::MAX).is_err());
            // Every one fits what it is counted in later.
            assert!(bound.most <= u64::from(u32::MAX));
        }
    }

    #[test]
    fn what_is_no_positive_finite_number_is_no_learning_rate() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, -0.0, 1e300] {
            let message = RATE.named("score-lr").check(value).unwrap_err().to_string();
            assert!(message.starts_with(&format!("`score-lr` {value} is out of range")), "{message}");
        }
        assert!(RATE.check(1e-9).is_ok() && RATE.check(0.1).is_ok());
        assert!(WEIGHT_DECAY.check(0.0).is_ok() && WEIGHT_DECAY.check(5e-4).is_ok());
        for value in [f64::NAN, f64::INFINITY, -1e-9, 1e300] {
            assert!(WEIGHT_DECAY.check(value).is_err(), "{value}");
        }
    }
}
