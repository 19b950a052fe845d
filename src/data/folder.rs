//! From the paths of a folder to a labelled set: the rule alone, without a file system, so that the
//! program and the page read a tree alike.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ClassMap, DataError, hold_out_together};

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

/// A labelled folder: `<class>/…`, or `train/<class>/…` and `val/<class>/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The classes, numbered in the byte order of their folder names.
    pub classes: ClassMap,
    /// Images to learn from, in the byte order of their paths.
    pub train: Vec<Entry>,
    /// Images of `val/`, in the byte order of their paths; nothing where there is no such folder.
    pub val: Option<Vec<Entry>>,
    /// Files that are left out, in the byte order of their paths.
    pub ignored: Vec<Problem>,
}

/// Names of folders that hold a split and are never a class by themselves.
const SPLITS: [&str; 7] = ["train", "training", "val", "valid", "validation", "test", "testing"];

/// Extensions of files that often lie beside images and are none. Anything else is tried: the type is
/// told by the content.
const NOT_IMAGES: [&str; 48] = [
    "arrow",
    "avi",
    "bin",
    "cfg",
    "csv",
    "db",
    "docx",
    "gz",
    "h5",
    "htm",
    "html",
    "ini",
    "ipynb",
    "js",
    "json",
    "jsonl",
    "license",
    "lmdb",
    "log",
    "lst",
    "mat",
    "md",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "npy",
    "npz",
    "parquet",
    "pdf",
    "pickle",
    "pkl",
    "pt",
    "pth",
    "py",
    "rst",
    "safetensors",
    "sh",
    "tar",
    "tgz",
    "toml",
    "tsv",
    "txt",
    "wav",
    "xml",
    "yaml",
    "yml",
    "zip",
];

