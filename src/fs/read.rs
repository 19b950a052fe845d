//! From a labelled folder to a dataset in memory: its classes, its split, its pixels.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::folder::{self, FolderError, LoadOptions, Loaded};
use super::tree::{Opened, SourceTree, Tree, open};
use crate::data::{
    ClassMap, DataError, Entry, Filter, Folder, ImageSet, Layout, OnError, Preparation, Problem, Sample,
    hold_out_together, near_duplicates,
};
use crate::pipeline::{Dataset, LeftOut, Skipped, Split};
use crate::random::{Purpose, seed_for};
use crate::report::ValOrigin;
use crate::report::words::{count, counted};
use crate::run::Observer;

/// A data folder and the options for reading it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOptions {
    /// The folder of class folders, or of `train/` and `val/` with class folders in them; or whatever else [`open`] reads.
    pub folder: PathBuf,
    /// Without `val/`: share of each class that is held out to measure on, if it was named.
    pub val_fraction: Option<f64>,
    /// Treatment of a file that cannot be used.
    pub on_error: OnError,
}

impl ReadOptions {
    /// The folder, read with the defaults.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), val_fraction: None, on_error: OnError::default() }
    }

    /// The share of each class that is held out where there is no `val/` folder.
    pub fn val_fraction(&self) -> f64 {
        const DEFAULT: f64 = 0.2;
        self.val_fraction.unwrap_or(DEFAULT)
    }
}

/// Size at which images are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Width and height in pixels.
    pub side: u32,
    /// Validation images: shorter side resized to this, then the centre cropped. `None` squashes the whole image.
    pub val_short: Option<u32>,
}

/// A data folder whose files are listed and not yet read.
pub struct Listing {
    /// Where the files lie.
    pub tree: Arc<dyn Tree>,
    /// The classes in the order of their numbers.
    pub classes: ClassMap,
    /// Images to learn from.
    pub train: Vec<Entry>,
    /// Images to measure on.
    pub val: Vec<Entry>,
    /// Origin of the validation images; `None` where nothing is held out.
    pub val_origin: Option<ValOrigin>,
    /// Files that should have been images and cannot be read.
    pub problems: Vec<Problem>,
    /// Files that are not images of a class.
    pub ignored: Vec<Problem>,
    /// Folders that were taken for what.
    pub layout: Layout,
    /// What is said about that, and what a user should check.
    pub notes: Vec<String>,
    /// Warnings about the tree, for the report.
    pub warnings: Vec<String>,
}

/// Lists a folder and splits it. Without `val/`, a part of every class is held out.
///
/// # Errors
/// [`FolderError`] when the folder cannot be read, is not sorted into classes, or has a validation split beside a named share.
pub fn list(options: &ReadOptions, seed: u64, observer: &dyn Observer) -> Result<Listing, FolderError> {
    list_and_split(options, Some(seed), observer)
}

/// Lists a folder of which nothing is held out.
///
/// # Errors
/// The errors of [`list`].
pub fn list_whole(options: &ReadOptions, observer: &dyn Observer) -> Result<Listing, FolderError> {
    list_and_split(options, None, observer)
}

fn list_and_split(
    options: &ReadOptions,
    seed: Option<u64>,
    observer: &dyn Observer,
) -> Result<Listing, FolderError> {
    let Opened { tree, taken_for, warnings: of_source } = open(&options.folder)?;
    let scan = tree.scan()?;
    if let (OnError::Fail, Some(Problem { path, reason })) = (options.on_error, scan.problems.first()) {
        return Err(DataError::File { path: path.clone(), reason: reason.clone() }.into());
    }
    let mut folder = Folder::from_tree(scan.paths, scan.empty)?;
    if options.val_fraction.is_some() {
        folder = folder.without_test_split();
    }
    let given = folder.val.is_some();
    if let (Some(val), Some(_)) = (&folder.layout.val, options.val_fraction) {
        return Err(FolderError::ValIsThere { folder: tree.place(""), val: val.clone() });
    }
    let fraction = options.val_fraction();
    let folder = match seed {
        Some(seed) => folder.hold_out(fraction, seed),
        None => folder,
    };
    let Folder { classes, train, val, ignored, layout, mut notes, mut warnings } = folder;
    notes.splice(0..0, taken_for.map(|what| format!("read as {what}")));
    warnings.splice(0..0, of_source);
    let val = val.unwrap_or_default();
    let val_origin = match seed {
        _ if given => Some(ValOrigin::Given),
        Some(seed) => Some(ValOrigin::HeldOut { fraction, seed }),
        None => None,
    };
    let problems = scan.problems;
    let listing =
        Listing { tree, classes, train, val, val_origin, problems, ignored, layout, notes, warnings };
    listing.say(observer);
    Ok(listing)
}

