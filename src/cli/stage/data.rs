//! Reading the data folder: its classes, its split, its pixels.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::DataArgs;
use crate::cli::console::Console;
use crate::cli::exit::{InputError, UsageError, check_interrupt};
use crate::cli::folder::{self, LoadOptions, Loaded, Problem};
use crate::cli::output;
use crate::data::{
    ClassMap, Entry, Filter, Folder, ImageSet, Look, Preparation, Sample, hold_out_together, near_duplicates,
};
use crate::report::words::{count, counted};
use crate::report::{DataSummary, ValOrigin};

/// A data folder whose files are listed and not yet read.
pub(in crate::cli) struct Listing {
    pub(in crate::cli) root: PathBuf,
    pub(in crate::cli) classes: ClassMap,
    pub(in crate::cli) train: Vec<Entry>,
    pub(in crate::cli) val: Vec<Entry>,
    pub(in crate::cli) val_origin: Option<ValOrigin>,
    pub(in crate::cli) problems: Vec<Problem>,
    pub(in crate::cli) ignored: Vec<Problem>,
}

/// A data folder in memory.
pub(in crate::cli) struct Dataset {
    pub(in crate::cli) root: PathBuf,
    pub(in crate::cli) classes: ClassMap,
    pub(in crate::cli) train: Split,
    pub(in crate::cli) val: Split,
    pub(in crate::cli) val_origin: Option<ValOrigin>,
    /// Files that should have been images and could not be read.
    pub(in crate::cli) problems: Vec<Problem>,
    /// Files that are no images of a class, such as a licence.
    pub(in crate::cli) ignored: Vec<Problem>,
}

/// Images of a split, in the byte order of their paths.
pub(in crate::cli) struct Split {
    pub(in crate::cli) images: Arc<ImageSet>,
    pub(in crate::cli) samples: Vec<Sample>,
    /// What each looks like.
    pub(in crate::cli) looks: Vec<Look>,
    pub(in crate::cli) bytes: u64,
}

/// Lists a folder and splits it. Without `val/`, a part of every class is held out.
pub(in crate::cli) fn list(args: &DataArgs, seed: u64, console: &Console) -> anyhow::Result<Listing> {
    list_and_split(args, Some(seed), console)
}

/// Lists a folder of which nothing is held out.
pub(in crate::cli) fn list_whole(args: &DataArgs, console: &Console) -> anyhow::Result<Listing> {
    list_and_split(args, None, console)
}

fn list_and_split(args: &DataArgs, seed: Option<u64>, console: &Console) -> anyhow::Result<Listing> {
    let scan = folder::scan(&args.data)?;
    let folder = Folder::from_paths(scan.paths)?;
    let given = folder.val.is_some();
    if given && args.val_fraction.is_some() {
        return Err(UsageError(format!(
            "--val-fraction has no effect: {} has a val/ folder to measure on; leave the option out, or move the folder \
             away to have images held out",
            args.data.display()
        ))
        .into());
    }
    let folder = match seed {
        Some(seed) => folder.hold_out(args.val_fraction(), seed),
        None => folder,
    };
    let problems = scan.problems;
    let ignored: Vec<Problem> =
        folder.ignored.into_iter().map(|file| Problem { path: file.path, reason: file.reason }).collect();
    let (classes, train, val) = (folder.classes, folder.train, folder.val.unwrap_or_default());
    let val_origin = match seed {
        _ if given => Some(ValOrigin::Given),
        Some(seed) => Some(ValOrigin::HeldOut { fraction: args.val_fraction(), seed }),
        None => None,
    };
    let shown = args.data.display();
    let (n, t, v) = (classes.len(), train.len() as u64, count(val.len() as u64));
    console.say(match val_origin {
        Some(ValOrigin::Given) => {
            format!("{shown}: {n} classes, {} training and {v} validation images", count(t))
        }
        Some(ValOrigin::HeldOut { fraction, .. }) => format!(
            "{shown}: {n} classes, {} and {v} held out to measure on \
             (--val-fraction {fraction}; there is no val/ folder)",
            counted(t, "training image", "training images")
        ),
        None | Some(ValOrigin::Tune { .. }) => {
            format!("{shown}: {n} classes, {}", counted(t, "image", "images"))
        }
    });
    say_classes(&classes, console);
    if let Some(first) = ignored.first() {
        let files = counted(ignored.len() as u64, "file is no image", "files are no images");
        console.say(format_args!("{files} of a class and left out: {} ({})", first.path, first.reason));
    }
    Ok(Listing { root: args.data.clone(), classes, train, val, val_origin, problems, ignored })
}

/// The classes in their order; silent mix-ups of it are the field's commonest failure.
fn say_classes(classes: &ClassMap, console: &Console) {
    const SHOWN: usize = 10;
    let named: Vec<String> =
        classes.names().iter().take(SHOWN).enumerate().map(|(i, name)| format!("{i} {name}")).collect();
    let more = classes.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(", … and {more} more (classes.json)") } else { String::new() };
    console.say(format_args!("classes: {}{rest}", named.join(", ")));
}

