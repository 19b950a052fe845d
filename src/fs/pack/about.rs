//! The files of a pack besides its shards.

use super::error::PackError;
use super::options::{Container, INFO, PART, Packed};
use super::shards::Written;
use crate::data::Problem;
use crate::fs::OutputFolder;
use crate::fs::tree::Info;
use crate::pipeline::data::write_problems;
use crate::report::words::counted;
use crate::run::{Observer, Storage as _};

/// File name of the list of classes.
pub(super) const CLASSES: &str = "classes.json";
const CARD: &str = "README.md";

/// What is said of a pack besides its images.
pub(super) struct About<'a> {
    pub(super) name: String,
    pub(super) classes: Vec<String>,
    pub(super) container: Container,
    pub(super) ignored: &'a [Problem],
}

impl About<'_> {
    /// Writes the files that describe a pack, and gives its numbers.
    pub(super) fn finish(
        self,
        written: Written,
        out: &OutputFolder,
        observer: &dyn Observer,
    ) -> Result<Packed, PackError> {
        let Written { mut done, splits, mut problems } = written;
        problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        done.left_out = problems.len() as u64;
        if !problems.is_empty() || !self.ignored.is_empty() {
            write_problems(&problems, self.ignored, out)?;
        }
        if let Some(Problem { path, reason }) = problems.first() {
            observer.warn(&format!(
                "{} left out: {path} ({reason}); see {}",
                counted(
                    problems.len() as u64,
                    "file could not be read and was",
                    "files could not be read and were"
                ),
                out.shown("problems.csv")
            ));
        }
        out.write(CARD, card(self.container, splits.keys().map(String::as_str)).as_bytes())?;
        let info = Info { name: Some(self.name), splits, classes: self.classes };
        out.write(INFO, &serde_json::to_vec_pretty(&info).map_err(PackError::json)?)?;
        Ok(done)
    }
}

/// The card that tells Hugging Face's `datasets` which files are which split.
fn card<'a>(container: Container, splits: impl Iterator<Item = &'a str>) -> String {
    let mut text = "---\nconfigs:\n- config_name: default\n  data_files:\n".to_owned();
    for split in splits {
        let name = if split == "val" { "validation" } else { split };
        text.push_str(&format!("  - split: {name}\n    path: {split}-*.{}\n", container.extension()));
    }
    text + "---\n"
}

/// `true` for the name of a file that packing writes.
pub(super) fn is_ours(name: &str) -> bool {
    let shard = |stem: &str| {
        stem.split_once('-').is_some_and(|(split, number)| {
            ["train", "val"].contains(&split)
                && number.len() >= 6
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    [INFO, PART].contains(&name)
        || name.strip_suffix(".tar").or_else(|| name.strip_suffix(".parquet")).is_some_and(shard)
        || name.strip_prefix("index/").and_then(|name| name.strip_suffix(".csv")).is_some_and(shard)
}
