//! Memory that several threads write, each at places of its own.

use core::marker::PhantomData;
use core::ops::Range;

/// A slice that several threads write, each at places of its own.
pub(super) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: the pointer is only ever used through `at` and `slice`, whose callers see to it that no two threads touch
// the same place.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// A pointer to a place. Reading or writing through it is up to the caller.
    pub(super) fn at(self, place: usize) -> *mut T {
        assert!(place <= self.len, "{place} of {}", self.len);
        self.start.wrapping_add(place)
    }

    /// Some places.
    ///
    /// # Safety
    /// Nobody else reads or writes them as long as the slice lives.
    pub(super) unsafe fn slice(self, places: Range<usize>) -> &'a mut [T] {
        assert!(places.start <= places.end && places.end <= self.len, "{places:?} of {}", self.len);
        // SAFETY: inside the slice this was made of; exclusive by the contract.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(places.start), places.len()) }
    }
}
