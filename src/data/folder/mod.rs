//! From the paths of a folder to a labelled set: the rule alone, without a file system, so that the
//! program and the page read a tree alike.

mod junk;
mod layout;
mod letters;
mod names;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::layout::{Place, Plan};
use super::{ClassMap, DataError, hold_out_together};

pub use self::junk::is_junk;
pub use self::layout::Layout;
pub use self::letters::composed;
pub use self::names::split_name;

/// One image of a labelled folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path relative to the data folder, with `/` between its parts.
    pub path: String,
    /// Index into the [`ClassMap`].
    pub class: u32,
}

/// A file or folder that is left out, with the reason: a row of `problems.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Path relative to the data folder.
    pub path: String,
    /// Reason.
    pub reason: String,
}

/// Treatment of a file that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It is left out and listed as a problem.
    #[default]
    Skip,
    /// The run ends with an error.
    Fail,
}

/// A labelled folder: `<class>/…`, or `train/<class>/…` and `val/<class>/…`, under the names that people give them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The classes, numbered in the byte order of their folder names.
    pub classes: ClassMap,
    /// Images to learn from, in the byte order of their paths.
    pub train: Vec<Entry>,
    /// Images of the validation split, in the byte order of their paths; nothing where there is no such folder.
    pub val: Option<Vec<Entry>>,
    /// Files that are left out, in the byte order of their paths.
    pub ignored: Vec<Problem>,
    /// Folders that were taken for what.
    pub layout: Layout,
    /// What is said about that.
    pub notes: Vec<String>,
    /// What a user should check: guesses about the tree, class folders without images, names that look alike.
    pub warnings: Vec<String>,
}

impl Folder {
    /// Reads a tree from the paths of its files: [`from_tree`](Self::from_tree) where folders without files are not known.
    ///
    /// # Errors
    /// Those of [`from_tree`](Self::from_tree).
    pub fn from_paths(paths: impl IntoIterator<Item = String>) -> Result<Self, DataError> {
        Self::from_tree(paths, [])
    }

    /// Reads a tree from the paths of its files and of its folders without any file, relative to the data folder and with `/`
    /// between their parts. The order of the paths does not matter.
    ///
    /// Folders within a class folder belong to the class. Hidden files, what systems leave behind, known non-images and files
    /// outside any class folder are [`ignored`](Self::ignored). Splits are known by their names (`Training/`, `seg_train/`,
    /// `valid/`, …) and wrappers around them do not matter; without a validation split, a test split is measured on. What was
    /// taken for what stands in [`layout`](Self::layout), [`notes`](Self::notes) and [`warnings`](Self::warnings).
    ///
    /// # Errors
    /// No class, a single class, a validation split with a class that the training split lacks or without class folders, and
    /// trees that can be read in two ways.
    pub fn from_tree(
        paths: impl IntoIterator<Item = String>,
        empty: impl IntoIterator<Item = String>,
    ) -> Result<Self, DataError> {
        let (images, ignored, files) = images_among(paths);
        let empty: BTreeSet<String> = empty.into_iter().filter(|folder| !is_junk(folder)).collect();
        let plan = Plan::of(&images, &empty)?;
        Self::planned(images, ignored, &empty, plan, files)
    }

    /// Reads a tree whose first folders are its classes, whatever they are called: that of a set whose classes are known.
    ///
    /// # Errors
    /// No class, or a single class.
    pub fn of_classes(paths: impl IntoIterator<Item = String>) -> Result<Self, DataError> {
        let (images, ignored, files) = images_among(paths);
        Self::planned(images, ignored, &BTreeSet::new(), Plan::default(), files)
    }

