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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "of 3")]
    fn places_past_the_end_are_refused() {
        let mut numbers = [1, 2, 3];
        // SAFETY: nobody else has the slice.
        let _ = unsafe { Shared::new(&mut numbers).slice(2..4) };
    }

    #[test]
    fn threads_write_their_own_places() {
        let mut numbers = vec![0; 100];
        let shared = Shared::new(&mut numbers);
        crate::parallel::for_each(10, |piece| {
            // SAFETY: pieces do not overlap.
            unsafe { shared.slice(piece * 10..(piece + 1) * 10) }.fill(piece);
        });
        assert!(numbers.iter().enumerate().all(|(i, &piece)| piece == i / 10));
    }
}
