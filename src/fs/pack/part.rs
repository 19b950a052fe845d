//! Packs of a share of the images, and how they are joined.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::about::{About, CLASSES, is_ours};
use super::error::PackError;
use super::index::{self, Row};
use super::options::{Container, PART, PackOptions, Packed};
use super::sample::{Sample, Stored};
use super::shards::{Cut, Samples, write_all};
use crate::combine::Difference;
use crate::data::{ClassMap, ContentHash, OnError, Problem, Resizer};
use crate::fs::read::Listing;
use crate::fs::tree::{Archive, SplitInfo};
use crate::fs::{OutputFolder, ensure_apart, read_regular};
use crate::pipeline::begin::begin_run;
use crate::pipeline::claim::Holding;
use crate::run::{Observer, Share, ShareError, Storage as _, in_order};

const BLOCK: usize = 512;
/// The extensions of packed images.
const EXTENSIONS: [&str; 5] = ["jpg", "png", "webp", "gif", "bmp"];

/// What a share says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    shard: Share,
    /// What the whole pack begins with.
    run: serde_json::Value,
    name: String,
    container: String,
    shard_bytes: u64,
    /// Files that cannot be listed, and files that are none of a class, with the reason.
    problems: Vec<Problem>,
    ignored: Vec<Problem>,
    splits: BTreeMap<String, SplitInfo>,
}

impl Part {
    pub(super) fn new(
        shard: Share,
        run: serde_json::Value,
        listing: &Listing,
        options: &PackOptions,
        splits: BTreeMap<String, SplitInfo>,
    ) -> Self {
        Self {
            shard,
            run,
            name: listing.tree.name(),
            container: options.container.extension().to_owned(),
            shard_bytes: options.shard_bytes,
            problems: listing.problems.clone(),
            ignored: listing.ignored.clone(),
            splits,
        }
    }
}

/// Joins the packs of all shares into the one that a single process would have written, byte for byte.
///
/// # Errors
/// [`PackError`] for shares that are missing, unfinished, given twice, of other data or options, or not as they were written; for an
/// output that must not be touched; and when the observer stops the run.
pub fn merge(
    folders: &[PathBuf],
    (out, force): (&OutputFolder, bool),
    observer: &dyn Observer,
) -> Result<Packed, PackError> {
    let mut parts = Vec::new();
    for folder in folders {
        ensure_apart(folder, out.path())?;
        parts.push((folder.as_path(), read_part(folder)?));
    }
    let shown = |folder: &Path| format!("'{}'", folder.display());
    let shares: Vec<(Share, String)> =
        parts.iter().map(|(folder, part)| (part.shard, shown(folder))).collect();
    if let Some((folder, first)) = parts.first() {
        for (other, part) in &parts {
            if let Some(difference) = Difference::between(&first.run, &part.run) {
                let why =
                    format!("{} is {} there and {} here", difference.what, difference.before, difference.now);
                return Err(ShareError::Other { first: shown(folder), second: shown(other), why }.into());
            }
        }
    }
    let order = in_order(&shares)?;
    let parts: Vec<(&Path, &Part)> = order.iter().map(|&at| (parts[at].0, &parts[at].1)).collect();
    let first = parts[0].1;
    let container = container(first)?;

    let mut splits: Vec<(&str, Joined)> = Vec::new();
    for split in ["train", "val"] {
        let mut joined = Joined::default();
        for (folder, part) in &parts {
            for file in part.splits.get(split).map_or(&[][..], |info| &info.filenames) {
                joined.add(folder, file)?;
            }
        }
        if !joined.rows.is_empty() {
            splits.push((split, joined));
        }
    }
    out.claim()?;
    begin_run(out, &Holding::with(out, false, &is_ours)?, &first.run, force, (0, 0), observer)?;
    let classes: ClassMap = read_json(&parts[0].0.join(CLASSES))?;
    out.write(CLASSES, &serde_json::to_vec_pretty(&classes).map_err(PackError::json)?)?;
    let cut = Cut { classes: &classes, container, shard_bytes: first.shard_bytes, on_error: OnError::Skip };
    let samples: Vec<(&str, &dyn Samples)> =
        splits.iter().map(|(split, joined)| (*split, joined as &dyn Samples)).collect();
    let mut written = write_all(cut, &samples, out, observer)?;
    written.problems.extend_from_slice(&first.problems);
    let about = About {
        name: first.name.clone(),
        classes: classes.names().to_vec(),
        container,
        ignored: &first.ignored,
    };
    about.finish(written, out, observer)
}

