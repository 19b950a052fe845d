//! The one builder of a compressed set and its manifest: for a folder, for memory, and for a page one composite at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::originals::{Originals, ReadError, TooManyOpen};
use crate::combine::{
    Bytes, CombineError, Composer, CompositePlan, CompositeRecord, Counts, DATA, Format, Hashes, IpcCounts,
    METADATA, Made, Manifest, PickedSource, SCHEMA, SOURCE_FILTER, SetSpec, Tool, about, make,
    plan_composites, selection_hash, source_set_hash, write_metadata,
};
use crate::data::{
    ClassMap, ContentHash, DataError, DecodeError, Fit, Grid, Image, ImageSet, Limits, Resizer, Sample,
    decode,
};
use crate::fault::{Fault, Faulty};
use crate::parallel;
use crate::run::{NewFolder, Observer, Storage, StorageError};

/// Composites that are made between two looks at whether something went wrong. A fixed number, so that
/// the error reported does not depend on the number of threads.
const BATCH: usize = 256;

/// A compressed set that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// The picks and the spec do not fit each other, or a composite could not be encoded.
    #[error(transparent)]
    Combine(#[from] CombineError),
    /// A composite that was made cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A composite of the wrong size.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A source image could not be read.
    #[error("source image '{path}' cannot be read")]
    Source {
        /// Path relative to the source folder.
        path: String,
        /// The reason.
        source: ReadError,
    },
    /// A file could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The metadata could not be written down.
    #[error("cannot write '{METADATA}'")]
    Metadata(#[source] std::io::Error),
    /// A composite that another process made is not what it was.
    #[error("'{place}': {why}; make that shard again")]
    Shard {
        /// Its file.
        place: String,
        /// The reason.
        why: String,
    },
    /// The caller asked to stop.
    #[error("stopped before all composites were written")]
    Stopped,
}

impl Faulty for SetError {
    fn fault(&self) -> Fault {
        match self {
            Self::Combine(error) => error.fault(),
            Self::Decode(error) => error.fault(),
            Self::Data(error) => error.fault(),
            Self::Source { source, .. } if source.is::<TooManyOpen>() => Fault::Run,
            Self::Source { .. } | Self::Shard { .. } => Fault::Data,
            Self::Storage(error) => error.fault(),
            Self::Metadata(_) => Fault::Run,
            Self::Stopped => Fault::Stopped,
        }
    }
}

/// Style of composites: the way they are made and stored, apart from the number and choice of images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Way of fitting a whole image into its tile.
    pub fit: Fit,
    /// File format of stored composites.
    pub format: Format,
}

/// The spec of `ipc` composites a class.
pub fn spec(classes: &ClassMap, grid: Grid, ipc: u32, side: u32, style: Style) -> SetSpec {
    SetSpec {
        seed: 0,
        ipc,
        ipc_counts: IpcCounts::Composites,
        grid,
        side,
        fit: style.fit.to_string(),
        filter: SOURCE_FILTER.to_string(),
        format: style.format,
        classes: classes.clone(),
    }
}

/// Facts about a set that its pixels do not show.
#[derive(Clone, Debug, Default)]
pub struct SetFacts {
    /// All options of the run as they were resolved.
    pub options: serde_json::Value,
    /// Smallest crop of the run's views as a share of the tile.
    pub min_scale: Option<f64>,
    /// Bytes of the files of all images the sources were picked from.
    pub source_bytes: u64,
}

/// Name of a set, and the sentence on how its sources were chosen: see [`card`](crate::combine::card).
#[derive(Clone, Copy, Debug)]
pub struct Title<'a> {
    /// Its name.
    pub name: &'a str,
    /// The end of "The source images were chosen …".
    pub selection: &'a str,
}

