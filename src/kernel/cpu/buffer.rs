//! Buffers that are used again: a training step allocates nothing once the first ones have.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Floats of any value, given back to a common store when dropped.
pub(crate) struct Buffer(Vec<f32>);

/// Buffers nobody uses, by length. Together with those in use they never hold more memory than was in use at once
/// at some time.
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

impl Buffer {
    /// `len` floats, with whatever values were in them.
    pub(crate) fn new(len: usize) -> Self {
        let mut dropped = Vec::new();
        {
            let mut store = store();
            store.used += len;
            if let Some(buffer) = store.free.get_mut(&len).and_then(Vec::pop) {
                store.unused -= len;
                return Self(buffer);
            }
            store.most = store.most.max(store.used);
            while store.used + store.unused > store.most {
                let Some((&len, buffers)) = store.free.iter_mut().next() else { break };
                match buffers.pop() {
                    Some(buffer) => {
                        dropped.push(buffer);
                        store.unused -= len;
                    }
                    None => {
                        store.free.remove(&len);
                    }
                }
            }
        }
        Self(vec![0.0; len])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        let mut store = store();
        store.used -= buffer.len();
        store.unused += buffer.len();
        store.free.entry(buffer.len()).or_default().push(buffer);
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