impl Folder {
    /// Reads a tree from the paths of its files, relative to the data folder and with `/` between their
    /// parts. The order of the paths does not matter.
    ///
    /// Folders within a class folder belong to the class. Hidden files, known non-images and files
    /// outside any class folder are [`ignored`](Self::ignored). The tree is read as splits when `train/`
    /// holds class folders; then `train/` and `val/` are used and other splits ignored.
    ///
    /// # Errors
    /// No class, a single class, `val/` with a class that `train/` lacks or without class folders, and
    /// trees that can be read in two ways.
    pub fn from_paths(paths: impl IntoIterator<Item = String>) -> Result<Self, DataError> {
        let paths: BTreeSet<String> = paths.into_iter().collect();
        let files = paths.len();
        let mut ignored = Vec::new();
        let mut images = Vec::with_capacity(files);
        for path in paths {
            match unusable(&path) {
                Some(reason) => ignored.push(Problem { path, reason }),
                None => images.push(path),
            }
        }

        let mut folder = if images.iter().any(|path| nested_in("train", path)) {
            Self::from_splits(images, ignored)?
        } else {
            Self::from_classes(images, ignored)?
        };
        match folder.classes.len() {
            0 => return Err(DataError::NoClass { files }),
            1 => return Err(DataError::SingleClass { class: folder.classes.name(0).to_owned() }),
            _ => {}
        }
        folder.ignored.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(folder)
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

    /// `<class>/…`
    fn from_classes(images: Vec<String>, mut ignored: Vec<Problem>) -> Result<Self, DataError> {
        let mut sorted = Vec::with_capacity(images.len());
        for path in images {
            if path.contains('/') {
                sorted.push(path);
            } else {
                ignored.push(Problem { path, reason: "not in a class folder".to_owned() });
            }
        }
        let classes = ClassMap::new(sorted.iter().map(|path| part(path, 0).to_owned()));
        if !classes.is_empty() && classes.names().iter().all(|name| is_split(name)) {
            return Err(DataError::NoTrain { folders: classes.names().to_vec() });
        }
        let train = label(sorted, &classes, 0);
        Ok(Self { classes, train, val: None, ignored })
    }

    /// `train/<class>/…`, `val/<class>/…`
    fn from_splits(images: Vec<String>, mut ignored: Vec<Problem>) -> Result<Self, DataError> {
        let (mut train, mut val, mut flat_val) = (Vec::new(), Vec::new(), 0);
        let mut beside = BTreeSet::new();
        for path in images {
            let reason = match (part(&path, 0), path.matches('/').count()) {
                ("train", 2..) => {
                    train.push(path);
                    continue;
                }
                ("val", 2..) => {
                    val.push(path);
                    continue;
                }
                (_, 0) => "not in train/ or val/".to_owned(),
                (split @ ("train" | "val"), _) => {
                    flat_val += usize::from(split == "val");
                    format!("directly in {split}/, not in a class folder")
                }
                (other, _) if is_split(other) => {
                    format!("in {other}/: only train/ and val/ are read")
                }
                (other, 1) => {
                    beside.insert(other.to_owned());
                    continue;
                }
                (other, _) => format!("in {other}/, which is neither train/ nor val/"),
            };
            ignored.push(Problem { path, reason });
        }
        if !beside.is_empty() {
            return Err(DataError::AmbiguousLayout { folders: beside.into_iter().collect() });
        }
        if val.is_empty() && flat_val > 0 {
            return Err(DataError::FlatVal { images: flat_val });
        }
        let classes = ClassMap::new(train.iter().map(|path| part(path, 1).to_owned()));
        let of_val: BTreeSet<&str> = val.iter().map(|path| part(path, 1)).collect();
        let unknown: Vec<String> =
            of_val.into_iter().filter(|name| classes.index(name).is_none()).map(str::to_owned).collect();
        if !unknown.is_empty() {
            return Err(DataError::ValClassUnknown { classes: unknown });
        }
        let train = label(train, &classes, 1);
        let val = (!val.is_empty()).then(|| label(val, &classes, 1));
        Ok(Self { classes, train, val, ignored })
    }
}

/// The `index`-th part of a path that has it.
fn part(path: &str, index: usize) -> &str {
    path.split('/').nth(index).unwrap_or_default()
}

/// `true` for a path in a folder within `top`.
fn nested_in(top: &str, path: &str) -> bool {
    part(path, 0) == top && path.matches('/').count() >= 2
}

fn is_split(name: &str) -> bool {
    SPLITS.contains(&name.to_ascii_lowercase().as_str())
}

fn label(paths: Vec<String>, classes: &ClassMap, depth: usize) -> Vec<Entry> {
    paths
        .into_iter()
        .map(|path| {
            let class = classes.index(part(&path, depth)).expect("the classes were made of these paths");
            Entry { path, class }
        })
        .collect()
}

/// Reason for which a file is no image, as far as its name tells.
fn unusable(path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX") {
        return Some("hidden".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"].contains(&lower.as_str()) {
        return Some("left by the operating system".to_owned());
    }
    let (_, extension) = lower.rsplit_once('.')?;
    NOT_IMAGES.contains(&extension).then(|| format!("not an image (.{extension})"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folder(paths: &[&str]) -> Result<Folder, DataError> {
        Folder::from_paths(paths.iter().map(|&path| path.to_owned()))
    }

    fn paths(entries: &[Entry]) -> Vec<(&str, u32)> {
        entries.iter().map(|entry| (entry.path.as_str(), entry.class)).collect()
    }

    fn message(paths: &[&str]) -> String {
        folder(paths).unwrap_err().to_string()
    }

    #[test]
    fn the_first_folder_is_the_class_however_deep_a_file_lies() {
        let tree = folder(&["dog/b.jpg", "cat/x/y/c.png", "dog/a", "cat/a.JPEG"]).unwrap();
        assert_eq!(tree.classes.names(), ["cat", "dog"]);
        assert_eq!(
            paths(&tree.train),
            [("cat/a.JPEG", 0), ("cat/x/y/c.png", 0), ("dog/a", 1), ("dog/b.jpg", 1)]
        );
        assert_eq!((tree.val, tree.ignored), (None, vec![]));
    }

    #[test]
    fn splits_are_read_where_train_holds_class_folders() {
        let tree = folder(&[
            "train/cat/a.jpg",
            "train/dog/b.jpg",
            "train/cow/deep/e.jpg",
            "val/dog/c.jpg",
            "test/dog/d.jpg",
            "train/loose.jpg",
            "val/loose.jpg",
            "preview.png",
            "extra/dog/f.jpg",
        ])
        .unwrap();
        assert_eq!(tree.classes.names(), ["cat", "cow", "dog"]);
        assert_eq!(
            paths(&tree.train),
            [("train/cat/a.jpg", 0), ("train/cow/deep/e.jpg", 1), ("train/dog/b.jpg", 2)]
        );
        assert_eq!(paths(&tree.val.unwrap()), [("val/dog/c.jpg", 2)]);
        let ignored: Vec<_> = tree.ignored.iter().map(|i| (i.path.as_str(), i.reason.as_str())).collect();
        assert_eq!(
            ignored,
            [
                ("extra/dog/f.jpg", "in extra/, which is neither train/ nor val/"),
                ("preview.png", "not in train/ or val/"),
                ("test/dog/d.jpg", "in test/: only train/ and val/ are read"),
                ("train/loose.jpg", "directly in train/, not in a class folder"),
                ("val/loose.jpg", "directly in val/, not in a class folder"),
            ]
        );
    }

    #[test]
    fn what_is_no_image_by_its_name_is_left_out_with_a_reason() {
        let tree = folder(&[
            "a/1.jpg",
            "b/1.tif",
            "b/2",
            "a/.hidden.jpg",
            ".cache/1.jpg",
            "__MACOSX/a/1.jpg",
            "a/Thumbs.db",
            "a/labels.CSV",
            "readme.md",
            "loose.jpg",
        ])
        .unwrap();
        assert_eq!(paths(&tree.train), [("a/1.jpg", 0), ("b/1.tif", 1), ("b/2", 1)]);
        let reasons: Vec<_> = tree.ignored.iter().map(|i| i.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "hidden",
                "hidden",
                "hidden",
                "left by the operating system",
                "not an image (.csv)",
                "not in a class folder",
                "not an image (.md)",
            ]
        );
    }

    #[test]
    fn a_split_is_held_out_only_where_there_is_none() {
        let tree = folder(&["a/1", "a/2", "a/3", "b/1", "b/2"]).unwrap();
        let split = tree.clone().hold_out(0.4, 7);
        let val = split.val.unwrap();
        assert_eq!((split.train.len(), val.len()), (3, 2));
        assert!(tree.train.iter().all(|entry| split.train.contains(entry) != val.contains(entry)));
        let given = folder(&["train/a/1", "train/a/2", "train/b/1", "val/b/2"]).unwrap();
        assert_eq!(given.clone().hold_out(0.4, 7), given);
    }

    #[test]
    fn a_class_may_be_called_train() {
        // As in CIFAR-100, where trains are a class.
        let tree = folder(&["train/1.png", "tank/1.png"]).unwrap();
        assert_eq!(tree.classes.names(), ["tank", "train"]);
    }

    #[test]
    fn a_tree_without_enough_classes_is_refused_by_name() {
        assert!(message(&[]).starts_with("no class found among 0 files"));
        assert!(message(&["a.jpg", "b.jpg"]).contains("among 2 files"));
        assert!(message(&["cat/a.jpg", "dog/notes.txt"]).starts_with("'cat' is the only class"));
        assert!(message(&["train/cat/a.jpg"]).starts_with("'cat' is the only class"));
    }

    #[test]
    fn splits_that_hold_no_classes_are_not_taken_for_classes() {
        let text = message(&["train/a.jpg", "val/b.jpg"]);
        assert!(text.starts_with("'train', 'val' look like splits"), "{text}");
        let text = message(&["Train/cat/a.jpg", "Test/cat/b.jpg"]);
        assert!(text.starts_with("'Test', 'Train' look like splits"), "{text}");
        let text = message(&["train/cat/a.jpg", "train/dog/b.jpg", "val/1.jpg", "val/2.jpg"]);
        assert!(text.starts_with("val/ holds 2 images but no class folders"), "{text}");
    }

    #[test]
    fn classes_beside_a_split_are_an_error_because_either_reading_drops_images() {
        let text = message(&["train/steam/1.png", "train/diesel/1.png", "tank/1.png"]);
        assert!(text.contains("'tank' beside it"), "{text}");
    }

    #[test]
    fn a_class_only_val_knows_is_an_error_that_names_it() {
        let text = message(&["train/cat/a.jpg", "train/dog/b.jpg", "val/cats/c.jpg", "val/dog/d.jpg"]);
        assert!(text.starts_with("val/ holds 'cats', which train/ lacks"), "{text}");
    }

    proptest! {
        #[test]
        fn no_file_is_lost_and_the_order_of_the_paths_does_not_matter(
            paths in proptest::collection::vec("(train/|val/|)([ab]|train)/[.a-c]{1,2}(/d)?(\\.(jpg|txt))?", 0..30),
        ) {
            let forward = Folder::from_paths(paths.clone());
            let backward = Folder::from_paths(paths.iter().rev().cloned());
            match (forward, backward) {
                (Ok(a), Ok(b)) => {
                    let distinct = paths.iter().collect::<BTreeSet<_>>().len();
                    prop_assert_eq!(a.train.len() + a.val.iter().flatten().count() + a.ignored.len(), distinct);
                    prop_assert!(a.train.is_sorted_by(|x, y| x.path < y.path));
                    prop_assert_eq!(a, b);
                }
                (Err(a), Err(b)) => prop_assert_eq!(a.to_string(), b.to_string()),
                (a, b) => prop_assert!(false, "{:?} and {:?}", a, b),
            }
        }
    }
}
