//! From a labelled folder to a dataset in memory: its classes, its split, its pixels.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::folder::{self, FolderError, LoadOptions, Loaded};
use super::keep::{Decision, Wanted};
use super::tree::{Opened, SourceTree, Tree, open};
use crate::data::{
    ClassMap, CropFrom, DataError, Entry, Filter, Folder, Layout, OnError, Preparation, Problem, Sample,
    hold_out_together, near_duplicates,
};
use crate::pipeline::{Dataset, LeftOut, Skipped, Split};
use crate::random::{Purpose, seed_for};
use crate::report::words::{count, counted};
use crate::report::{Kept, ValOrigin};
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
    /// Most bytes of images that are kept in memory, if it was named; by default two thirds of what is free.
    pub memory: Option<u64>,
}

impl ReadOptions {
    /// The folder, read with the defaults.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), val_fraction: None, on_error: OnError::default(), memory: None }
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
    /// What training views of the images to learn from are cut out of.
    pub crop_from: CropFrom,
    /// The images whose pixels will be asked for.
    pub wanted: Wanted,
}

impl Reading {
    /// What views are cut out of, as far as it changes what is kept: training images alone have such views.
    pub(super) fn crops(&self) -> CropFrom {
        if self.wanted.train { self.crop_from } else { CropFrom::Square }
    }
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
    /// Size of all files in bytes, as far as it is known.
    pub fn bytes(&self) -> u64 {
        let files = self.train.iter().chain(&self.val);
        files.filter_map(|entry| self.tree.size(&entry.path)).sum()
    }

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
    options: &ReadOptions,
    reading: Reading,
    observer: &dyn Observer,
) -> Result<Dataset, FolderError> {
    let (Reading { side, val_short, wanted, .. }, crop_from) = (reading, reading.crops());
    let Listing { tree, classes, train, val, val_origin, mut problems, ignored, layout, warnings, .. } =
        listing;
    let val_listed = val.len();
    let asked = wanted.of(&train, &val);
    let images = (train.len() + val.len(), side, crop_from);
    let decision = Decision::new(&*tree, &asked, images, options.memory)?;
    if wanted != Wanted::NONE && (decision.is_news() || options.memory.is_some()) {
        observer.say(&decision.sentence());
    }
    let kept_if = |wanted: bool| if wanted { decision.loading().kept } else { Kept::Nothing };
    let stage = observer.stage("read", "images", train.len() + val.len());
    let squares = Preparation::whole(side);
    let whole = Preparation { crop_from, ..squares };
    // The protocol that resizes to 256 and crops the centre is torchvision's, bilinear.
    let cut = match val_short {
        Some(_) => Preparation { filter: Filter::Bilinear, val_short, ..squares },
        None => squares,
    };
    let read = |entries: Vec<Entry>, how: Preparation, kept: Kept| -> Result<Loaded, FolderError> {
        let options = LoadOptions { how, on_error: options.on_error, kept };
        folder::load(&tree, entries, &options, &|| {
            stage.add(1);
            !observer.wants_stop()
        })
    };
    let (train, val) = match val_origin {
        Some(ValOrigin::HeldOut { fraction, seed }) => {
            let listed = val.len();
            let mut all = train;
            all.extend(val);
            all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            let mut all = read(all, whole, kept_if(wanted.train))?;
            // Only of files that can be read, so that no class loses its last image. Copies are held out together, since a
            // student must not be measured on images it was trained on.
            let copies = near_duplicates(&all.looks);
            let apart = hold_out_together(&all.labels(), classes.len(), fraction, seed, &copies);
            let held = apart.iter().filter(|&&held| held).count();
            if held != listed {
                let why = if all.problems.is_empty() {
                    "copies stay together"
                } else {
                    "of the images that can be read"
                };
                observer.say(&format!("{why}: {} held out", count(held as u64)));
            }
            let val = all.split_off(&apart);
            (all, val)
        }
        _ => (read(train, whole, kept_if(wanted.train))?, read(val, cut, kept_if(wanted.val))?),
    };
    drop(stage);
    let mut skipped = Skipped::default();
    for (class, problem) in train.skipped.iter().zip(&train.problems) {
        skipped.of_class.entry(*class).or_default().add(problem);
    }
    val.problems.iter().for_each(|problem| skipped.val.add(problem));
    skipped.val_listed = val_listed;
    let mut split = |mut loaded: Loaded, how: Preparation, wanted: bool| -> Result<Split, FolderError> {
        problems.append(&mut loaded.problems);
        let (looks, bytes) = (std::mem::take(&mut loaded.looks), loaded.bytes());
        // Images that were held out are cut as validation images are, once it is known which they are.
        let images = loaded.into_images().held_as(how, kept_if(wanted))?;
        Ok(Split { samples: images.samples().clone(), images: Arc::new(images), looks, bytes })
    };
    let (train, val) = (split(train, whole, wanted.train)?, split(val, cut, wanted.val)?);
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
        loading: decision.loading(),
        copies,
    })
}

/// Reads the images of a set that lies apart from the data, such as one to train on. Of the memory for images, `taken` bytes
/// are taken.
///
/// # Errors
/// [`FolderError`] for a file that cannot be used where that is not tolerated, and when the observer stops the run.
pub fn read_set(
    tree: &Arc<dyn Tree>,
    entries: Vec<Entry>,
    how: Preparation,
    (options, taken): (&ReadOptions, u64),
    observer: &dyn Observer,
) -> Result<Loaded, FolderError> {
    let memory = options.memory.map(|memory| memory.saturating_sub(taken));
    let decision = Decision::new(&**tree, &[&entries], (entries.len(), how.side, how.crop_from), memory)?;
    if decision.is_news() || memory.is_some() {
        observer.say(&decision.sentence());
    }
    let stage = observer.stage("read", "images", entries.len());
    let options = LoadOptions { how, on_error: options.on_error, kept: decision.loading().kept };
    folder::load(tree, entries, &options, &|| {
        stage.add(1);
        !observer.wants_stop()
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
    load(list(options, seed, observer)?, options, reading, observer)
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
    load(listing, options, reading, observer)
}