    fn planned(
        images: Vec<String>,
        mut ignored: Vec<Problem>,
        empty: &BTreeSet<String>,
        plan: Plan,
        files: usize,
    ) -> Result<Self, DataError> {
        let layout = plan.layout();
        let (mut train, mut val) = (Vec::new(), Vec::new());
        let mut none = without_images(&images, &ignored, empty, &plan);
        for path in images {
            match plan.place(&path) {
                Place::Train(class) => train.push((class.to_owned(), path)),
                Place::Val(class) => val.push((class.to_owned(), path)),
                Place::Out(reason) => ignored.push(Problem { path, reason }),
            }
        }
        let classes = ClassMap::new(train.iter().map(|(class, _)| class.clone()));
        match classes.len() {
            0 => return Err(DataError::NoClass { files }),
            1 => {
                let class = classes.name(0).to_owned();
                if names::is_container(&class) {
                    return Err(DataError::Unsorted { folders: vec![joined(&layout.train, &class)] });
                }
                return Err(DataError::SingleClass { class, empty: none });
            }
            _ => {}
        }
        let (mut notes, mut warnings) = (plan.notes, plan.guesses);
        let joins = join_classes(&classes, &val)?;
        for (of_val, class) in &joins {
            let how = letters::difference(of_val, classes.name(*class)).unwrap_or_default();
            notes.push(format!(
                "class '{of_val}' of the validation split is '{}' of the training split: {how}",
                classes.name(*class)
            ));
        }
        let label = |(name, path): (String, String)| {
            let class = classes.index(&name).or_else(|| joins.get(&name).copied()).expect("known or joined");
            Entry { path, class }
        };
        let train: Vec<Entry> = train.into_iter().map(label).collect();
        let val: Vec<Entry> = val.into_iter().map(label).collect();
        if layout.val.is_none()
            && let Some(at) = none.iter().position(|folder| names::holds_validation(folder))
        {
            let folder = none.remove(at);
            warnings.push(format!(
                "'{folder}' holds no images: put some in, or else images to learn from are held out instead"
            ));
        }
        if !none.is_empty() {
            let shown: Vec<String> = none.iter().take(5).map(|folder| format!("'{folder}'")).collect();
            let more = none.len().saturating_sub(shown.len());
            warnings.push(format!(
                "{}{} without any image {} no class: put images in, or remove it",
                shown.join(", "),
                if more > 0 { format!(" and {more} more") } else { String::new() },
                if none.len() == 1 { "is" } else { "are" },
            ));
        }
        warnings.extend(look_alikes(&classes));
        ignored.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let val = layout.val.is_some().then_some(val);
        Ok(Self { classes, train, val, ignored, layout, notes, warnings })
    }

    /// Leaves a test split out that would be measured on, so that images to learn from are held out instead.
    #[must_use]
    pub fn without_test_split(mut self) -> Self {
        if self.layout.val_is_test
            && let (Some(val), Some(folder)) = (self.val.take(), self.layout.val.take())
        {
            let reason = "in a test split, in whose place images to learn from are held out (`val-fraction`)";
            let out = val.into_iter().map(|entry| Problem { path: entry.path, reason: reason.to_owned() });
            self.ignored.extend(out);
            self.ignored.sort_unstable_by(|a, b| a.path.cmp(&b.path));
            self.layout.val_is_test = false;
            // The guess that the split would be measured on.
            self.warnings.retain(|warning| !warning.contains("measured on"));
            self.notes
                .push(format!("{folder}/ is left out: images to learn from are held out (`val-fraction`)"));
            self.layout.left_out.push(folder);
        }
        self
    }

    /// The folder with a validation split: that of `val/`, or else a share of every class, held out by
    /// [`hold_out`](super::hold_out).
    ///
    /// # Panics
    /// When there is no `val/` and `fraction` is not in `[0, 1)`.
    #[must_use]
    pub fn hold_out(self, fraction: f64, seed: u64) -> Self {
        self.hold_out_together(fraction, seed, &[])
    }

    /// The folder with a validation split as by [`hold_out`](Self::hold_out), copies kept on one side: the images of each of
    /// `groups`, by their place in `train`. See [`hold_out_together`].
    ///
    /// # Panics
    /// As [`hold_out`](Self::hold_out), and when a group has an image that there is not.
    #[must_use]
    pub fn hold_out_together(mut self, fraction: f64, seed: u64, groups: &[Vec<u32>]) -> Self {
        if self.val.is_some() {
            return self;
        }
        let labels: Vec<u32> = self.train.iter().map(|entry| entry.class).collect();
        let held = hold_out_together(&labels, self.classes.len(), fraction, seed, groups);
        let (mut train, mut val) = (Vec::new(), Vec::new());
        for (entry, held) in self.train.into_iter().zip(held) {
            if held { &mut val } else { &mut train }.push(entry);
        }
        self.train = train;
        self.val = Some(val);
        self
    }
}

