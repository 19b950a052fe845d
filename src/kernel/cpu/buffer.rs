//! Buffers that are used again: a training step allocates nothing once the first ones have.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Floats of any value, given back to a common store when dropped.
pub(crate) struct Buffer(Vec<f32>);

/// Buffers nobody uses, by length. Together with those in use they never hold more than a quarter more memory than was in
/// use at once at some time: lengths that are never in use together need some room, or each would drive out the next
/// one's in every step.
#[derive(Default)]
struct Store {
    free: BTreeMap<usize, Vec<Vec<f32>>>,
    used: usize,
    unused: usize,
    most: usize,
}

static STORE: Mutex<Store> = Mutex::new(Store { free: BTreeMap::new(), used: 0, unused: 0, most: 0 });

fn store() -> MutexGuard<'static, Store> {
    STORE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// The most floats that may be held.
    fn limit(&self) -> usize {
        self.most + self.most / 4
    }

    /// A buffer that is free, or the decision to make one; and the buffers that make room for it.
    fn take(&mut self, len: usize) -> (Option<Vec<f32>>, Vec<Vec<f32>>) {
        self.used += len;
        if let Some(buffer) = self.free.get_mut(&len).and_then(Vec::pop) {
            self.unused -= len;
            return (Some(buffer), Vec::new());
        }
        self.most = self.most.max(self.used);
        let mut dropped = Vec::new();
        while self.used + self.unused > self.limit()
            && let Some(mut entry) = self.free.first_entry()
        {
            match entry.get_mut().pop() {
                Some(buffer) => {
                    self.unused -= buffer.len();
                    dropped.push(buffer);
                }
                None => {
                    entry.remove();
                }
            }
        }
        (None, dropped)
    }

    fn give_back(&mut self, buffer: Vec<f32>) {
        self.used -= buffer.len();
        self.unused += buffer.len();
        self.free.entry(buffer.len()).or_default().push(buffer);
    }
}

impl Buffer {
    /// `len` floats, with whatever values were in them.
    pub(crate) fn new(len: usize) -> Self {
        // What is dropped is dropped outside the lock.
        let (found, _dropped) = store().take(len);
        Self(found.unwrap_or_else(|| vec![0.0; len]))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        store().give_back(buffer);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_the_store_holds_little_more_than_was_in_use_at_once() {
        let mut store = Store::default();
        let take = |store: &mut Store, len: usize| {
            let (found, _) = store.take(len);
            assert!(store.used + store.unused <= store.limit());
            (found.is_some(), found.unwrap_or_else(|| vec![0.0; len]))
        };
        let (a, b) = (take(&mut store, 100), take(&mut store, 50));
        assert!(!a.0 && !b.0);
        store.give_back(a.1);
        store.give_back(b.1);
        // The same lengths again: nothing is made.
        let (a, b) = (take(&mut store, 50), take(&mut store, 100));
        assert!(a.0 && b.0);
        store.give_back(a.1);
        store.give_back(b.1);
        // Another length takes the room of what is not used.
        let c = take(&mut store, 120);
        assert!(!c.0 && store.unused <= 67);
        store.give_back(c.1);
        assert_eq!((store.used, store.most), (0, 150));
    }

    #[test]
    fn lengths_that_are_used_in_turns_are_kept_beside_a_large_one() {
        let mut store = Store::default();
        for round in 0..5 {
            // Never in use together: the most in use at once is 1,000.
            for lens in [[1000, 10], [20, 30], [40, 50]] {
                for len in lens {
                    let (found, _) = store.take(len);
                    assert_eq!(found.is_some(), round > 0, "{len} in round {round}");
                    store.give_back(found.unwrap_or_else(|| vec![0.0; len]));
                }
            }
        }
    }

    #[test]
    fn threads_share_the_store() {
        super::super::testing::in_pool(3, || {
            crate::parallel::for_each(30, |piece| {
                let mut buffer = Buffer::new(piece % 3 + 1);
                buffer.fill(piece as f32);
                assert!(buffer.iter().all(|&value| value == piece as f32));
            });
        });
    }
}
