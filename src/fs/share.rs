//! Sets whose composites several processes make, each a share of them, and how they are joined.
//!
//! ```text
//! out/run.json              what is combined, and which share this is
//! out/data/<class>/…        the composites of the share, and their metadata.jsonl
//! out/samples.csv           the share of the images that was read: class, hash and size of each
//! out/selection.csv         the list of the chosen images, as it was given
//! out/part.json             the rest that `merge` needs, written last
//! ```
//!
//! A share reads its share of the images, for the hash of the whole set, and those that its own composites show.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::folder::{self, FolderError, LoadOptions, Loaded};
use super::read::Listing;
use super::{OutputFolder, ensure_apart, read_regular};
use crate::combine::{
    CompositePlan, CompositeRecord, CostEstimate, DATA, Difference, Format, METADATA, Manifest, read_metadata,
};
use crate::data::{
    ClassMap, ContentHash, DataError, Entry, Fit, Grid, Image, ImageSet, Layout, Limits, OnError,
    Preparation, Problem, Sample,
};
use crate::pipeline::begin::begin_run;
use crate::pipeline::claim::Holding;
use crate::pipeline::combine::{CombineRequest, combine};
use crate::pipeline::set::{SetBuilder, SetError, Style};
use crate::pipeline::{Dataset, Originals, PipelineError, ReadError, Skipped, Split};
use crate::prune::Selection;
use crate::report::{Kept, Loading};
use crate::run::{Observer, Share, ShareError, Storage as _, in_order};

const PART: &str = "part.json";
const SAMPLES: &str = "samples.csv";
const SELECTION: &str = "selection.csv";

/// What a share says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    shard: Share,
    /// What all shares have alike.
    run: serde_json::Value,
    name: String,
    listed: String,
    classes: ClassMap,
    grid: Grid,
    side: u32,
    fit: Fit,
    format: Format,
    min_scale: Option<f64>,
    /// Files that were left out of this share.
    problems: Vec<Problem>,
    /// Files of the whole set that could not be listed, and files that are none of a class.
    unlisted: Vec<Problem>,
    ignored: Vec<Problem>,
    /// Hash of each composite's file, in their order.
    composites: Vec<ContentHash>,
    /// Hash of the list of images.
    samples: ContentHash,
}

/// A row of `samples.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    /// Whether it is one to measure on.
    val: bool,
    class: u32,
    hash: ContentHash,
    bytes: u64,
    path: String,
}

/// The command whose share a folder holds, finished or not; `None` where it holds none.
pub fn shared_command(folder: &Path) -> Option<String> {
    let run = read_regular(&folder.join("run.json")).ok()?;
    let run: serde_json::Value = serde_json::from_slice(&run).ok()?;
    run["shard"].as_str()?;
    Some(run["options"]["command"].as_str()?.to_owned())
}

/// `true` for the name of a file that a share writes.
fn is_ours(name: &str) -> bool {
    [PART, SAMPLES, SELECTION].contains(&name)
        || name.strip_prefix(DATA).is_some_and(|rest| rest.starts_with('/'))
}