/// Paths of the files that may be images, in their order; the others with the reason; and the number of all.
fn images_among(paths: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<Problem>, usize) {
    let paths: BTreeSet<String> = paths.into_iter().collect();
    let files = paths.len();
    let (mut images, mut ignored) = (Vec::with_capacity(files), Vec::new());
    for path in paths {
        match junk::unusable(&path) {
            Some(reason) => ignored.push(Problem { path, reason }),
            None => images.push(path),
        }
    }
    (images, ignored, files)
}

/// Folders that lie where class folders do, or where a split would, and hold no image.
fn without_images(
    images: &[String],
    ignored: &[Problem],
    empty: &BTreeSet<String>,
    plan: &Plan,
) -> Vec<String> {
    let folders = |path: &str| -> Vec<String> {
        path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect()
    };
    let with: BTreeSet<String> = images.iter().flat_map(|path| folders(path)).collect();
    let of_files = ignored.iter().filter(|file| !is_junk(&file.path)).flat_map(|file| folders(&file.path));
    let all: BTreeSet<String> =
        empty.iter().cloned().chain(of_files).filter(|folder| !with.contains(folder)).collect();
    let is_class = |folder: &String| {
        let validation = !folder.contains('/') && names::holds_validation(folder);
        validation || plan.class_of(folder).is_some_and(|name| !names::is_beside_classes(name))
    };
    all.into_iter().filter(is_class).collect()
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The classes of a validation split that have another spelling in the training split, each with that class.
fn join_classes(classes: &ClassMap, val: &[(String, String)]) -> Result<BTreeMap<String, u32>, DataError> {
    let of_val: BTreeSet<&str> = val.iter().map(|(class, _)| class.as_str()).collect();
    let (mut joins, mut unknown) = (BTreeMap::new(), Vec::new());
    for name in of_val.iter().filter(|name| classes.index(name).is_none()) {
        let alike: Vec<u32> = (0..)
            .zip(classes.names())
            .filter(|(_, known)| letters::difference(known, name).is_some())
            .map(|(class, _)| class)
            .collect();
        // Plain where neither split has the name twice.
        match alike[..] {
            [class]
                if !of_val
                    .iter()
                    .any(|other| other != name && letters::folded(other) == letters::folded(name)) =>
            {
                joins.insert((*name).to_owned(), class);
            }
            [class, ..] => {
                let known = classes.name(class);
                let how = letters::difference(known, name).unwrap_or_default();
                unknown.push(format!("{name}' (beside '{known}', {how}) '"));
            }
            [] => unknown.push((*name).to_owned()),
        }
    }
    if unknown.is_empty() { Ok(joins) } else { Err(DataError::ValClassUnknown { classes: unknown }) }
}

/// Warnings about classes whose names look alike.
fn look_alikes(classes: &ClassMap) -> Option<String> {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut pairs = Vec::new();
    for name in classes.names() {
        match first.get(&letters::folded(name)) {
            Some(other) => pairs.push((*other, name.as_str())),
            None => drop(first.insert(letters::folded(name), name)),
        }
    }
    let (a, b) = *pairs.first()?;
    let how = letters::difference(a, b).unwrap_or_default();
    let more = match pairs.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more such pairs)"),
    };
    Some(format!(
        "the classes {} and {} have names that look alike: {how}{more}; if they are one class, put their images together, as \
         many systems take the two for one folder",
        shown(a, b),
        shown(b, a)
    ))
}

/// A name for a message, with its codes where it would look the same as another.
fn shown(name: &str, other: &str) -> String {
    if composed(name) != composed(other) {
        return format!("'{name}'");
    }
    let codes: Vec<String> = name
        .chars()
        .filter(|letter| !letter.is_ascii())
        .map(|letter| format!("U+{:04X}", u32::from(letter)))
        .collect();
    format!("'{name}' ({})", codes.join(" "))
}