impl Listing {
    /// Tells the user what was found. The classes are named in their order, because a wrong order is a common mistake that
    /// otherwise goes unnoticed.
    fn say(&self, observer: &dyn Observer) {
        const SHOWN: usize = 10;
        let place = self.tree.place("");
        let (shown, n, t) = (place.display(), self.classes.len(), self.train.len() as u64);
        let v = count(self.val.len() as u64);
        observer.say(&match self.val_origin {
            Some(ValOrigin::Given) => {
                format!("{shown}: {n} classes, {} training and {v} validation images", count(t))
            }
            Some(ValOrigin::HeldOut { fraction, .. }) => format!(
                "{shown}: {n} classes, {} and {v} held out to measure on \
                 (`val-fraction` {fraction}; there is no val/ folder)",
                counted(t, "training image", "training images")
            ),
            None | Some(ValOrigin::Tune { .. }) => {
                format!("{shown}: {n} classes, {}", counted(t, "image", "images"))
            }
        });
        let names = self.classes.names().iter().take(SHOWN).enumerate();
        let named: Vec<String> = names.map(|(i, name)| format!("{i} {name}")).collect();
        let more = n.saturating_sub(SHOWN);
        let rest = if more > 0 { format!(", … and {more} more (classes.json)") } else { String::new() };
        observer.say(&format!("classes: {}{rest}", named.join(", ")));
        if let Some(first) = self.ignored.first() {
            let files = counted(self.ignored.len() as u64, "file is no image", "files are no images");
            observer.say(&format!("{files} of a class and left out: {} ({})", first.path, first.reason));
        }
        self.notes.iter().for_each(|note| observer.say(note));
        self.warnings.iter().for_each(|warning| observer.warn(warning));
    }
}