/// The manifest before anything is made. It is enough to recognise the same run again.
pub fn draft(spec: SetSpec, facts: SetFacts, samples: &[Sample]) -> Manifest {
    let SetFacts { options, min_scale, source_bytes } = facts;
    Manifest {
        schema: SCHEMA,
        tool: Tool::this(),
        created: None,
        spec,
        min_scale,
        options,
        counts: Counts::default(),
        bytes: Bytes { source: source_bytes, ..Bytes::default() },
        hashes: Hashes { source_set: source_set_hash(samples), selection: ContentHash([0; 32]) },
        files: BTreeMap::new(),
    }
}

/// The files of a finished set, apart from those that describe it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenSet {
    /// Hash of every file; paths are relative to the output folder, `/` between their parts.
    pub files: BTreeMap<String, ContentHash>,
    /// Bytes of all composites.
    pub composite_bytes: u64,
    /// The records of `metadata.jsonl`.
    pub records: Vec<CompositeRecord>,
    /// The text of `metadata.jsonl`.
    pub metadata: Vec<u8>,
}

/// Composites in memory, as a training set.
pub struct Composed {
    /// Pixels as they are stored, and labels.
    pub images: Arc<ImageSet>,
    /// Bytes they would take as files.
    pub bytes: u64,
}

/// A composite that was written.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its line of [`METADATA`].
    pub record: CompositeRecord,
    /// Hash of its file.
    pub hash: ContentHash,
    /// Bytes of its file.
    pub bytes: u64,
}

impl Stored {
    /// The facts of a composite that was made.
    pub fn of(made: &Made) -> Self {
        Self::new(made.record.clone(), &made.file)
    }

    /// The facts of a composite and its file.
    pub fn new(record: CompositeRecord, file: &[u8]) -> Self {
        Self { record, hash: ContentHash::of(file), bytes: file.len() as u64 }
    }
}

