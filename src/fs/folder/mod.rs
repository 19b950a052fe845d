//! Labelled folders on disk: listing their files, and reading them into memory.

pub(super) mod error;
mod load;
pub(super) mod scan;

pub use error::FolderError;
pub use load::Loaded;
pub(super) use load::{LoadOptions, load};
pub use scan::{Scan, scan};

#[cfg(test)]
pub(super) mod testing {
    use std::fs;

    pub(in crate::fs) const JPEG: &[u8] = include_bytes!("../../../tests/data/decode/baseline.jpg");
    pub(in crate::fs) const PNG: &[u8] = include_bytes!("../../../tests/data/decode/rgba.png");

    pub(in crate::fs) fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        root
    }
}
