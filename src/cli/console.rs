//! Progress and messages while the program works: bars on a terminal, plain lines elsewhere.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::exit::{self, Result};
use super::options::flags;
use super::out;
use super::watch::{Event, Every, Watch};
use crate::run;
use crate::words::visible;

/// Time between two lines of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The terminal or the file that messages go to.
pub(super) struct Console {
    quiet: bool,
    json: bool,
    bars: bool,
    /// Those who are told of everything, too.
    watch: Option<Watch>,
}

impl Console {
    pub(super) fn new(quiet: bool, json: bool) -> Self {
        Self { quiet, json, bars: !quiet && std::io::stderr().is_terminal(), watch: None }
    }

    /// The same console, which tells others, too.
    pub(super) fn watched(&self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..*self }
    }

    /// Tells those who are told of everything.
    pub(super) fn hand_on(&self, event: &Event<'_>) {
        let Some(watch) = &self.watch else { return };
        for text in watch.tell(event) {
            if !self.quiet {
                out::tell(&format!("warning: {text}"));
            }
        }
    }

    /// The same console for a part of a larger command, whose own result is not the result.
    pub(super) fn without_result(&self) -> Self {
        Self { quiet: self.quiet || self.json, json: false, bars: self.bars, watch: None }
    }

    /// The console of a rank other than the first, which says nothing but errors.
    pub(super) fn of_follower() -> Self {
        Self { quiet: true, json: false, bars: false, watch: None }
    }

    /// `true` where the result is printed as JSON.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// A line about what was found or done. With `--json` standard output belongs to the result.
    pub(super) fn say(&self, message: impl Display) {
        let message = message.to_string();
        self.hand_on(&Event::Said(&message));
        if self.quiet {
        } else if self.json {
            out::tell(&message);
        } else {
            out::say(&message);
        }
    }

    /// A warning: what is wrong and what to do about it.
    pub(super) fn warn(&self, message: impl Display) {
        let message = message.to_string();
        self.hand_on(&Event::Warned(&message));
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
        self.hand_on(&Event::StageBegan { stage: name, unit, total });
        let told = Mutex::new((0, Every::new()));
        Box::new(Stage { console: self, name, unit, total, begun: now, bar, plain, told })
    }

    fn began(&self) {
        self.hand_on(&Event::Began);
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
struct Stage<'a> {
    console: &'a Console,
    name: &'static str,
    unit: &'static str,
    total: usize,
    begun: Instant,
    bar: Option<ProgressBar>,
    plain: Option<Mutex<Plain>>,
    /// What is done, and when those who are told of everything are told so.
    told: Mutex<(usize, Every)>,
}

impl run::Stage for Stage<'_> {
    fn add(&self, units: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(units as u64);
        }
        let due = self.told.lock().ok().and_then(|mut told| {
            told.0 += units;
            told.1.is_due().then_some(told.0)
        });
        if let Some(done) = due {
            let Self { name: stage, unit, total, .. } = *self;
            self.console.hand_on(&Event::Progress { stage, unit, done, total });
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

    fn reading(&self, reading: &run::Reading<'_>) {
        self.console.hand_on(&Event::Read { stage: self.name, reading });
    }

    fn saved(&self, training: &str, step: usize) {
        self.console.hand_on(&Event::Saved { stage: self.name, training, step });
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let Self { name: stage, unit, total, .. } = *self;
        let done = self.told.lock().map_or(0, |told| told.0);
        let seconds = self.begun.elapsed().as_secs_f64();
        self.console.hand_on(&Event::StageEnded { stage, unit, done, total, seconds });
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
