//! Reads a pack back: every image must have the bytes that were written.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::error::PackError;
use super::index::{self, Row};
use super::options::{INFO, Packed};
use crate::data::ContentHash;
use crate::fs::tree::{Info, open};
use crate::fs::{FolderError, OutputFolder};
use crate::run::{Observer, RunError, Storage as _};

/// Checks all shards of a pack against their tables and the description.
///
/// # Errors
/// [`PackError::Changed`] for the first shard that is not as it was written, [`PackError::Unfinished`] for a pack without an end.
pub fn check(out: &OutputFolder, observer: &dyn Observer) -> Result<Packed, PackError> {
    let Some(bytes) = out.read(INFO)? else {
        return Err(PackError::Unfinished { place: out.shown("") });
    };
    let info: Info = serde_json::from_slice(&bytes)
        .map_err(|why| PackError::Changed { place: out.shown(INFO), why: why.to_string() })?;
    // The members of all shards, as any reader sees them.
    let tree = open(&out.path().join(INFO))?.tree;
    let readable = tree.scan()?.paths.len() as u64;
    let shards: Vec<(&String, usize)> = info
        .splits
        .values()
        .flat_map(|split| split.filenames.iter().zip(split.shard_lengths.iter().copied()))
        .collect();
    let images: usize = shards.iter().map(|(_, images)| images).sum();
    let stage = observer.stage("check", "images", images);
    let (size, left_out) = (AtomicU64::new(0), AtomicU64::new(0));
    shards.par_iter().try_for_each(|(file, images)| -> Result<(), PackError> {
        let name = file.split('.').next().unwrap_or(file);
        let changed = |why: String| PackError::Changed { place: out.shown(file), why };
        let rows = index::read(out, name)?.ok_or_else(|| {
            changed(format!("its table {} is not there or cannot be read", index::name(name)))
        })?;
        let (rows, problems): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.problem.is_empty());
        if rows.len() != *images {
            return Err(changed(format!("its table has {} images, and {INFO} says {images}", rows.len())));
        }
        let path = out.path().join(file);
        let unreadable = |why| FolderError::ReadFailed { path: path.clone(), why };
        let archive = std::fs::File::open(&path).map_err(unreadable)?;
        size.fetch_add(archive.metadata().map_err(unreadable)?.len(), Ordering::Relaxed);
        left_out.fetch_add(problems.len() as u64, Ordering::Relaxed);
        for row in &rows {
            if observer.wants_stop() {
                return Err(RunError::Stopped.into());
            }
            // By the path that any reader finds it under, so that member, label and table are checked together.
            let bytes = tree.read(&row.path, u64::MAX);
            let bytes = bytes
                .map_err(|why| changed(format!("image {} ({}) cannot be read: {why}", row.key, row.path)))?;
            if bytes.len() as u64 != row.length || ContentHash::of(&bytes).to_string() != row.hash {
                return Err(changed(format!("image {} ({}) is not what was written", row.key, row.path)));
            }
            stage.add(1);
        }
        Ok(())
    })?;
    if readable != images as u64 {
        return Err(PackError::Changed {
            place: out.shown(INFO),
            why: format!("it says {images} images, and {readable} can be read"),
        });
    }
    Ok(Packed {
        images: images as u64,
        shards: shards.len() as u64,
        bytes: size.into_inner(),
        left_out: left_out.into_inner(),
    })
}