/// Reads the images of a listing at one size.
pub(in crate::cli) fn load(
    listing: Listing,
    args: &DataArgs,
    side: u32,
    val_short: Option<u32>,
    console: &Console,
) -> anyhow::Result<Dataset> {
    let Listing { root, classes, train, val, val_origin, mut problems, ignored } = listing;
    let memory = ImageSet::bytes_of((train.len() + val.len()) as u64, side);
    if memory > 1 << 30 {
        console.say(format_args!("the images take {:.1} GB of memory at {side} px", memory as f64 / 1e9));
    }
    let stage = console.stage("read", "images", train.len() + val.len());
    let read = |entries: &[Entry], val_short: Option<u32>| -> anyhow::Result<Loaded> {
        let how = Preparation::whole(side);
        // The protocol that resizes to 256 and crops the centre is torchvision's, bilinear.
        let filter = if val_short.is_some() { Filter::Bilinear } else { how.filter };
        let options = LoadOptions { how: Preparation { filter, val_short, ..how }, on_error: args.on_error };
        folder::load(&root, entries, &options, &|| {
            stage.add(1);
            check_interrupt().is_ok()
        })
    };
    let (train, val) = match val_origin {
        Some(ValOrigin::HeldOut { fraction, seed }) => {
            let listed = val.len();
            let mut all = [train, val].concat();
            all.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            let mut whole = read(&all, None)?;
            let (held, apart) = hold_copies_together(&all, &whole, classes.len(), fraction, seed);
            if held != listed {
                console.say(format_args!("copies stay together: {} held out", count(held as u64)));
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
    stage.finish();
    let mut split = |loaded: Loaded| {
        let bytes = loaded.bytes();
        let Loaded { images, samples, looks, problems: more, .. } = loaded;
        problems.extend(more);
        Split { images: Arc::new(images), samples, looks, bytes }
    };
    let (train_split, val_split) = (split(train), split(val));
    problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    for (class, name) in (0..).zip(classes.names()) {
        if !train_split.images.labels().contains(&class) {
            return Err(InputError(format!(
                "class '{name}' has no training image that can be read; remove its folder or repair its files"
            ))
            .into());
        }
    }
    Ok(Dataset { root, classes, train: train_split, val: val_split, val_origin, problems, ignored })
}

fn entry_of(sample: &Sample) -> Entry {
    Entry { path: sample.path.clone(), class: sample.class }
}

/// Which images of a folder without `val/` are held out: the share of [`Folder::hold_out`], and copies together, since a student
/// must not be measured on what it was taught. `all` are the entries that `read` came from; how many of them are held out, and a mark
/// for each that was read.
fn hold_copies_together(
    all: &[Entry],
    read: &Loaded,
    classes: usize,
    fraction: f64,
    seed: u64,
) -> (usize, Vec<bool>) {
    // Files that cannot be read take part in the draw, as they do where there are no copies.
    let labels: Vec<u32> = all.iter().map(|entry| entry.class).collect();
    let mut places = Vec::with_capacity(read.samples.len());
    for (place, entry) in (0..).zip(all) {
        if read.samples.get(places.len()).is_some_and(|sample| sample.path == entry.path) {
            places.push(place);
        }
    }
    let place = |sample: u32| -> u32 { places[sample as usize] };
    let groups: Vec<Vec<u32>> = near_duplicates(&read.looks)
        .into_iter()
        .map(|group| group.into_iter().map(place).collect())
        .collect();
    let held = hold_out_together(&labels, classes, fraction, seed, &groups);
    let marks = places.iter().map(|&place| held[place as usize]).collect();
    (held.into_iter().filter(|&held| held).count(), marks)
}

impl Dataset {
    /// What a report says of the data.
    pub(in crate::cli) fn summary(&self) -> DataSummary {
        DataSummary {
            name: name_of(&self.root),
            classes: self.classes.len(),
            train: self.train.samples.len(),
            val: self.val.samples.len(),
            val_origin: self.val_origin.filter(|_| !self.val.samples.is_empty()),
            bytes: self.train.bytes,
        }
    }

    /// Writes `classes.json`, and `problems.csv` when files were left out; warns about those that could
    /// not be read.
    ///
    /// # Errors
    /// When `classes.json` is there and names other classes, or a file cannot be written.
    pub(in crate::cli) fn write_lists(&self, out: &Path, console: &Console) -> anyhow::Result<Vec<String>> {
        let classes = out.join("classes.json");
        if let Ok(earlier) = std::fs::read(&classes) {
            let earlier: ClassMap = serde_json::from_slice(&earlier)
                .map_err(|why| InputError(format!("{} cannot be read: {why}", classes.display())))?;
            self.classes.ensure_same(&earlier)?;
        }
        output::write_atomic(&classes, &serde_json::to_vec_pretty(&self.classes)?)?;
        let mut warnings = Vec::new();
        let mut listed: Vec<Problem> = self.problems.iter().chain(&self.ignored).cloned().collect();
        listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let file = out.join("problems.csv");
        if !listed.is_empty() || file.exists() {
            output::write_problems(&file, &listed)?;
        }
        if let Some(first) = self.problems.first() {
            let files = self.problems.len() as u64;
            let text = format!(
                "{} left out: {} ({}){}; repair or remove, see {}",
                counted(files, "file could not be read and was", "files could not be read and were"),
                first.path,
                first.reason,
                if files > 1 { ", …" } else { "" },
                file.display()
            );
            console.warn(&text);
            warnings.push(text);
        }
        Ok(warnings)
    }
}

/// The last part of a folder's path.
pub(in crate::cli) fn name_of(folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    real.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
}
