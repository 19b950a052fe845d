//! How much of the images is kept in memory: their pixels, their files, or nothing.

use rayon::prelude::*;

use super::folder::FolderError;
use super::memory::free_memory;
use super::tree::Tree;
use crate::data::{CropFrom, Entry, ImageSet};
use crate::report::words::{bytes, counted};
use crate::report::{Kept, Loading};

/// Bytes that an image takes whose pixels are not kept: its name, hash, look, class and place, several times for a moment.
const LEAST: u64 = 300;

/// Pixels that a run will ask for. Of all images names, hashes and looks are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Those of the images to learn from.
    pub train: bool,
    /// Those of the images to measure on.
    pub val: bool,
}

impl Wanted {
    /// The pixels of all images.
    pub const ALL: Self = Self { train: true, val: true };
    /// No pixels.
    pub const NONE: Self = Self { train: false, val: false };

    /// Those of some images to learn from and to measure on whose pixels are asked for.
    pub(super) fn of<'a>(self, train: &'a [Entry], val: &'a [Entry]) -> [&'a [Entry]; 2] {
        [(self.train, train), (self.val, val)].map(|(wanted, entries)| if wanted { entries } else { &[] })
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Self::ALL
    }
}

/// What is kept of the images that a run asks for, and the numbers that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    kept: Kept,
    images: u64,
    side: u32,
    /// What their views are cut out of: pixels of squares are of no use to views of the images themselves.
    crop_from: CropFrom,
    /// Bytes of their pixels.
    pixels: u64,
    /// Bytes of their files, where that mattered.
    files: Option<u64>,
    /// Bytes that may be kept, where that is known.
    room: Option<u64>,
}

impl Decision {
    /// Decides what to keep of the images of `wanted` at a side. Their pixels, if these take no more than `memory` (by default
    /// two thirds of what is free), else their files, if these do; else nothing. Where views are cut out of the images themselves, no
    /// pixels are kept. `all` is the number of all images of the run.
    ///
    /// # Errors
    /// [`FolderError::Memory`], when there is no room for what a run keeps in any case.
    pub(super) fn new(
        tree: &dyn Tree,
        wanted: &[&[Entry]],
        (all, side, crop_from): (usize, u32, CropFrom),
        memory: Option<u64>,
    ) -> Result<Self, FolderError> {
        let free = free_memory();
        let least = Self::least(all);
        if let Some(free) = free.filter(|&free| least > free) {
            return Err(FolderError::Memory { images: all, least, free });
        }
        let room = match (memory, free) {
            (Some(asked), Some(free)) => Some(asked.min(free)),
            (asked, free) => asked.or(free.map(|free| free / 3 * 2)),
        };
        Ok(Self::within(room, wanted, (side, crop_from), |entry| tree.size(&entry.path)))
    }

    fn within(
        room: Option<u64>,
        wanted: &[&[Entry]],
        (side, crop_from): (u32, CropFrom),
        size: impl Fn(&Entry) -> Option<u64> + Sync,
    ) -> Self {
        let images = wanted.iter().map(|entries| entries.len() as u64).sum();
        let pixels = ImageSet::bytes_of(images, side);
        let all = Self { kept: Kept::Pixels, images, side, crop_from, pixels, files: None, room };
        if crop_from == CropFrom::Square && room.is_none_or(|room| pixels <= room) {
            return all;
        }
        // Two words and the allocator's own beside each file.
        let of =
            |entries: &&[Entry]| entries.par_iter().map(|entry| size(entry).unwrap_or(0) + 32).sum::<u64>();
        let files: u64 = wanted.iter().map(of).sum();
        let kept = if room.is_some_and(|room| files > room) { Kept::Nothing } else { Kept::Files };
        Self { kept, files: Some(files), ..all }
    }

    /// What is kept, and its bytes.
    pub(super) fn loading(&self) -> Loading {
        let memory_bytes = match self.kept {
            Kept::Pixels => self.pixels,
            Kept::Files => self.files.unwrap_or(0),
            Kept::Nothing => 0,
        };
        Loading { kept: self.kept, memory_bytes }
    }

    /// Bytes that names, hashes and looks of so many images take.
    pub(super) fn least(images: usize) -> u64 {
        LEAST * images as u64
    }

