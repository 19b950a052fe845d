//! Progress and messages while the program works: bars on a terminal, plain lines elsewhere.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::exit::{self, Result};
use super::options::flags;
use super::out;
use crate::run;
use crate::words::visible;

/// Time between two lines of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The terminal or the file that messages go to.
pub(super) struct Console {
    quiet: bool,
    json: bool,
    bars: bool,
}

impl Console {
    pub(super) fn new(quiet: bool, json: bool) -> Self {
        Self { quiet, json, bars: !quiet && std::io::stderr().is_terminal() }
    }

    /// The same console for a part of a larger command, whose own result is not the result.
    pub(super) fn without_result(&self) -> Self {
        Self { quiet: self.quiet || self.json, json: false, bars: self.bars }
    }

    /// The console of a rank other than the first, which says nothing but errors.
    pub(super) fn of_follower() -> Self {
        Self { quiet: true, json: false, bars: false }
    }

    /// `true` where the result is printed as JSON.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// A line about what was found or done. With `--json` standard output belongs to the result.
    pub(super) fn say(&self, message: impl Display) {
        if self.quiet {
        } else if self.json {
            out::tell(&message.to_string());
        } else {
            out::say(&message.to_string());
        }
    }

    /// A warning: what is wrong and what to do about it.
    pub(super) fn warn(&self, message: impl Display) {
        if !self.quiet {
            out::tell(&format!("warning: {message}"));
        }
    }

    /// The result itself, which `--quiet` does not suppress when it was asked for as JSON.
    ///
    /// # Errors
    /// A failure of the run where somebody reads standard output and the result does not get there.
    pub(super) fn result(&self, value: &serde_json::Value, text: impl Display) -> Result<()> {
        if self.json {
            Ok(out::result(&out::json(value))?)
        } else if self.quiet {
            Ok(())
        } else {
            Ok(out::result(&text.to_string())?)
        }
    }
}

impl run::Observer for Console {
    // What the core says is one line, whatever names of files it holds.
    fn say(&self, text: &str) {
        Console::say(self, visible(&flags(text)));
    }

    fn warn(&self, text: &str) {
        Console::warn(self, visible(&flags(text)));
    }

    fn stage(&self, name: &'static str, unit: &'static str, total: usize) -> Box<dyn run::Stage + '_> {
        let bar = self.bars.then(|| {
            let template = format!(
                "{{prefix:>9}} {{wide_bar}} {{pos}}/{{len}} {unit}  {{per_sec:>12}}  ETA {{eta}}{{msg}}"
            );
            let style =
                ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total as u64).with_prefix(name).with_style(style)
        });
        let now = Instant::now();
        let plain = (!self.bars && !self.quiet)
            .then(|| Mutex::new(Plain { done: 0, last: now, note: String::new() }));
        Box::new(Stage { name, unit, total, begun: now, bar, plain })
    }

    fn wants_stop(&self) -> bool {
        exit::interrupted()
    }

    fn seconds(&self) -> f64 {
        clock()
    }

    fn clock(&self) -> fn() -> f64 {
        clock
    }

    fn free_memory(&self) -> Option<u64> {
        crate::fs::free_memory()
    }
}

/// Seconds since the first call.
pub(super) fn clock() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

struct Plain {
    done: usize,
    last: Instant,
    /// What is shown beside the progress.
    note: String,
}

/// A stage in progress.
struct Stage {
    name: &'static str,
    unit: &'static str,
    total: usize,
    begun: Instant,
    bar: Option<ProgressBar>,
    plain: Option<Mutex<Plain>>,
}

impl run::Stage for Stage {
    fn add(&self, units: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(units as u64);
        }
        let Some(Ok(mut plain)) = self.plain.as_ref().map(Mutex::lock) else {
            return;
        };
        plain.done += units;
        if plain.last.elapsed() >= LINE_EVERY {
            plain.last = Instant::now();
            let rate = plain.done as f64 / self.begun.elapsed().as_secs_f64();
            let left = self.total.saturating_sub(plain.done) as f64 / rate;
            let (name, unit, done, total) = (self.name, self.unit, plain.done, self.total);
            // Two digits, so that a slow stage does not read "0 steps/s".
            let digits = usize::from(rate < 10.0);
            let note = &plain.note;
            out::tell(&format!(
                "{name}: {done}/{total} {unit}, {rate:.digits$} {unit}/s, ETA {left:.0} s{note}"
            ));
        }
    }

    fn note(&self, text: &str) {
        let text = format!(", {text}");
        if let Some(Ok(mut plain)) = self.plain.as_ref().map(Mutex::lock) {
            plain.note.clone_from(&text);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