/// Reads the images of a listing at one size. In a folder without `val/`, copies are held out together.
///
/// # Errors
/// [`FolderError`] for a file that cannot be used where that is not tolerated, a class without an image that can be read, and
/// when the observer stops the run.
pub fn load(
    listing: Listing,
    on_error: OnError,
    Reading { side, val_short }: Reading,
    observer: &dyn Observer,
) -> Result<Dataset, FolderError> {
    let Listing { tree, classes, train, val, val_origin, mut problems, ignored, layout, warnings, .. } =
        listing;
    let val_listed = val.len();
    let memory = ImageSet::bytes_of((train.len() + val.len()) as u64, side);
    if memory > 1 << 30 {
        observer.say(&format!("the images take {:.1} GB of memory at {side} px", memory as f64 / 1e9));
    }
    let stage = observer.stage("read", "images", train.len() + val.len());
    let read = |entries: &[Entry], val_short: Option<u32>| -> Result<Loaded, FolderError> {
        let how = Preparation::whole(side);
        // The protocol that resizes to 256 and crops the centre is torchvision's, bilinear.
        let filter = if val_short.is_some() { Filter::Bilinear } else { how.filter };
        let options = LoadOptions { how: Preparation { filter, val_short, ..how }, on_error };
        folder::load(&*tree, entries, &options, &|| {
            stage.add(1);
            !observer.wants_stop()
        })
    };
    let (train, val) = match val_origin {
        Some(ValOrigin::HeldOut { fraction, seed }) => {
            let listed = val.len();
            let mut all = [train, val].concat();
            all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            let mut whole = read(&all, None)?;
            // Only of files that can be read, so that no class loses its last image. Copies are held out together, since a
            // student must not be measured on images it was trained on.
            let copies = near_duplicates(&whole.looks);
            let apart = hold_out_together(whole.images.labels(), classes.len(), fraction, seed, &copies);
            let held = apart.iter().filter(|&&held| held).count();
            if held != listed {
                let why = if whole.problems.is_empty() {
                    "copies stay together"
                } else {
                    "of the images that can be read"
                };
                observer.say(&format!("{why}: {} held out", count(held as u64)));
            }
            let mut val = whole.split_off(&apart)?;
            if val_short.is_some() {
                // Cut as validation images are; few are read twice.
                let held: Vec<Entry> = val.samples.iter().map(entry_of).collect();
                val = read(&held, val_short)?;
            }
            (whole, val)
        }
        _ => (read(&train, None)?, read(&val, val_short)?),
    };
    drop(stage);
    let mut skipped = Skipped::default();
    for (class, problem) in train.skipped.iter().zip(&train.problems) {
        skipped.of_class.entry(*class).or_default().add(problem);
    }
    val.problems.iter().for_each(|problem| skipped.val.add(problem));
    skipped.val_listed = val_listed;
    let mut split = |loaded: Loaded| {
        let Loaded { images, samples, looks, sizes, problems: more, .. } = loaded;
        problems.extend(more);
        Split { images: Arc::new(images), samples, looks, bytes: sizes.iter().sum() }
    };
    let (train, val) = (split(train), split(val));
    problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut with_images = vec![false; classes.len()];
    train.images.labels().iter().for_each(|&class| with_images[class as usize] = true);
    let none = (0..).zip(&with_images).filter(|(_, with)| !**with);
    let none: Vec<(String, LeftOut)> = none
        .map(|(class, _)| {
            (classes.name(class).to_owned(), skipped.of_class.get(&class).cloned().unwrap_or_default())
        })
        .collect();
    if !none.is_empty() {
        return Err(FolderError::EmptyClass { classes: none, problems });
    }
    let (name, originals) = (tree.name(), Arc::new(SourceTree(tree)));
    let copies = OnceLock::new();
    Ok(Dataset {
        name,
        classes,
        train,
        val,
        val_origin,
        problems,
        ignored,
        originals,
        skipped,
        layout,
        warnings,
        copies,
    })
}

/// Lists and reads a folder: [`list`], then [`load`].
///
/// # Errors
/// The errors of [`list`] and [`load`].
pub fn read_folder(
    options: &ReadOptions,
    reading: Reading,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Dataset, FolderError> {
    load(list(options, seed, observer)?, options.on_error, reading, observer)
}

fn entry_of(sample: &Sample) -> Entry {
    Entry { path: sample.path.clone(), class: sample.class }
}

/// A split to tune on: the dataset of `folder` with a share of each class's training images to measure on, in place of the
/// validation images, which stay unseen until the last comparison. The images depend on the seed, and copies stay on one side;
/// they are not trained on, and both parts are read once more.
///
/// # Errors
/// The errors of [`load`].
pub fn tune(
    data: Dataset,
    options: &ReadOptions,
    reading: Reading,
    fraction: f64,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Dataset, FolderError> {
    let drawn_by = seed_for(seed, Purpose::Tune);
    // Copies stay on one side here, too.
    let copies = near_duplicates(&data.train.looks);
    let labels = data.train.images.labels();
    let held = hold_out_together(labels, data.classes.len(), fraction, drawn_by, &copies);
    let unseen = data.val.samples.len();
    let Dataset { classes, train, problems, ignored, layout, warnings, .. } = data;
    let part = |of_tune: bool| -> Vec<Entry> {
        let wanted = train.samples.iter().zip(&held).filter(|(_, held)| **held == of_tune);
        wanted.map(|(sample, _)| entry_of(sample)).collect()
    };
    let (rest, tune) = (part(false), part(true));
    drop(train);
    observer.say(&format!(
        "{} held out to tune on (`tune-fraction` {fraction}); {} validation images stay unseen",
        counted(tune.len() as u64, "training image", "training images"),
        count(unseen as u64)
    ));
    let val_origin = Some(ValOrigin::Tune { fraction, seed, unseen });
    let tree = open(&options.folder)?.tree;
    let (train, val, notes) = (rest, tune, Vec::new());
    let listing =
        Listing { tree, classes, train, val, val_origin, problems, ignored, layout, notes, warnings };
    load(listing, options.on_error, reading, observer)
}