    /// What was decided, and why.
    pub(super) fn sentence(&self) -> String {
        let (pixels, side) = (bytes(self.pixels), self.side);
        let images = counted(self.images, "image", "images");
        let room = self
            .room
            .map_or(String::new(), |room| format!(" of {} that may be kept (`memory`)", bytes(room)));
        let files = bytes(self.files.unwrap_or(0));
        if self.crop_from == CropFrom::Image {
            const VIEWS: &str = "views are cut out of the images themselves (`crop-from` image)";
            return match self.kept {
                Kept::Nothing => format!(
                    "{VIEWS}: the files of {images} would take {files}, more than the {} that may be kept (`memory`), so each is read \
                     and decoded again whenever it is used",
                    bytes(self.room.unwrap_or(0))
                ),
                _ => format!(
                    "{VIEWS}: the files of {images} are kept in memory, {files}{room}, and decoded whenever they are used"
                ),
            };
        }
        match self.kept {
            Kept::Pixels => {
                format!("the pixels of {images} at {side} px are kept in memory: {pixels}{room}")
            }
            Kept::Files => format!(
                "the pixels of {images} at {side} px would take {pixels}, more than may be kept: their files are kept in memory, \
                 {files}{room}, and decoded whenever they are used"
            ),
            Kept::Nothing => format!(
                "the pixels of {images} at {side} px would take {pixels} and their files {files}, more than the {} that may be kept \
                 (`memory`): each file is read and decoded again whenever it is used",
                bytes(self.room.unwrap_or(0))
            ),
        }
    }

    /// Whether the decision is worth a line that nobody asked for.
    pub(super) fn is_news(&self) -> bool {
        self.kept != Kept::Pixels || self.pixels > 1 << 30
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(room: Option<u64>) -> Decision {
        decided_for(CropFrom::Square, room)
    }

    fn decided_for(crop_from: CropFrom, room: Option<u64>) -> Decision {
        let entries: Vec<Entry> = (0..10).map(|i| Entry { path: format!("a/{i}"), class: 0 }).collect();
        // Ten images of 8 px: 1,920 B of pixels, and files of 68 B and 32 more.
        Decision::within(room, &[&entries[..4], &entries[4..]], (8, crop_from), |_| Some(68))
    }

    #[test]
    fn pixels_are_kept_where_they_fit_then_files_then_nothing() {
        for (room, kept, held) in [
            (None, Kept::Pixels, 1920),
            (Some(1920), Kept::Pixels, 1920),
            (Some(1919), Kept::Files, 1000),
            (Some(1000), Kept::Files, 1000),
            (Some(999), Kept::Nothing, 0),
            (Some(0), Kept::Nothing, 0),
        ] {
            let decision = decided(room);
            assert_eq!(decision.loading(), Loading { kept, memory_bytes: held }, "{room:?}");
        }
    }

    #[test]
    fn for_views_of_the_images_themselves_files_are_kept_where_they_fit_and_no_pixels() {
        for (room, kept, held) in [
            (None, Kept::Files, 1000),
            (Some(1 << 40), Kept::Files, 1000),
            (Some(1000), Kept::Files, 1000),
            (Some(999), Kept::Nothing, 0),
            (Some(0), Kept::Nothing, 0),
        ] {
            let decision = decided_for(CropFrom::Image, room);
            assert_eq!(decision.loading(), Loading { kept, memory_bytes: held }, "{room:?}");
            let text = decision.sentence();
            assert!(
                decision.is_news() && text.contains("`crop-from` image") && text.contains("1.0 kB"),
                "{text}"
            );
            assert_eq!(text.contains("read and decoded again"), kept == Kept::Nothing, "{text}");
        }
    }

    #[test]
    fn what_was_decided_is_said_with_the_numbers() {
        assert_eq!(
            decided(Some(2000)).sentence(),
            "the pixels of 10 images at 8 px are kept in memory: 1.9 kB of 2.0 kB that may be kept (`memory`)"
        );
        let text = decided(Some(1500)).sentence();
        assert!(text.contains("would take 1.9 kB") && text.contains("1.0 kB of 1.5 kB"), "{text}");
        let text = decided(Some(10)).sentence();
        assert!(text.contains("their files 1.0 kB, more than the 10 B"), "{text}");
        assert!(decided(Some(10)).is_news() && !decided(None).is_news());
    }
}
