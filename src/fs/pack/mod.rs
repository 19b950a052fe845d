//! Packing: one pass over a data set that writes it as WebDataset shards, each image shrunk or as it is.
//!
//! ```text
//! out/run.json                      what is packed, and how
//! out/train-000000.tar, …           the shards: KEY.cls, KEY.jpg, KEY.json for each image
//! out/index/train-000000.csv, …     where each image of a shard stands, and its hash
//! out/_info.json                    the splits, when all shards are whole
//! ```
//!
//! A shard appears whole, then its index; a run that goes on keeps the shards that have one. The same images and options give
//! the same bytes, with any number of threads.

mod check;
mod error;
mod index;
mod options;
mod sample;
mod shard;
#[cfg(feature = "parquet")]
mod table;
#[cfg(feature = "parquet")]
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use rayon::prelude::*;

use self::index::Row;
use self::options::INFO;
use self::sample::{Packer, Sample};
use self::shard::Shard;
use super::output::write_atomic;
use super::read::Listing;
use super::tree::{Info, SplitInfo};
use super::{FolderError, OutputFolder};
use crate::data::{ContentHash, DataError, Entry, OnError, Problem};
use crate::pipeline::begin::begin_run;
use crate::pipeline::claim::Holding;
use crate::pipeline::data::write_problems;
use crate::random::{Purpose, permutation};
use crate::report::words::counted;
use crate::run::{Observer, Storage as _};

pub use check::check;
pub use error::PackError;
pub use options::{Container, PackForm, PackOptions, Packed};

const CLASSES: &str = "classes.json";
const CARD: &str = "README.md";

