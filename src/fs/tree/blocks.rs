//! Bytes of an archive, by their place in it, from any thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::regular::open_regular;
use super::error::SourceError;

/// Archives that stay open; the others are opened for each read, as systems allow few hundred open files.
const KEPT_OPEN: usize = 64;

/// An archive of the disk.
#[derive(Debug)]
pub(in crate::fs) struct Archive {
    path: PathBuf,
    len: u64,
    /// The open file; `None` where it is opened for each read.
    kept: Option<File>,
}

impl Archive {
    /// The archive at a path, the `number`th of its set.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`].
    pub(in crate::fs) fn open(path: &Path, number: usize) -> Result<Self, SourceError> {
        let unreadable = |why| SourceError::Unreadable { path: path.to_owned(), why };
        let file = open_regular(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let kept = (number < KEPT_OPEN).then_some(file);
        Ok(Self { path: path.to_owned(), len, kept })
    }

    /// Its path.
    pub(in crate::fs) fn path(&self) -> &Path {
        &self.path
    }

    /// All of its bytes.
    pub(super) fn whole(&self) -> Part<'_> {
        Part { archive: self, from: 0, len: self.len, at: 0 }
    }

    /// Fills `out` from place `at` on.
    ///
    /// # Errors
    /// The system's; of kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where the archive ends before.
    pub(in crate::fs) fn read_exact_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        if let Some(kept) = &self.kept {
            return read_exact_at(kept, out, at);
        }
        let file = open_regular(&self.path)?;
        if file.metadata()?.len() != self.len {
            return Err(io::Error::other("the archive has changed since it was listed; begin anew"));
        }
        read_exact_at(&file, out, at)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < out.len() {
        match std::os::windows::fs::FileExt::seek_read(file, &mut out[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// A part of an archive, such as a tar within it, as a file of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    archive: &'a Archive,
    /// Place of its first byte in the archive.
    pub(super) from: u64,
    /// Number of its bytes.
    pub(super) len: u64,
    at: u64,
}

impl Part<'_> {
    /// A part of this one.
    pub(super) fn part(&self, from: u64, len: u64) -> Self {
        Self { archive: self.archive, from: self.from + from, len, at: 0 }
    }

    /// Fills `out` from place `at` of the part on.
    ///
    /// # Errors
    /// As [`Archive::read_exact_at`].
    pub(in crate::fs) fn read_exact_at(&self, out: &mut [u8], at: u64) -> io::Result<()> {
        if at.checked_add(out.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.archive.read_exact_at(out, self.from + at)
    }
}

impl Read for Part<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let count = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.archive.read_exact_at(&mut out[..count], self.from + self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Part<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
