//! ImageNet as it is handed out: the official archives, the layout of the Kaggle competition, and Tiny ImageNet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::folder::error::FolderError;
use super::super::folder::scan::Scan;
use super::error::SourceError;
use super::labels::Labels;
use super::packed::Builder;
use super::{Disk, Tree, tars};
use crate::data::{Problem, is_junk};

const TRAIN: &str = "ILSVRC2012_img_train.tar";
const VAL: &str = "ILSVRC2012_img_val.tar";

/// What a folder was taken for.
pub(super) type Taken = (Arc<dyn Tree>, String);

/// The official archives in a folder; `None` where they are not there.
///
/// # Errors
/// [`SourceError`] for archives that cannot be read, and validation images whose classes nothing tells.
pub(super) fn official(folder: &Path) -> Result<Option<Taken>, SourceError> {
    let (train, val) = (folder.join(TRAIN), folder.join(VAL));
    if !train.is_file() {
        return Ok(None);
    }
    let mut to = Builder::default();
    let inner = tars::add(&mut to, &train, 0, "train/")?;
    let mut what = format!("ImageNet's official archives ({TRAIN} of {inner} tars");
    if !val.is_file() {
        what.push_str(&format!(", no {VAL} beside it), read in place"));
        return Ok(Some((Arc::new(to.finish(folder.to_owned(), false)?), what)));
    }
    tars::add(&mut to, &val, 1, "val/")?;
    let tree: Arc<dyn Tree> = Arc::new(to.finish(folder.to_owned(), false)?);
    let labels = Labels::find(&[folder.to_owned()])?;
    what.push_str(&format!(", {VAL}"));
    Ok(Some(match labels {
        Some(labels) => {
            what.push_str(&format!(" with the classes of {}), read in place", labels.shown()));
            (Arc::new(Relabelled { tree, labels, folder: VAL_ITSELF }), what)
        }
        None if is_flat(&*tree) => return Err(SourceError::NoLabels { images: val.display().to_string() }),
        None => (tree, format!("{what}), read in place")),
    }))
}

/// `true` where files lie in `val/` itself.
fn is_flat(tree: &dyn Tree) -> bool {
    tree.scan().is_ok_and(|scan| scan.paths.iter().any(|path| directly_in(VAL_ITSELF, path).is_some()))
}

/// Folders of a Kaggle download in which training and validation images lie, each relative to what a user may name.
const KAGGLE: [&str; 3] = ["ILSVRC/Data/CLS-LOC", "Data/CLS-LOC", "CLS-LOC"];

/// A folder whose `val/` holds images without class folders, with a list of their classes near it; `None` where it is none.
///
/// # Errors
/// [`SourceError`] for a list that cannot be used; where nothing tells the classes, for the Kaggle layout.
pub(super) fn flat(folder: &Path) -> Result<Option<Taken>, SourceError> {
    let within = KAGGLE.iter().map(|inner| folder.join(inner)).find(|inner| inner.join("train").is_dir());
    // The parent of a download.
    let within = within.or_else(|| {
        let inner = sole_folder(folder)?;
        KAGGLE.iter().map(|kaggle| inner.join(kaggle)).find(|inner| inner.join("train").is_dir())
    });
    // A folder that an archive was unpacked into.
    let wrapped = || sole_folder(folder).filter(|inner| inner.join("train").is_dir());
    let root = within.clone().or_else(wrapped).unwrap_or_else(|| folder.to_owned());
    let real = root.canonicalize().unwrap_or_else(|_| root.clone());
    let kaggle = within.is_some() || real.ends_with("ILSVRC/Data/CLS-LOC");
    let train = root.join("train").is_dir();
    let Some(images) = FLAT.into_iter().find(|images| train && is_flat_folder(&root, images)) else {
        if !kaggle {
            return Ok(None);
        }
        return Ok(Some((
            Arc::new(Disk::new(&root)),
            "the Kaggle layout of ImageNet without val/".to_owned(),
        )));
    };
    // Beside it, in it, and up to where the lists of the Kaggle layout lie.
    let mut near = vec![root.clone(), root.join("val")];
    let above = real.ancestors().skip(1).take(if kaggle { 3 } else { 0 });
    near.extend(above.map(Path::to_owned));
    match Labels::find(&near)? {
        Some(labels) => {
            let named = if kaggle {
                "the Kaggle layout of ImageNet"
            } else {
                "train/ with class folders and val/ without"
            };
            let what = format!("{named}, with the classes of {}", labels.shown());
            let tree = Arc::new(Disk::new(&root));
            Ok(Some((Arc::new(Relabelled { tree, labels, folder: images }), what)))
        }
        None if kaggle => Err(SourceError::NoLabels { images: root.join("val").display().to_string() }),
        None => Ok(None),
    }
}

