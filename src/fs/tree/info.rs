//! `_info.json`: what stands in the shards of a WebDataset, as timm and Hugging Face write it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SourceError;
use super::labels::read_text;
use crate::data::ensure_relative;

/// Names of the file.
pub(super) const NAMES: [&str; 2] = ["_info.json", "info.json"];

/// What stands in the shards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Name of the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The splits by their names.
    pub splits: BTreeMap<String, SplitInfo>,
    /// Names of the classes in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// A split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitInfo {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The shards, beside the file.
    pub filenames: Vec<String>,
    /// Number of samples in each.
    #[serde(default)]
    pub shard_lengths: Vec<usize>,
    /// Number of all samples.
    #[serde(default)]
    pub num_samples: Option<usize>,
}

/// Reads the file.
///
/// # Errors
/// [`SourceError::Shard`] for one that cannot be used.
pub(super) fn read(path: &Path) -> Result<Info, SourceError> {
    let wrong = |why: String| SourceError::Shard { shard: path.to_owned(), why };
    let info: Info = serde_json::from_str(&read_text(path)?).map_err(|why| {
        wrong(format!("it is no _info.json of a WebDataset, which has 'splits' with 'filenames' ({why})"))
    })?;
    for (name, split) in &info.splits {
        if !split.shard_lengths.is_empty() && split.shard_lengths.len() != split.filenames.len() {
            return Err(wrong(format!(
                "split {name} has {} filenames and {} shard_lengths",
                split.filenames.len(),
                split.shard_lengths.len()
            )));
        }
        if let Some(outside) = split.filenames.iter().find(|name| ensure_relative(name).is_err()) {
            return Err(wrong(format!("'{outside}' lies in another folder; shards lie beside it")));
        }
    }
    Ok(info)
}

/// The paths of the shards that it names.
pub(super) fn files(path: &Path, info: &Info) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    info.splits.values().flat_map(|split| split.filenames.iter().map(|name| folder.join(name))).collect()
}
