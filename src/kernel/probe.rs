//! Time and work of each operator, for a profiler.
//!
//! Off, it costs one relaxed load a call. The core has no clock: whoever profiles brings one.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One call of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Name of the operator.
    pub operator: &'static str,
    /// Sizes of its operands, as text.
    pub shape: String,
    /// Floating-point operations, a multiply-add counted as two.
    pub flops: f64,
    /// Bytes of its operands and results, each counted once.
    pub bytes: f64,
    /// Seconds by the profiler's clock.
    pub seconds: f64,
}

/// Work of a call of an operator: sizes, operations and floats.
pub(crate) struct Work {
    pub(crate) shape: String,
    pub(crate) flops: f64,
    /// Floats of operands and results.
    pub(crate) floats: usize,
}

/// A wait for a device to have done everything it was given.
pub type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

struct State {
    clock: fn() -> f64,
    /// Function by which the profiler waits for a GPU.
    wait: Option<fn(Pending)>,
    /// `true` where burn's own operators are timed, too.
    #[cfg_attr(not(feature = "beside-burn"), expect(dead_code, reason = "this build has none of them"))]
    beside: bool,
    records: Vec<Record>,
}

static ON: AtomicBool = AtomicBool::new(false);
static STATE: Mutex<State> =
    Mutex::new(State { clock: || 0.0, wait: None, beside: false, records: Vec::new() });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to record, by a clock of seconds since any moment. Operators of a GPU are recorded if it is said how to `wait`
/// for one, which happens after each of them. Convolutions on a GPU are made by burn's own operators, too, if asked for
/// `beside`; those have a record of their own, `burn's …`.
pub fn start(clock: fn() -> f64, wait: Option<fn(Pending)>, beside: bool) {
    *state() = State { clock, wait, beside, records: Vec::new() };
    ON.store(true, Ordering::Relaxed);
}

/// Function that waits for a GPU, while calls on one are recorded.
#[cfg(feature = "cube")]
pub(crate) fn waiting() -> Option<fn(Pending)> {
    ON.load(Ordering::Relaxed).then(|| state().wait).flatten()
}

/// `true` where burn's own operators are to be recorded.
#[cfg(feature = "beside-burn")]
pub(crate) fn beside() -> bool {
    ON.load(Ordering::Relaxed) && state().beside
}

/// Ends recording and gives the records in the order in which the calls ended.
pub fn stop() -> Vec<Record> {
    ON.store(false, Ordering::Relaxed);
    std::mem::take(&mut state().records)
}

/// Records a call, from here until the span is dropped.
#[must_use = "the call is recorded when the span is dropped"]
pub(crate) fn span(operator: &'static str, work: impl FnOnce() -> Work) -> Option<Span> {
    ON.load(Ordering::Relaxed).then(|| {
        let clock = state().clock;
        Span { operator, work: work(), clock, start: clock(), discarded: false }
    })
}

/// A call under way.
pub(crate) struct Span {
    operator: &'static str,
    work: Work,
    clock: fn() -> f64,
    start: f64,
    discarded: bool,
}

impl Span {
    /// Leaves the call out.
    #[cfg(feature = "beside-burn")]
    pub(crate) fn discard(mut self) {
        self.discarded = true;
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.discarded {
            return;
        }
        let seconds = (self.clock)() - self.start;
        let Work { shape, flops, floats } = &mut self.work;
        let record = Record {
            operator: self.operator,
            shape: std::mem::take(shape),
            flops: *flops,
            bytes: (*floats * size_of::<f32>()) as f64,
            seconds,
        };
        state().records.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: the recorder is one for the whole process.
    #[test]
    fn calls_are_recorded_between_start_and_stop_only() {
        let call = |flops| span("test of the probe", || Work { shape: "1x2".to_owned(), flops, floats: 3 });
        let mine = |records: Vec<Record>| -> Vec<Record> {
            records.into_iter().filter(|record| record.operator == "test of the probe").collect()
        };
        assert!(call(1.0).is_none());
        start(|| 5.0, None, false);
        drop(call(2.0));
        drop(call(3.0));
        let records = mine(stop());
        assert_eq!(records.iter().map(|record| record.flops).collect::<Vec<_>>(), [2.0, 3.0]);
        assert_eq!((records[0].shape.as_str(), records[0].bytes, records[0].seconds), ("1x2", 12.0, 0.0));
        assert!(call(4.0).is_none());
        assert_eq!(mine(stop()), []);
    }
}