/// Makes a share of the composites of a request, and reads a share of the images. `list` is the file of the request's rows.
///
/// # Errors
/// [`PipelineError`] and [`FolderError`], as for the whole set.
pub fn combine_share(
    (request, list): (&CombineRequest, &[u8]),
    (listing, on_error): (&Listing, OnError),
    share: Share,
    (out, force): (&OutputFolder, bool),
    observer: &dyn Observer,
) -> Result<usize, ShareFailure> {
    let Listing { tree, classes, train, val, .. } = listing;
    // Whether a file is the one that was selected, `merge` says, which has the hashes of all.
    let unread =
        |entry: &Entry| Sample { path: entry.path.clone(), class: entry.class, hash: ContentHash([0; 32]) };
    let samples: Vec<Sample> = train.iter().map(unread).collect();
    let rows = request.rows.iter().cloned().map(|mut row| {
        row.hash = None;
        row
    });
    let wanted = CombineRequest { rows: rows.collect(), ..request.clone() };
    let (mut picks, spec) = wanted.picks(&samples, classes)?;
    drop(samples);
    let estimate = CostEstimate::new(&spec).map_err(PipelineError::from)?;

    let mut source = blake3::Hasher::new();
    for (split, entry) in train.iter().map(|entry| (0u8, entry)).chain(val.iter().map(|entry| (1, entry))) {
        let size = tree.size(&entry.path).unwrap_or(0);
        source.update(&[split]).update(&entry.class.to_le_bytes()).update(&size.to_le_bytes());
        source.update(&(entry.path.len() as u64).to_le_bytes()).update(entry.path.as_bytes());
    }
    let run = serde_json::json!({
        "options": { "command": "combine", "on_error": on_error },
        "spec": spec,
        "min_scale": request.min_scale,
        "selection": ContentHash::of(list),
        "source": ContentHash(*source.finalize().as_bytes()),
    });
    let mut own = run.clone();
    own["shard"] = serde_json::json!(share);
    out.claim().map_err(PipelineError::from)?;
    let holding = Holding::with(out, false, &is_ours).map_err(PipelineError::from)?;
    let likely = estimate.estimated_bytes / share.of() as u64;
    let goes_on = begin_run(out, &holding, &own, force, (0, likely), observer)?;
    if goes_on && let Ok(part) = read_part(out) {
        observer.say("this shard is finished");
        return Ok(part.composites.len());
    }

    let [train, val] = read_share(listing, share, on_error, observer)?;
    let builder = SetBuilder::new(spec.clone(), request.style.fit, picks.clone()).map_err(SetError::from)?;
    let range = share.range(builder.len());
    // Hashes of the images that its composites show, which other shares may have read.
    let plans: Vec<CompositePlan<'_>> = range.clone().filter_map(|at| builder.plan(at)).collect();
    let mut paths: Vec<&str> =
        plans.iter().flat_map(|plan| plan.tiles.iter()).map(|pick| pick.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let hashes: HashMap<String, ContentHash> = paths
        .par_iter()
        .map(|path| {
            let bytes = tree.read(path, Limits::default().max_bytes);
            let bytes =
                bytes.map_err(|why| SetError::Source { path: (*path).to_owned(), source: why.into() })?;
            Ok(((*path).to_owned(), ContentHash::of(&bytes)))
        })
        .collect::<Result<_, SetError>>()?;
    for pick in picks.iter_mut().flatten() {
        if let Some(hash) = hashes.get(&pick.path) {
            pick.hash = *hash;
        }
    }
    drop(plans);
    let builder = SetBuilder::new(spec, request.style.fit, picks).map_err(SetError::from)?;
    let stage = observer.stage("combine", "composites", range.len());
    let originals = super::SourceTree(tree.clone());
    let make = |_: usize, plan: &CompositePlan<'_>| builder.file(plan, &originals);
    let folder = out.folder(DATA).map_err(PipelineError::from)?;
    let (_, stored) = builder.write_into(&*folder, range, &make, &|| {
        stage.add(1);
        !observer.wants_stop()
    })?;
    folder.finish().map_err(PipelineError::from)?;
    drop(stage);

    let table = table(&train, &val)?;
    let write = |name: &str, bytes: &[u8]| out.write(name, bytes).map_err(PipelineError::from);
    write(SAMPLES, &table)?;
    write(SELECTION, list)?;
    let part = Part {
        shard: share,
        run,
        name: tree.name(),
        listed: request.listed.clone(),
        classes: classes.clone(),
        grid: request.grid,
        side: request.side,
        fit: request.style.fit,
        format: request.style.format,
        min_scale: request.min_scale,
        problems: [train.problems, val.problems].concat(),
        unlisted: listing.problems.clone(),
        ignored: listing.ignored.clone(),
        composites: stored.iter().map(|stored| stored.hash).collect(),
        samples: ContentHash::of(&table),
    };
    write(PART, &serde_json::to_vec_pretty(&part).map_err(PipelineError::from)?)?;
    Ok(stored.len())
}

/// Reads a share of the images to learn from, and of those to measure on.
fn read_share(
    listing: &Listing,
    share: Share,
    on_error: OnError,
    observer: &dyn Observer,
) -> Result<[Loaded; 2], FolderError> {
    let options = LoadOptions { how: Preparation::whole(8), on_error, kept: Kept::Nothing };
    let own = |entries: &[Entry]| entries[share.range(entries.len())].to_vec();
    let (train, val) = (own(&listing.train), own(&listing.val));
    let stage = observer.stage("read", "images", train.len() + val.len());
    let read = |entries: Vec<Entry>| {
        folder::load(&listing.tree, entries, &options, &|| {
            stage.add(1);
            !observer.wants_stop()
        })
    };
    Ok([read(train)?, read(val)?])
}

fn table(train: &Loaded, val: &Loaded) -> Result<Vec<u8>, PipelineError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    for (is_val, loaded) in [(false, train), (true, val)] {
        for (sample, &bytes) in loaded.samples.iter().zip(&loaded.sizes) {
            let Sample { path, class, hash } = sample.clone();
            table.serialize(Row { val: is_val, class, hash, bytes, path })?;
        }
    }
    table.into_inner().map_err(|why| PipelineError::Io(why.into_error()))
}

