//! Data parallelism from rayon, and the same calls in order where there are no threads (wasm).
//!
//! Every function gives the same result with any number of threads: items are independent and the
//! outputs keep their order.

use std::sync::{Mutex, PoisonError};

/// Runs `work` for every piece, in parallel where threads exist. Which thread runs which piece is left open.
#[cfg(any(feature = "engine", test))]
pub(crate) fn for_each(pieces: usize, work: impl Fn(usize) + Sync) {
    #[cfg(not(target_family = "wasm"))]
    if pieces > 1 && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        (0..pieces).into_par_iter().for_each(&work);
        return;
    }
    (0..pieces).for_each(work);
}

/// Runs both, at the same time where threads exist.
#[cfg(feature = "engine")]
pub(crate) fn both<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(not(target_family = "wasm"))]
    return rayon::join(one, other);
    #[cfg(target_family = "wasm")]
    (one(), other())
}

/// Work that was begun, and whose result is asked for later.
#[cfg(feature = "engine")]
pub(crate) struct Begun<T>(
    // Locked by nobody; whoever shares what holds it may go on sharing.
    #[cfg(not(target_family = "wasm"))] Mutex<std::sync::mpsc::Receiver<std::thread::Result<T>>>,
    #[cfg(target_family = "wasm")] T,
);

/// Begins some work on another thread of the pool, if there is one; without threads it is done at once.
#[cfg(feature = "engine")]
pub(crate) fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Begun<T> {
    #[cfg(not(target_family = "wasm"))]
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        rayon::spawn(move || {
            // A panic belongs to whoever asks for the result; nobody may ask any more.
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            let _ = sender.send(made);
        });
        Begun(Mutex::new(receiver))
    }
    #[cfg(target_family = "wasm")]
    Begun(work())
}

#[cfg(feature = "engine")]
impl<T> Begun<T> {
    /// The result. A thread of the pool does other work of the pool until it is there, which may be this very work.
    ///
    /// # Panics
    /// As the work did.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn wait(self) -> T {
        let receiver = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let made = loop {
            match receiver.try_recv() {
                Err(std::sync::mpsc::TryRecvError::Empty) => match rayon::yield_now() {
                    // No thread of the pool: it may sleep.
                    None => break receiver.recv().ok(),
                    Some(rayon::Yield::Executed) => {}
                    Some(rayon::Yield::Idle) => std::thread::sleep(std::time::Duration::from_micros(50)),
                },
                made => break made.ok(),
            }
        };
        match made {
            Some(Ok(made)) => made,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => unreachable!("work sends its result, whatever it is"),
        }
    }

    /// The result.
    #[cfg(target_family = "wasm")]
    pub(crate) fn wait(self) -> T {
        self.0
    }
}

/// Of the failures of numbered items the one of the lowest number, whichever thread meets one first.
pub(crate) struct Failures<E>(Mutex<Option<(u32, E)>>);

impl<E> Default for Failures<E> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<E> Failures<E> {
    /// The value of number `of`, unless it is a failure, which is kept.
    pub(crate) fn kept<T>(&self, of: u32, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.keep(of, error)).ok()
    }

    #[cold]
    fn keep(&self, of: u32, error: E) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(known, _)| of < *known) {
            *first = Some((of, error));
        }
    }

    /// # Errors
    /// The failure of the lowest number, if there was any.
    pub(crate) fn first(self) -> Result<(), E> {
        match self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// Maps every item, in parallel where threads exist; the output keeps the order of the input.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn map<T, R, F>(items: &[T], f: F) -> Vec<R>
where
    T: Sync,
    R: Send,
    F: Fn(usize, &T) -> R + Sync + Send,
{
    use rayon::prelude::*;
    items.par_iter().enumerate().map(|(i, item)| f(i, item)).collect()
}

/// Maps every item, in parallel where threads exist; the output keeps the order of the input.
#[cfg(target_family = "wasm")]
pub(crate) fn map<T, R, F>(items: &[T], f: F) -> Vec<R>
where
    F: Fn(usize, &T) -> R,
{
    items.iter().enumerate().map(|(i, item)| f(i, item)).collect()
}

/// Visits `out` in chunks of `chunk` elements beside one item each, in parallel where threads exist.
/// `scratch` makes the working memory of one thread; it is reused for every chunk that thread visits.
///
/// # Panics
/// When `out` does not hold exactly one chunk for each item.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn for_each_chunk<T, O, S, F>(
    items: &[T],
    out: &mut [O],
    chunk: usize,
    scratch: impl Fn() -> S + Sync + Send,
    f: F,
) where
    T: Sync,
    O: Send,
    F: Fn(&mut S, &T, &mut [O]) + Sync + Send,
{
    use rayon::prelude::*;
    assert_eq!(items.len() * chunk, out.len(), "one chunk for each item");
    out.par_chunks_mut(chunk)
        .zip(items.par_iter())
        .for_each_init(scratch, |scratch, (out, item)| f(scratch, item, out));
}

/// Visits `out` in chunks of `chunk` elements beside one item each.
/// `scratch` makes the working memory, which is reused for every chunk.
///
/// # Panics
/// When `out` does not hold exactly one chunk for each item.
#[cfg(target_family = "wasm")]
pub(crate) fn for_each_chunk<T, O, S, F>(
    items: &[T],
    out: &mut [O],
    chunk: usize,
    scratch: impl Fn() -> S,
    f: F,
) where
    F: Fn(&mut S, &T, &mut [O]),
{
    assert_eq!(items.len() * chunk, out.len(), "one chunk for each item");
    let mut scratch = scratch();
    for (out, item) in out.chunks_mut(chunk).zip(items) {
        f(&mut scratch, item, out);
    }
}
