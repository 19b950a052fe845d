//! A shard that is being written: a tar, or a Parquet file, without times, owners or anything else that differs from run to run.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::error::PackError;
use super::index::Row;
use super::options::Container;
use super::sample::{Sample, Stored};
use crate::data::ClassMap;
use crate::fs::OutputFolder;
use crate::fs::output::{at, begin_file, finish_file};

const BLOCK: u64 = 512;

/// A shard under a temporary name.
pub(super) struct Shard {
    to: To,
    path: PathBuf,
    rows: Vec<Row>,
}

enum To {
    Tar(Tar),
    #[cfg(feature = "parquet")]
    Table(Box<super::table::Table>),
}

impl Shard {
    /// Begins a shard.
    ///
    /// # Errors
    /// [`PackError::Output`].
    pub(super) fn begin(
        out: &OutputFolder,
        file: &str,
        container: Container,
        classes: &ClassMap,
    ) -> Result<Self, PackError> {
        let path = out.path().join(file);
        let file = BufWriter::with_capacity(1 << 20, begin_file(&path)?);
        let to = match container {
            Container::WebDataset => To::Tar(Tar { file, len: 0 }),
            #[cfg(feature = "parquet")]
            Container::Parquet => To::Table(super::table::Table::begin(file, classes)?.into()),
        };
        #[cfg(not(feature = "parquet"))]
        let _ = classes;
        Ok(Self { to, path, rows: Vec::new() })
    }

    /// `true` as long as no image is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().all(|row| !row.problem.is_empty())
    }

    /// Bytes that it would have with a sample, its end included.
    pub(super) fn with(&self, sample: &Sample) -> u64 {
        let Ok(stored) = &sample.image else { return 0 };
        match &self.to {
            To::Tar(tar) => {
                let size = |len: usize| BLOCK + (len as u64).next_multiple_of(BLOCK);
                tar.len
                    + 2 * BLOCK
                    + size(stored.bytes.len())
                    + size(stored.json.len())
                    + size(sample.label.to_string().len())
            }
            #[cfg(feature = "parquet")]
            To::Table(table) => table.with(sample, stored),
        }
    }

    /// Adds a sample; one without an image to the index alone.
    ///
    /// # Errors
    /// [`PackError`] where it cannot be written.
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
                row.length = stored.bytes.len() as u64;
                row.hash = stored.hash.to_string();
                match &mut self.to {
                    To::Tar(tar) => row.offset = tar.add(sample, stored).map_err(at("write", &self.path))?,
                    #[cfg(feature = "parquet")]
                    To::Table(table) => table.add(sample, stored)?,
                }
            }
            Err(reason) => row.problem.clone_from(reason),
        }
        self.rows.push(row);
        Ok(())
    }

    /// Puts the shard in its place, and gives its rows.
    ///
    /// # Errors
    /// [`PackError`] where it cannot be written.
    pub(super) fn finish(self) -> Result<Vec<Row>, PackError> {
        let file = match self.to {
            To::Tar(mut tar) => {
                tar.file.write_all(&[0; 2 * BLOCK as usize]).map_err(at("write", &self.path))?;
                tar.file
            }
            #[cfg(feature = "parquet")]
            To::Table(table) => table.finish()?,
        };
        let file = file.into_inner().map_err(|why| at("write", &self.path)(why.into_error()))?;
        finish_file(file, &self.path)?;
        Ok(self.rows)
    }
}

struct Tar {
    file: BufWriter<NamedTempFile>,
    /// Bytes so far.
    len: u64,
}

impl Tar {
    /// Writes the files of a sample, and gives the place of its image.
    fn add(&mut self, sample: &Sample, stored: &Stored) -> io::Result<u64> {
        let name = |extension: &str| format!("{}.{extension}", sample.key);
        self.member(&name("cls"), sample.label.to_string().as_bytes())?;
        let place = self.member(&name(stored.extension), &stored.bytes)?;
        self.member(&name("json"), &stored.json)?;
        Ok(place)
    }

    /// Writes a file, and gives the place of its first byte.
    fn member(&mut self, name: &str, bytes: &[u8]) -> io::Result<u64> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        let padding = (bytes.len() as u64).next_multiple_of(BLOCK) - bytes.len() as u64;
        self.file.write_all(header.as_bytes())?;
        self.file.write_all(bytes)?;
        self.file.write_all(&[0; BLOCK as usize][..padding as usize])?;
        let place = self.len + BLOCK;
        self.len = place + bytes.len() as u64 + padding;
        Ok(place)
    }
}