/// Gives the record and the file of a composite, by its place among all and its plan.
pub type Make<'a> =
    dyn Fn(usize, &CompositePlan<'_>) -> Result<(CompositeRecord, Vec<u8>), SetError> + Sync + 'a;

/// Makes the composites of a spec from the picks of every class.
pub struct SetBuilder {
    spec: SetSpec,
    fit: Fit,
    picks: Vec<Vec<PickedSource>>,
    composer: Composer,
    /// Number of composites of a class.
    per_class: u32,
}

impl SetBuilder {
    /// A builder. `picks[c]` are the picked images of class `c`, in the order of their ranking.
    ///
    /// # Errors
    /// [`CombineError`] for an invalid spec, and for picks that do not fit it.
    pub fn new(spec: SetSpec, fit: Fit, picks: Vec<Vec<PickedSource>>) -> Result<Self, CombineError> {
        let composer = Composer::new(spec.grid, spec.side)?;
        let (per_class, _) = spec.per_class()?;
        // Its error names the class with the wrong number of picks.
        plan_composites(&picks, &spec.classes, per_class, spec.grid)?;
        Ok(Self { spec, fit, picks, composer, per_class })
    }

    /// The spec.
    pub fn spec(&self) -> &SetSpec {
        &self.spec
    }

    /// Number of composites.
    pub fn len(&self) -> usize {
        self.picks.len() * self.per_class as usize
    }

    /// `true` where there are no composites.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The plan of one composite, counted class after class; `None` where there is no such composite.
    pub fn plan(&self, index: usize) -> Option<CompositePlan<'_>> {
        let (class, place) = (index / self.per_class as usize, index % self.per_class as usize);
        let picks = self.picks.get(class)?;
        Some(CompositePlan::of(picks, class as u32, place as u32, self.per_class, self.spec.grid))
    }

    fn plans(&self) -> Vec<CompositePlan<'_>> {
        (0..self.len()).filter_map(|index| self.plan(index)).collect()
    }

    /// Makes the file of a composite from its sources.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn file(
        &self,
        plan: &CompositePlan<'_>,
        originals: &dyn Originals,
    ) -> Result<(CompositeRecord, Vec<u8>), SetError> {
        let made = self.make_from(plan, originals)?;
        Ok((made.record, made.file))
    }

    /// Makes one composite. `read` gives the whole image of a source path, tile after tile.
    ///
    /// # Errors
    /// The first error of `read`, and [`CombineError`] when the composite cannot be encoded.
    pub fn make<E: From<CombineError>>(
        &self,
        plan: &CompositePlan<'_>,
        resizer: &mut Resizer,
        read: impl FnMut(&str) -> Result<Image, E>,
    ) -> Result<Made, E> {
        make(&self.composer, &self.spec, plan, read, |image, width, height| {
            resizer.resize(image, width, height, self.fit, SOURCE_FILTER)
        })
    }

    /// The pixels of a composite as a student sees them: those that are stored, which differ from the original ones in JPEG.
    ///
    /// # Errors
    /// [`DecodeError`] when its own file cannot be read.
    pub fn stored(&self, made: Made) -> Result<Image, DecodeError> {
        match self.spec.format {
            Format::Png => Ok(made.image),
            Format::Jpeg { .. } => decode(&made.file, &Limits::default()),
        }
    }

    fn make_from(&self, plan: &CompositePlan<'_>, originals: &dyn Originals) -> Result<Made, SetError> {
        self.make(plan, &mut Resizer::new(), |path| {
            let pick = plan.tiles.iter().find(|pick| pick.path == path);
            let image = match pick {
                Some(pick) => originals.same_image(path, pick.hash),
                None => originals.image(path),
            };
            image.map_err(|source| SetError::Source { path: path.to_owned(), source })
        })
    }

    /// Makes all composites in memory.
    ///
    /// # Errors
    /// [`SetError`]; of several unreadable sources the first in the order of composites is reported.
    pub fn in_memory(&self, originals: &dyn Originals) -> Result<Composed, SetError> {
        let plans = self.plans();
        let made = parallel::map(&plans, |_, plan| -> Result<(Image, u64), SetError> {
            let made = self.make_from(plan, originals)?;
            let bytes = made.file.len() as u64;
            Ok((self.stored(made)?, bytes))
        });
        let mut images = ImageSet::with_capacity(self.spec.side, plans.len());
        let mut bytes = 0;
        for (plan, made) in plans.iter().zip(made) {
            let (image, size) = made?;
            images.push(&image, plan.class)?;
            bytes += size;
        }
        Ok(Composed { images: Arc::new(images), bytes })
    }

    /// Makes all composites and writes them, with `metadata.jsonl`, as the folder [`DATA`]: aside first, then in place of what
    /// an unfinished run left there. The same bytes with any number of threads. `progress` is called after every composite,
    /// from several threads, and returns `true` to go on.
    ///
    /// # Errors
    /// [`SetError`]; of several unreadable sources the first in the order of composites is reported.
    pub fn write(
        &self,
        out: &dyn Storage,
        originals: &dyn Originals,
        progress: &(dyn Fn() -> bool + Sync),
    ) -> Result<WrittenSet, SetError> {
        let folder = out.folder(DATA)?;
        let make = |_: usize, plan: &CompositePlan<'_>| self.file(plan, originals);
        let (written, _) = self.write_into(&*folder, 0..self.len(), &make, progress)?;
        folder.finish()?;
        Ok(written)
    }

    /// Writes the composites of a range, and the lines of [`METADATA`] that are theirs, into a folder.
    ///
    /// # Errors
    /// [`SetError`]; the first in the order of composites.
    pub fn write_into(
        &self,
        folder: &dyn NewFolder,
        range: Range<usize>,
        make: &Make<'_>,
        progress: &(dyn Fn() -> bool + Sync),
    ) -> Result<(WrittenSet, Vec<Stored>), SetError> {
        let stopped = AtomicBool::new(false);
        let make_one = |at: usize| -> Result<Option<Stored>, SetError> {
            let Some(plan) = self.plan(at) else { return Ok(None) };
            if stopped.load(Ordering::Relaxed) {
                return Err(SetError::Stopped);
            }
            let (record, file) = make(at, &plan)?;
            folder.write(&record.file_name, &file)?;
            if !progress() {
                stopped.store(true, Ordering::Relaxed);
            }
            Ok(Some(Stored::new(record, &file)))
        };
        let mut all = Vec::with_capacity(range.len());
        let places: Vec<usize> = range.collect();
        for batch in places.chunks(BATCH) {
            for stored in parallel::map(batch, |_, &at| make_one(at)) {
                all.extend(stored?);
            }
        }
        let written = WrittenSet::of(&all)?;
        folder.write(METADATA, &written.metadata)?;
        Ok((written, all))
    }

    /// Completes the draft of a manifest with the facts of a set that was made from `source` images. `kept_bytes` is the size
    /// of the distinct files of the picks.
    pub fn complete(&self, manifest: &mut Manifest, written: &WrittenSet, source: usize, kept_bytes: u64) {
        manifest.counts = Counts::of(&self.picks, source, written.records.len());
        manifest.bytes.kept_sources = kept_bytes;
        manifest.bytes.out = written.composite_bytes;
        manifest.hashes.selection = selection_hash(&self.picks);
        manifest.files.clone_from(&written.files);
    }

    /// Writes the whole set: the composites, then the files that describe them, with the draft of the manifest completed.
    /// Returns the records of the composites. `source` is the number of images that the picks were chosen from.
    ///
    /// # Errors
    /// The errors of [`write`](Self::write) and [`write_about`].
    pub fn publish(
        &self,
        out: &dyn Storage,
        originals: &dyn Originals,
        (draft, source): (&mut Manifest, usize),
        title: Title<'_>,
        observer: &dyn Observer,
    ) -> Result<Vec<CompositeRecord>, SetError> {
        let make = |_: usize, plan: &CompositePlan<'_>| self.file(plan, originals);
        self.publish_made(out, (&make, originals), (draft, source), title, observer)
    }

    /// The same with composites that `make` gives.
    ///
    /// # Errors
    /// The errors of [`publish`](Self::publish).
    pub fn publish_made(
        &self,
        out: &dyn Storage,
        (make, originals): (&Make<'_>, &dyn Originals),
        (draft, source): (&mut Manifest, usize),
        title: Title<'_>,
        observer: &dyn Observer,
    ) -> Result<Vec<CompositeRecord>, SetError> {
        let stage = observer.stage("combine", "composites", self.len());
        let folder = out.folder(DATA)?;
        let (written, _) = self.write_into(&*folder, 0..self.len(), make, &|| {
            stage.add(1);
            !observer.wants_stop()
        })?;
        folder.finish()?;
        drop(stage);
        self.complete(draft, &written, source, source_bytes(originals, &self.picks));
        write_about(out, draft, title.name, title.selection)?;
        Ok(written.records)
    }
}