/// The only folder within another; `None` where there are several, or none.
fn sole_folder(folder: &Path) -> Option<PathBuf> {
    let mut folders =
        fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let only = folders.next()?;
    folders.next().is_none().then_some(only)
}

/// `true` for a folder that holds files, and not only folders.
fn holds_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let list =
                [".txt", ".csv", ".json", ".md"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
            !is_junk(&name) && !list && !entry.path().is_dir()
        })
    })
}

/// `true` where a folder of validation images holds files, and where it is `val/images/` nothing else but that folder and lists lies
/// in `val/`: a class of that name would have others beside it.
fn is_flat_folder(root: &Path, images: &str) -> bool {
    let folder = root.join(images.trim_end_matches('/'));
    let alone = images == VAL_ITSELF || sole_folder(&root.join("val")).is_some_and(|only| only == folder);
    alone && holds_files(&folder)
}

/// A tree whose `val/` has no class folders, with those of a list: `val/a.JPEG` is `val/<class>/a.JPEG`.
#[derive(Debug)]
struct Relabelled {
    tree: Arc<dyn Tree>,
    labels: Labels,
    /// The folder in which the images lie, of [`FLAT`].
    folder: &'static str,
}

/// Validation images in `val/` itself.
const VAL_ITSELF: &str = "val/";
/// Folders in which validation images lie without class folders; the second is Tiny ImageNet's.
const FLAT: [&str; 2] = [VAL_ITSELF, "val/images/"];

/// The name of a file that lies in a folder itself, and not below it.
fn directly_in<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|name| !name.contains('/'))
}

impl Relabelled {
    /// The name of an image whose class the list is to tell.
    fn image<'a>(&self, path: &'a str) -> Option<&'a str> {
        let is_list =
            |name: &str| [".txt", ".csv"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        directly_in(self.folder, path).filter(|name| !is_junk(name) && !is_list(name))
    }

    /// The path without the class that this tree has put in.
    fn inner(&self, path: &str) -> Option<String> {
        let (class, name) = path.strip_prefix("val/")?.split_once('/')?;
        (!class.is_empty() && !name.contains('/')).then(|| format!("{}{name}", self.folder))
    }
}

impl Tree for Relabelled {
    fn scan(&self) -> Result<Scan, FolderError> {
        let Scan { paths, empty, mut problems } = self.tree.scan()?;
        let mut classes: Vec<String> = paths
            .iter()
            .filter_map(|path| Some(path.strip_prefix("train/")?.split_once('/')?.0))
            .filter(|class| !is_junk(class))
            .map(str::to_owned)
            .collect();
        classes.dedup();
        classes.sort_unstable();
        classes.dedup();
        let (flat, mut others): (Vec<String>, Vec<String>) =
            paths.into_iter().partition(|path| self.image(path).is_some());
        let names: Vec<&str> = flat.iter().filter_map(|path| self.image(path)).collect();
        let found = self.labels.of(&names, &classes)?;
        for (name, class) in names.iter().zip(found) {
            match class {
                Some(class) => others.push(format!("val/{class}/{name}")),
                None => problems.push(Problem {
                    path: format!("{}{name}", self.folder),
                    reason: format!("{} does not tell its class", self.labels.shown()),
                }),
            }
        }
        others.sort_unstable();
        problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Scan { paths: others, empty, problems })
    }

    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        match self.inner(path) {
            Some(inner) => self.tree.read(&inner, most),
            None => self.tree.read(path, most),
        }
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.tree.size(&self.inner(path).unwrap_or_else(|| path.to_owned()))
    }

    fn place(&self, path: &str) -> PathBuf {
        self.tree.place(&self.inner(path).unwrap_or_else(|| path.to_owned()))
    }

    fn name(&self) -> String {
        self.tree.name()
    }
}