/// Packs the images of a listing, of which nothing is held out, into `out`.
///
/// # Errors
/// [`PackError`] for an output that must not be touched, files that cannot be read, and when the observer stops the run.
pub fn pack(
    listing: &Listing,
    options: &PackOptions,
    out: &OutputFolder,
    force: bool,
    observer: &dyn Observer,
) -> Result<Packed, PackError> {
    out.claim()?;
    let splits = [("train", &listing.train), ("val", &listing.val)];
    let mut source = String::new();
    let mut bytes = 0;
    for (split, entry) in splits.iter().flat_map(|(split, all)| all.iter().map(move |entry| (split, entry))) {
        let size = listing.tree.size(&entry.path).unwrap_or(0);
        bytes += size;
        source.push_str(&format!("{split}\t{}\t{}\t{size}\n", entry.path, entry.class));
    }
    let run = serde_json::json!({
        "options": {
            "command": "pack",
            "short_side": options.short_side,
            "format": match options.form {
                PackForm::AsIs => "as-is".to_owned(),
                PackForm::Encoded(format) => format.to_string(),
            },
            "container": options.container.extension(),
            "shard_bytes": options.shard_bytes,
            "shuffle": options.shuffle,
            "seed": options.seed,
        },
        "source": ContentHash::of(source.as_bytes()),
    });
    drop(source);
    let sure = if options.form == PackForm::AsIs { bytes } else { 0 };
    begin_run(out, &Holding::with(out, false, &is_ours)?, &run, force, (sure, sure), observer)?;
    out.write(CLASSES, &serde_json::to_vec_pretty(&listing.classes).map_err(PackError::json)?)?;

    let stage = observer.stage("pack", "images", listing.train.len() + listing.val.len());
    let packer = Packer { tree: &*listing.tree, classes: &listing.classes, options };
    let (mut done, mut infos) = (Packed::default(), BTreeMap::new());
    let mut problems = listing.problems.clone();
    for (split, entries) in splits.iter().filter(|(_, entries)| !entries.is_empty()) {
        let order: Vec<u32> = if options.shuffle && *split == "train" {
            permutation(options.seed, Purpose::Pack, 0, entries.len())
        } else {
            (0..entries.len() as u32).collect()
        };
        let mut info = SplitInfo { name: (*split).to_owned(), ..SplitInfo::default() };
        let mut shards =
            Shards { packer: &packer, split, entries, order: &order, next: 0, waiting: VecDeque::new() };
        while !shards.is_done() {
            observer.go_on()?;
            let name = format!("{split}-{:06}", info.filenames.len());
            let rows = match shards.earlier(out, &name)? {
                Some(rows) => rows,
                None => shards.write(out, &name, observer)?,
            };
            stage.add(rows.len());
            let images = rows.iter().filter(|row| row.problem.is_empty()).count();
            problems.extend(rows.into_iter().filter(|row| !row.problem.is_empty()).map(Row::into_problem));
            // Files that cannot be read may be all that is left.
            let file = format!("{name}.{}", options.container.extension());
            done.bytes += out.path().join(&file).metadata().map_or(0, |about| about.len());
            info.filenames.push(file);
            info.shard_lengths.push(images);
        }
        let images = info.shard_lengths.iter().sum();
        info.num_samples = Some(images);
        done.images += images as u64;
        done.shards += info.filenames.len() as u64;
        infos.insert((*split).to_owned(), info);
    }
    drop(stage);
    problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    done.left_out = problems.len() as u64;
    if !problems.is_empty() || !listing.ignored.is_empty() {
        write_problems(&problems, &listing.ignored, out)?;
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
    out.write(CARD, card(options.container, infos.keys().map(String::as_str)).as_bytes())?;
    let info =
        Info { name: Some(listing.tree.name()), splits: infos, classes: listing.classes.names().to_vec() };
    out.write(INFO, &serde_json::to_vec_pretty(&info).map_err(PackError::json)?)?;
    Ok(done)
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
fn is_ours(name: &str) -> bool {
    let shard = |stem: &str| {
        stem.split_once('-').is_some_and(|(split, number)| {
            ["train", "val"].contains(&split)
                && number.len() >= 6
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    name == INFO
        || name.strip_suffix(".tar").or_else(|| name.strip_suffix(".parquet")).is_some_and(shard)
        || name.strip_prefix("index/").and_then(|name| name.strip_suffix(".csv")).is_some_and(shard)
}

/// The shards of a split, one after the other.
struct Shards<'a> {
    packer: &'a Packer<'a>,
    split: &'a str,
    entries: &'a [Entry],
    order: &'a [u32],
    /// Place in the order of the first image that is not made yet.
    next: usize,
    /// Images that are made and in no shard yet.
    waiting: VecDeque<Sample>,
}

impl Shards<'_> {
    /// Images that are made at once, on all threads.
    const AHEAD: usize = 256;

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.next == self.order.len()
    }

    /// The rows of a shard that an earlier run has finished; `None` where it has not, or its images are others.
    fn earlier(&mut self, out: &OutputFolder, name: &str) -> Result<Option<Vec<Row>>, PackError> {
        // Images that were made for the shard before belong here.
        let from = self.next - self.waiting.len();
        let Some(rows) = index::read(out, name)? else { return Ok(None) };
        let is_next = |(at, row): (usize, &Row)| {
            self.order.get(from + at).is_some_and(|&place| self.entries[place as usize].path == row.path)
        };
        let file = format!("{name}.{}", self.packer.options.container.extension());
        let Ok(about) = out.path().join(file).metadata() else { return Ok(None) };
        let end = rows.iter().map(|row| row.offset + row.length).max().unwrap_or(0);
        if rows.is_empty() || !rows.iter().enumerate().all(is_next) || about.len() < end {
            return Ok(None);
        }
        self.next = from + rows.len();
        self.waiting.clear();
        Ok(Some(rows))
    }

    /// Makes images until a shard is full, and writes it.
    fn write(
        &mut self,
        out: &OutputFolder,
        name: &str,
        observer: &dyn Observer,
    ) -> Result<Vec<Row>, PackError> {
        let options = self.packer.options;
        let mut shard = Shard::begin(
            out,
            &format!("{name}.{}", options.container.extension()),
            options.container,
            self.packer.classes,
        )?;
        loop {
            if self.waiting.is_empty() {
                observer.go_on()?;
                let to = self.order.len().min(self.next + Self::AHEAD);
                let made: Vec<Result<Sample, FolderError>> = self.order[self.next..to]
                    .par_iter()
                    .map_init(Default::default, |resizer, &place| {
                        self.packer.sample(&self.entries[place as usize], place, resizer)
                    })
                    .collect();
                self.next = to;
                for sample in made {
                    self.waiting.push_back(sample?);
                }
            }
            let Some(sample) = self.waiting.front() else { break };
            if !shard.is_empty() && shard.with(sample) > options.shard_bytes {
                break;
            }
            if let (OnError::Fail, Err(reason)) = (options.on_error, &sample.image) {
                let (path, reason) = (sample.path.clone(), reason.clone());
                return Err(FolderError::from(DataError::File { path, reason }).into());
            }
            shard.add(sample)?;
            self.waiting.pop_front();
        }
        let rows = shard.finish()?;
        let table = index::write(&rows)?;
        let file = out.path().join(index::name(name));
        std::fs::create_dir_all(file.parent().unwrap_or(out.path()))
            .map_err(super::output::at("make", &file))?;
        write_atomic(&file, &table)?;
        log::debug!("{} of split {} in {name}", rows.len(), self.split);
        Ok(rows)
    }
}