fn container(part: &Part) -> Result<Container, PackError> {
    match part.container.as_str() {
        "tar" => Ok(Container::WebDataset),
        #[cfg(feature = "parquet")]
        "parquet" => Ok(Container::Parquet),
        other => Err(PackError::Text(format!("this program does not write {other} files"))),
    }
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, PackError> {
    let changed = |why: String| PackError::Changed { place: file.display().to_string(), why };
    let bytes = read_regular(file).map_err(|why| changed(why.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|why| changed(why.to_string()))
}

fn read_part(folder: &Path) -> Result<Part, PackError> {
    let file = folder.join(PART);
    if !file.exists() {
        return Err(PackError::NoPart { place: folder.display().to_string() });
    }
    read_json(&file)
}

/// Images of a split that lie in the shards of all shares.
#[derive(Default)]
struct Joined {
    files: Vec<Archive>,
    rows: Vec<(u32, Row)>,
}

impl Joined {
    /// Adds a shard.
    fn add(&mut self, folder: &Path, file: &str) -> Result<(), PackError> {
        let path = folder.join(file);
        let changed = |why: String| PackError::Changed { place: path.display().to_string(), why };
        crate::data::ensure_relative(file).map_err(|why| changed(why.to_string()))?;
        let name = file.split('.').next().unwrap_or(file);
        let rows = index::read(&OutputFolder::new(folder, [])?, name)?;
        let rows = rows.ok_or_else(|| {
            changed(format!("its table {} is not there or cannot be read", index::name(name)))
        })?;
        let number = self.files.len();
        self.files.push(Archive::open(&path, number)?);
        let number = number as u32;
        self.rows.extend(rows.into_iter().map(|row| (number, row)));
        Ok(())
    }

    /// The files of a sample, as they stand in a shard.
    fn stored(&self, number: u32, row: &Row) -> Result<Stored, String> {
        let file = &self.files[number as usize];
        let read = |from: u64, bytes: usize| -> Result<Vec<u8>, String> {
            let mut buffer = vec![0; bytes];
            file.read_exact_at(&mut buffer, from).map_err(|why| why.to_string())?;
            Ok(buffer)
        };
        let header = |bytes: &[u8]| -> Result<(String, u64), String> {
            let mut header = tar::Header::new_ustar();
            header.as_mut_bytes().copy_from_slice(bytes);
            let path = header.path().map_err(|why| why.to_string())?.display().to_string();
            Ok((path, header.size().map_err(|why| why.to_string())?))
        };
        let wrong = || format!("image {} ({}) is not what was written", row.key, row.path);
        let before = row.offset.checked_sub(BLOCK as u64).ok_or_else(wrong)?;
        let (name, size) = header(&read(before, BLOCK)?)?;
        let extension = EXTENSIONS.into_iter().find(|extension| name == format!("{}.{extension}", row.key));
        let extension = extension.filter(|_| size == row.length).ok_or_else(wrong)?;
        let bytes = read(row.offset, usize::try_from(row.length).map_err(|_| wrong())?)?;
        let hash = ContentHash::of(&bytes);
        if hash.to_string() != row.hash {
            return Err(wrong());
        }
        let after = row.offset + row.length.next_multiple_of(BLOCK as u64);
        let (name, size) = header(&read(after, BLOCK)?)?;
        // A description is short.
        if name != format!("{}.json", row.key) || size > 1 << 20 {
            return Err(wrong());
        }
        let json = read(after + BLOCK as u64, size as usize)?;
        let said: serde_json::Value = serde_json::from_slice(&json).map_err(|_| wrong())?;
        if said["path"] != row.path.as_str() || said["source_hash"] != row.source_hash.as_str() {
            return Err(wrong());
        }
        Ok(Stored { bytes, extension, hash, json })
    }
}

impl Samples for Joined {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn path(&self, at: usize) -> &str {
        &self.rows[at].1.path
    }

    fn sample(&self, at: usize, _resizer: &mut Resizer) -> Result<Sample, PackError> {
        let (number, row) = &self.rows[at];
        let place = || self.files[*number as usize].path().display().to_string();
        let changed = |why: String| PackError::Changed { place: place(), why };
        let source_hash =
            row.source_hash.parse().map_err(|_| changed("a hash in its table is none".to_owned()))?;
        let image = match row.problem.as_str() {
            "" => Ok(self.stored(*number, row).map_err(changed)?),
            problem => Err(problem.to_owned()),
        };
        let (key, path, label) = (row.key.clone(), row.path.clone(), row.label);
        Ok(Sample { key, path, label, source_hash, image })
    }
}