impl WrittenSet {
    /// The files of a set with these composites, in their order.
    ///
    /// # Errors
    /// [`SetError::Metadata`] when they cannot be written down.
    pub fn of(all: &[Stored]) -> Result<Self, SetError> {
        let mut written = Self::default();
        for Stored { record, hash, bytes } in all {
            written.files.insert(format!("{DATA}/{}", record.file_name), *hash);
            written.composite_bytes += bytes;
            written.records.push(record.clone());
        }
        write_metadata(&mut written.metadata, &written.records).map_err(SetError::Metadata)?;
        written.files.insert(format!("{DATA}/{METADATA}"), ContentHash::of(&written.metadata));
        Ok(written)
    }
}

/// Bytes of the distinct source files of some picks.
pub fn source_bytes(originals: &dyn Originals, picks: &[Vec<PickedSource>]) -> u64 {
    let paths: BTreeSet<&str> = picks.iter().flatten().map(|pick| pick.path.as_str()).collect();
    paths.iter().filter_map(|path| originals.file_size(path)).sum()
}

/// Writes the files that describe a set: the card, the torchvision transform and, last, `manifest.json`, whose `files` then
/// name the other two as well. `name` and `selection` are those of [`card`](crate::combine::card).
///
/// # Errors
/// [`StorageError`].
pub fn write_about(
    out: &dyn Storage,
    manifest: &mut Manifest,
    name: &str,
    selection: &str,
) -> Result<(), StorageError> {
    // `manifest.json` comes last, over the draft that a run began with: a kill must leave the one or the other.
    about(manifest, name, selection).iter().try_for_each(|(file, text)| out.write(file, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Changed;
    use crate::run::memory::Memory;

    struct Gray;

    impl Originals for Gray {
        fn image(&self, path: &str) -> Result<Image, ReadError> {
            match path {
                "a/gone" => Err("it is gone".into()),
                _ => Ok(Image::filled(8, 4, [path.len() as u8 * 20; 3])),
            }
        }

        fn same_image(&self, path: &str, hash: ContentHash) -> Result<Image, ReadError> {
            if hash == ContentHash::of(path.as_bytes()) { self.image(path) } else { Err(Changed.into()) }
        }

        fn file_size(&self, path: &str) -> Option<u64> {
            (path != "a/gone").then_some(10)
        }
    }

    fn pick(path: &str, rank: u32) -> PickedSource {
        PickedSource { path: path.to_owned(), hash: ContentHash::of(path.as_bytes()), score: None, rank }
    }

    fn builder(first: &str) -> SetBuilder {
        let classes = ClassMap::new(["a".to_owned(), "b".to_owned()]);
        let style = Style { fit: Fit::Squash, format: Format::Png };
        let grid = Grid::new(1, 2).unwrap();
        let picks = vec![vec![pick(first, 0), pick("a/2", 1)], vec![pick("b/1", 0), pick("b/long", 1)]];
        SetBuilder::new(spec(&classes, grid, 1, 8, style), style.fit, picks).unwrap()
    }

    #[test]
    fn a_set_in_memory_has_the_pixels_of_the_one_that_is_written() {
        let (builder, out) = (builder("a/1"), Memory::default());
        let written = builder.write(&out, &Gray, &|| true).unwrap();
        let composed = builder.in_memory(&Gray).unwrap();
        assert_eq!(out.names(), ["data/a/0000.png", "data/b/0000.png", "data/metadata.jsonl"]);
        assert_eq!(composed.bytes, written.composite_bytes);
        for (place, record) in written.records.iter().enumerate() {
            let file = out.read(&format!("{DATA}/{}", record.file_name)).unwrap().unwrap();
            let image = decode(&file, &Limits::default()).unwrap();
            assert_eq!(image.pixels(), composed.images.image(place));
        }
        assert_eq!(source_bytes(&Gray, &builder.picks), 40);
    }

    #[test]
    fn a_set_that_cannot_be_kept_leaves_the_earlier_one_as_it_was() {
        let builder = builder("a/1");
        for fails_after in 1..4 {
            let out = Memory::failing_after(fails_after);
            out.write("data/earlier", b"1").unwrap();
            let error = builder.write(&out, &Gray, &|| true).unwrap_err();
            assert!(matches!(error, SetError::Storage(_)), "{error}");
            assert_eq!((error.fault(), out.names()), (Fault::Run, vec!["data/earlier".to_owned()]));
        }
    }

    #[test]
    fn a_source_that_was_changed_after_it_was_scored_is_named() {
        let mut builder = builder("a/1");
        builder.picks[1][0].hash = ContentHash::of(b"what it was");
        let error = builder.write(&Memory::default(), &Gray, &|| true).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.fault()),
            ("source image 'b/1' cannot be read", Fault::Data)
        );
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.contains("has changed since"), "{why}");
        assert!(builder.in_memory(&Gray).is_err());
    }

    #[test]
    fn a_source_that_is_gone_is_named_and_is_the_datas_fault() {
        let error = builder("a/gone").write(&Memory::default(), &Gray, &|| true).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.fault()),
            ("source image 'a/gone' cannot be read", Fault::Data)
        );
    }
}
