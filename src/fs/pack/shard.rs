//! A shard that is being written: a tar without times, owners or anything else that differs from run to run.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::PackError;
use super::index::Row;
use super::sample::Sample;
use crate::fs::OutputFolder;
use crate::fs::output::{OutputError, at, begin_file, finish_file};

const BLOCK: u64 = 512;

/// A shard under a temporary name.
pub(super) struct Shard {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
    /// Bytes so far.
    len: u64,
    rows: Vec<Row>,
}

impl Shard {
    /// Begins a shard.
    ///
    /// # Errors
    /// [`OutputError`].
    pub(super) fn begin(out: &OutputFolder, name: &str) -> Result<Self, OutputError> {
        let path = out.path().join(format!("{name}.tar"));
        let file = BufWriter::with_capacity(1 << 20, begin_file(&path)?);
        Ok(Self { file, path, len: 0, rows: Vec::new() })
    }

    /// `true` as long as no image is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that it would have with a sample, its end included.
    pub(super) fn with(&self, sample: &Sample) -> u64 {
        let size = |len: usize| BLOCK + (len as u64).next_multiple_of(BLOCK);
        self.len
            + 2 * BLOCK
            + sample.image.as_ref().map_or(0, |stored| {
                size(stored.bytes.len()) + size(stored.json.len()) + size(sample.label.to_string().len())
            })
    }

    /// Adds a sample; one without an image to the table alone.
    ///
    /// # Errors
    /// [`PackError::Output`].
    pub(super) fn add(&mut self, sample: &Sample) -> Result<(), PackError> {
        let mut row = Row {
            key: sample.key.clone(),
            path: sample.path.clone(),
            label: sample.label,
            source_hash: sample.source_hash.to_string(),
            ..Row::default()
        };
        match &sample.image {
            Ok(stored) => {
                self.member(&format!("{}.cls", sample.key), sample.label.to_string().as_bytes())?;
                row.offset = self.member(&format!("{}.{}", sample.key, stored.extension), &stored.bytes)?;
                row.length = stored.bytes.len() as u64;
                row.hash = stored.hash.to_string();
                self.member(&format!("{}.json", sample.key), &stored.json)?;
            }
            Err(reason) => row.problem.clone_from(reason),
        }
        self.rows.push(row);
        Ok(())
    }

    /// Writes a file of the tar, and gives the place of its first byte.
    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<u64, PackError> {
        let failed = |why| PackError::from(at("write", &self.path)(why));
        let mut header = tar::Header::new_ustar();
        header.set_path(name).map_err(failed)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        let padding = (bytes.len() as u64).next_multiple_of(BLOCK) - bytes.len() as u64;
        let mut write = || {
            self.file.write_all(header.as_bytes())?;
            self.file.write_all(bytes)?;
            self.file.write_all(&[0; BLOCK as usize][..padding as usize])
        };
        write().map_err(failed)?;
        let place = self.len + BLOCK;
        self.len = place + bytes.len() as u64 + padding;
        Ok(place)
    }

    /// Puts the shard in its place, and gives its rows.
    ///
    /// # Errors
    /// [`PackError::Output`].
    pub(super) fn finish(mut self) -> Result<Vec<Row>, PackError> {
        self.file.write_all(&[0; 2 * BLOCK as usize]).map_err(at("write", &self.path))?;
        let file = self.file.into_inner().map_err(|why| at("write", &self.path)(why.into_error()))?;
        finish_file(file, &self.path)?;
        Ok(self.rows)
    }
}
