//! Labelled folders on disk: listing their files, and reading them into memory.

pub(super) mod error;
mod load;
pub(super) mod scan;

pub use error::FolderError;
pub use load::{LoadOptions, Loaded, load};
pub use scan::{Scan, scan};

#[cfg(test)]
mod testing {
    use std::fs;

    pub(super) const JPEG: &[u8] = include_bytes!("../../../tests/data/decode/baseline.jpg");
    pub(super) const PNG: &[u8] = include_bytes!("../../../tests/data/decode/rgba.png");

    pub(super) fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        root
    }
}
