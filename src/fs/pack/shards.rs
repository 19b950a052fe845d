//! The shards of a split, one after the other, whoever makes the images.

use std::collections::{BTreeMap, VecDeque};

use rayon::prelude::*;

use super::error::PackError;
use super::index::{self, Row};
use super::options::{Container, Packed};
use super::sample::Sample;
use super::shard::Shard;
use crate::data::{ClassMap, DataError, OnError, Problem, Resizer};
use crate::fs::output::{at, write_atomic};
use crate::fs::tree::SplitInfo;
use crate::fs::{FolderError, OutputFolder};
use crate::run::Observer;

/// The images of a split in the order in which they are packed.
pub(super) trait Samples: Sync {
    /// Their number, those that cannot be used included.
    fn len(&self) -> usize;

    /// Path of an image in the data set.
    fn path(&self, at: usize) -> &str;

    /// Makes an image.
    ///
    /// # Errors
    /// [`PackError`] for one that cannot be had at all. One that is no image is a problem of the sample.
    fn sample(&self, at: usize, resizer: &mut Resizer) -> Result<Sample, PackError>;
}

/// How images are cut into shards.
#[derive(Clone, Copy)]
pub(super) struct Cut<'a> {
    pub(super) classes: &'a ClassMap,
    pub(super) container: Container,
    pub(super) shard_bytes: u64,
    pub(super) on_error: OnError,
}

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) done: Packed,
    pub(super) splits: BTreeMap<String, SplitInfo>,
    /// Files that were left out.
    pub(super) problems: Vec<Problem>,
}

/// Writes all shards of some splits; those that an earlier run has finished are kept.
///
/// # Errors
/// [`PackError`].
pub(super) fn write_all(
    cut: Cut<'_>,
    splits: &[(&str, &dyn Samples)],
    out: &OutputFolder,
    observer: &dyn Observer,
) -> Result<Written, PackError> {
    let stage = observer.stage("pack", "images", splits.iter().map(|(_, samples)| samples.len()).sum());
    let mut written = Written::default();
    for &(split, samples) in splits {
        let mut info = SplitInfo { name: split.to_owned(), ..SplitInfo::default() };
        let mut shards = Shards { cut, split, samples, next: 0, waiting: VecDeque::new() };
        while !shards.is_done() {
            observer.go_on()?;
            let name = format!("{split}-{:06}", info.filenames.len());
            let rows = match shards.earlier(out, &name)? {
                Some(rows) => rows,
                None => shards.write(out, &name, observer)?,
            };
            stage.add(rows.len());
            let images = rows.iter().filter(|row| row.problem.is_empty()).count();
            let left_out = rows.into_iter().filter(|row| !row.problem.is_empty());
            written.problems.extend(left_out.map(Row::into_problem));
            // Files that cannot be read may be all that is left.
            let file = format!("{name}.{}", cut.container.extension());
            written.done.bytes += out.path().join(&file).metadata().map_or(0, |about| about.len());
            info.filenames.push(file);
            info.shard_lengths.push(images);
        }
        let images = info.shard_lengths.iter().sum();
        info.num_samples = Some(images);
        written.done.images += images as u64;
        written.done.shards += info.filenames.len() as u64;
        written.splits.insert(split.to_owned(), info);
    }
    Ok(written)
}

/// The shards of a split.
struct Shards<'a> {
    cut: Cut<'a>,
    split: &'a str,
    samples: &'a dyn Samples,
    /// Place of the first image that is not made yet.
    next: usize,
    /// Images that are made and in no shard yet.
    waiting: VecDeque<Sample>,
}

impl Shards<'_> {
    /// Images that are made at once, on all threads.
    const AHEAD: usize = 256;

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.next == self.samples.len()
    }

    /// The rows of a shard that an earlier run has finished; `None` where it has not, or its images are others.
    fn earlier(&mut self, out: &OutputFolder, name: &str) -> Result<Option<Vec<Row>>, PackError> {
        // Images that were made for the shard before belong here.
        let from = self.next - self.waiting.len();
        let Some(rows) = index::read(out, name)? else { return Ok(None) };
        let is_next = |(at, row): (usize, &Row)| {
            from + at < self.samples.len() && self.samples.path(from + at) == row.path
        };
        let file = format!("{name}.{}", self.cut.container.extension());
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
        let cut = self.cut;
        let file = format!("{name}.{}", cut.container.extension());
        let mut shard = Shard::begin(out, &file, cut.container, cut.classes)?;
        loop {
            if self.waiting.is_empty() {
                observer.go_on()?;
                let to = self.samples.len().min(self.next + Self::AHEAD);
                let made: Vec<Result<Sample, PackError>> = (self.next..to)
                    .into_par_iter()
                    .map_init(Default::default, |resizer, at| self.samples.sample(at, resizer))
                    .collect();
                self.next = to;
                for sample in made {
                    self.waiting.push_back(sample?);
                }
            }
            let Some(sample) = self.waiting.front() else { break };
            if !shard.is_empty() && shard.with(sample) > cut.shard_bytes {
                break;
            }
            if let (OnError::Fail, Err(reason)) = (cut.on_error, &sample.image) {
                let (path, reason) = (sample.path.clone(), reason.clone());
                return Err(FolderError::from(DataError::File { path, reason }).into());
            }
            shard.add(sample)?;
            self.waiting.pop_front();
        }
        let rows = shard.finish()?;
        let table = index::write(&rows)?;
        let file = out.path().join(index::name(name));
        std::fs::create_dir_all(file.parent().unwrap_or(out.path())).map_err(at("make", &file))?;
        write_atomic(&file, &table)?;
        log::debug!("{} of split {} in {name}", rows.len(), self.split);
        Ok(rows)
    }
}
