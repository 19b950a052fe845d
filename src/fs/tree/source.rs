//! The source images of a tree.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Disk, Tree};
use crate::data::{ContentHash, Image, Limits, decode, ensure_relative};
use crate::fault::too_many_open;
use crate::pipeline::{Changed, Originals, ReadError, TooManyOpen};

/// The source images of a tree, at their full size.
#[derive(Clone, Debug)]
pub struct SourceTree(pub Arc<dyn Tree>);

impl SourceTree {
    /// Those of a folder of the disk.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Disk::new(folder)))
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        ensure_relative(path)?;
        let read = self.0.read(path, Limits::default().max_bytes);
        read.map_err(|why| if too_many_open(&why) { TooManyOpen(why).into() } else { why.into() })
    }
}

impl Originals for SourceTree {
    fn image(&self, path: &str) -> Result<Image, ReadError> {
        Ok(decode(&self.bytes(path)?, &Limits::default())?)
    }

    fn same_image(&self, path: &str, hash: ContentHash) -> Result<Image, ReadError> {
        let bytes = self.bytes(path)?;
        if ContentHash::of(&bytes) != hash {
            return Err(Changed.into());
        }
        Ok(decode(&bytes, &Limits::default())?)
    }

    fn file_size(&self, path: &str) -> Option<u64> {
        ensure_relative(path).ok()?;
        self.0.size(path)
    }
}
