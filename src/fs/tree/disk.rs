//! A folder of the disk.

use std::io;
use std::path::{Path, PathBuf};

use super::super::folder::error::FolderError;
use super::super::folder::scan::{Scan, scan};
use super::super::regular::read_at_most;
use super::Tree;

/// A folder of the disk.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The folder at `root`, which need not be there before it is read.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Tree for Disk {
    fn scan(&self) -> Result<Scan, FolderError> {
        scan(&self.root)
    }

    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        read_at_most(&self.root.join(path), most)
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.root.join(path).metadata().ok().map(|about| about.len())
    }

    fn place(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn name(&self) -> String {
        name_of(&self.root)
    }
}

/// The last part of a folder's path.
pub fn name_of(folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    real.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}