/// Reason why a share was not made, or shares were not joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareFailure {
    /// Images cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The set cannot be made.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Composites cannot be made.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The output cannot be used.
    #[error(transparent)]
    Output(#[from] super::OutputError),
}

impl crate::fault::Faulty for ShareFailure {
    fn fault(&self) -> crate::fault::Fault {
        match self {
            Self::Folder(error) => error.fault(),
            Self::Pipeline(error) => error.fault(),
            Self::Set(error) => error.fault(),
            Self::Output(error) => error.fault(),
        }
    }
}

fn changed(place: String, why: impl std::fmt::Display) -> PipelineError {
    SetError::Shard { place, why: why.to_string() }.into()
}

fn read(folder: &OutputFolder, name: &str) -> Result<Vec<u8>, PipelineError> {
    folder.read(name)?.ok_or_else(|| changed(folder.shown(name), "it is gone"))
}

fn read_part(folder: &OutputFolder) -> Result<Part, PipelineError> {
    let Some(bytes) = folder.read(PART)? else {
        return Err(PipelineError::Input(format!(
            "{} holds no finished shard of a set: give the command that began it, with its `shard`, once more",
            folder.shown("")
        )));
    };
    serde_json::from_slice(&bytes).map_err(|why| changed(folder.shown(PART), why))
}

/// A share that was read.
struct Read {
    folder: OutputFolder,
    part: Part,
    records: Vec<CompositeRecord>,
}

/// Joins the composites of all shares into the set that a single process would have made, byte for byte.
///
/// # Errors
/// [`ShareFailure`] for shares that are missing, unfinished, given twice, of other data or options, or not as they were written; and
/// those of the whole set.
pub fn merge_sets(
    folders: &[PathBuf],
    (out, force): (&OutputFolder, bool),
    observer: &dyn Observer,
) -> Result<Manifest, ShareFailure> {
    let mut all = Vec::new();
    for path in folders {
        ensure_apart(path, out.path())?;
        let folder = OutputFolder::new(path, [])?;
        let part = read_part(&folder)?;
        let records = read(&folder, &format!("{DATA}/{METADATA}"))?;
        let records = read_metadata(&records[..]).map_err(PipelineError::from)?;
        if records.len() != part.composites.len() {
            let why = format!("it has {} lines for {} composites", records.len(), part.composites.len());
            return Err(changed(folder.shown(&format!("{DATA}/{METADATA}")), why).into());
        }
        all.push(Read { folder, part, records });
    }
    let shares: Vec<(Share, String)> =
        all.iter().map(|read| (read.part.shard, read.folder.shown(""))).collect();
    if let Some(first) = all.first() {
        for other in &all {
            if let Some(difference) = Difference::between(&first.part.run, &other.part.run) {
                return Err(PipelineError::from(ShareError::Other {
                    first: first.folder.shown(""),
                    second: other.folder.shown(""),
                    why: format!(
                        "{} is {} there and {} here",
                        difference.what, difference.before, difference.now
                    ),
                })
                .into());
            }
        }
    }
    let order = in_order(&shares).map_err(PipelineError::from)?;
    let mut places: BTreeMap<usize, Read> = all.into_iter().enumerate().collect();
    let shares: Vec<Read> = order.iter().filter_map(|at| places.remove(at)).collect();

    let data = dataset(&shares)?;
    let first = &shares[0];
    let list = read(&first.folder, SELECTION)?;
    let shown = first.folder.shown(SELECTION);
    let rows = Selection::read_csv(&list[..]).map_err(PipelineError::from)?;
    if serde_json::json!(ContentHash::of(&list)) != first.part.run["selection"] {
        return Err(changed(shown, "it is not the list that was given").into());
    }
    let Part { listed, grid, side, fit, format, min_scale, .. } = &first.part;
    let request = CombineRequest {
        rows,
        listed: listed.clone(),
        grid: *grid,
        side: *side,
        style: Style { fit: *fit, format: *format },
        min_scale: *min_scale,
    };
    let composites: Vec<(&Read, usize)> =
        shares.iter().flat_map(|read| (0..read.records.len()).map(move |at| (read, at))).collect();
    let make = |place: usize, plan: &CompositePlan<'_>| composite(composites.get(place), plan);
    Ok(combine(&request, &data, (out, force), Some(&make), observer)?)
}

