//! The table of a shard: where each image stands in it, and what it is.

use serde::{Deserialize, Serialize};

use super::error::PackError;
use crate::data::Problem;
use crate::fs::OutputFolder;
use crate::run::Storage as _;

/// A row: an image, or a file that was left out, which has a `problem`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) key: String,
    /// Path in the data set that was packed.
    pub(super) path: String,
    pub(super) label: u32,
    /// Place of the image's first byte in the shard, and their number.
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Hash of these bytes, and of the file that was packed.
    pub(super) hash: String,
    pub(super) source_hash: String,
    pub(super) problem: String,
}

impl Row {
    pub(super) fn into_problem(self) -> Problem {
        Problem { path: self.path, reason: self.problem }
    }
}

/// Name of a shard's table.
pub(super) fn name(shard: &str) -> String {
    format!("index/{shard}.csv")
}

/// The rows of a shard; `None` where it has no table, or one that cannot be read.
pub(super) fn read(out: &OutputFolder, shard: &str) -> Result<Option<Vec<Row>>, PackError> {
    let Some(bytes) = out.read(&name(shard))? else { return Ok(None) };
    Ok(csv::Reader::from_reader(&bytes[..]).deserialize().collect::<Result<_, _>>().ok())
}

/// The table as CSV.
pub(super) fn write(rows: &[Row]) -> Result<Vec<u8>, PackError> {
    let wrong = |why: String| PackError::Text(why);
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.serialize(row).map_err(|why| wrong(why.to_string()))?;
    }
    table.into_inner().map_err(|why| wrong(why.to_string()))
}