/// The record and the file of a composite that a share made of just the images that are planned.
fn composite(
    made: Option<&(&Read, usize)>,
    plan: &CompositePlan<'_>,
) -> Result<(CompositeRecord, Vec<u8>), SetError> {
    let wrong = |place: String, why: &str| SetError::Shard { place, why: why.to_owned() };
    let Some(&(read, at)) = made else {
        return Err(wrong(PART.to_owned(), "there are fewer composites than the list of images fills"));
    };
    let record = &read.records[at];
    let name = format!("{DATA}/{}", record.file_name);
    let shown = || read.folder.shown(&name);
    let same =
        record.tiles.len() == plan.tiles.len()
            && record.tiles.iter().zip(&plan.tiles).all(|(tile, pick)| {
                (&tile.source, tile.hash, tile.rank) == (&pick.path, pick.hash, pick.rank)
            });
    if record.label != plan.class || !same {
        return Err(wrong(
            shown(),
            "it shows other images than those that are listed, or they were changed meanwhile",
        ));
    }
    let file = read.folder.read(&name)?.ok_or_else(|| wrong(shown(), "it is gone"))?;
    if ContentHash::of(&file) != read.part.composites[at] {
        return Err(wrong(shown(), "it is not what was written"));
    }
    Ok((record.clone(), file))
}

/// The data set that the shares read.
fn dataset(shares: &[Read]) -> Result<Dataset, PipelineError> {
    let (mut train, mut val) = ((Vec::new(), Vec::new(), 0), (Vec::new(), Vec::new(), 0));
    let mut problems = shares[0].part.unlisted.clone();
    let mut sizes = HashMap::new();
    for Read { folder, part, .. } in shares {
        let table = read(folder, SAMPLES)?;
        if ContentHash::of(&table) != part.samples {
            return Err(changed(folder.shown(SAMPLES), "it is not what was written"));
        }
        for row in csv::Reader::from_reader(&table[..]).deserialize() {
            let Row { val: is_val, class, hash, bytes, path } = row?;
            if class as usize >= shares[0].part.classes.len() {
                return Err(changed(folder.shown(SAMPLES), format!("there is no class {class}")));
            }
            let (samples, labels, sum) = if is_val { &mut val } else { &mut train };
            if !is_val {
                sizes.insert(path.clone(), bytes);
            }
            *sum += bytes;
            labels.push(class);
            samples.push(Sample { path, class, hash });
        }
        problems.extend_from_slice(&part.problems);
    }
    problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let first = &shares[0].part;
    let split = |(samples, labels, bytes): (Vec<Sample>, Vec<u32>, u64)| -> Result<Split, DataError> {
        let count = labels.len();
        // One pixel an image: no network sees them.
        let images = ImageSet::from_parts(1, vec![0; 3 * count], labels)?;
        Ok(Split { images: Arc::new(images), samples: samples.into(), looks: Vec::new(), bytes })
    };
    let (train, val) = (split(train)?, split(val)?);
    let mut with_images = vec![false; first.classes.len()];
    train.images.labels().iter().for_each(|&class| with_images[class as usize] = true);
    if let Some(class) = with_images.iter().position(|with| !with) {
        let class = first.classes.name(class as u32);
        return Err(PipelineError::Input(format!("none of the images of class '{class}' can be read")));
    }
    Ok(Dataset {
        name: first.name.clone(),
        classes: first.classes.clone(),
        train,
        val,
        val_origin: None,
        problems,
        ignored: first.ignored.clone(),
        originals: Arc::new(Sizes(sizes)),
        skipped: Skipped::default(),
        layout: Layout::default(),
        warnings: Vec::new(),
        loading: Loading::default(),
        copies: OnceLock::new(),
    })
}

/// The sizes of images that other processes read.
struct Sizes(HashMap<String, u64>);

impl Originals for Sizes {
    fn image(&self, path: &str) -> Result<Image, ReadError> {
        Err(format!("'{path}' was read by the process of its shard alone").into())
    }

    fn file_size(&self, path: &str) -> Option<u64> {
        self.0.get(path).copied()
    }
}
