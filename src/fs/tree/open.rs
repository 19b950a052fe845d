//! What a user names as data, and what it is taken for.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::folder::error::FolderError;
use super::super::regular::open_regular;
use super::error::SourceError;
use super::tars::has_extension;
use super::{Disk, Tree, imagenet, info, pattern, shards, tar, tars};
use crate::data::is_junk;

/// A source of images that is open.
#[derive(Debug)]
pub struct Opened {
    /// Its files.
    pub tree: Arc<dyn Tree>,
    /// What it was taken for, in words; `None` for a plain folder.
    pub taken_for: Option<String>,
    /// What a user should check.
    pub warnings: Vec<String>,
}

impl Opened {
    fn new(tree: impl Tree + 'static, what: String) -> Self {
        Self { tree: Arc::new(tree), taken_for: Some(what), warnings: Vec::new() }
    }
}

/// Opens what a user named: a folder of class folders or splits, of ImageNet's official archives, in the Kaggle layout, or of
/// WebDataset shards; a tar of images or of tars; a pattern such as `train-{000..127}.tar` or `*.tar`; or an `_info.json`.
///
/// # Errors
/// [`FolderError::Source`] for archives and lists that cannot be used. A folder that is not there is noticed when it is listed.
pub fn open(path: &Path) -> Result<Opened, FolderError> {
    if pattern::is_pattern(path) {
        return Ok(of_files(path, &pattern::expand(path)?)?);
    }
    if path.is_dir() {
        return Ok(of_folder(path)?);
    }
    if path.is_file() {
        return if has_extension(&path.to_string_lossy(), "json") {
            Ok(of_info(path)?)
        } else {
            ensure_archive(path)?;
            Ok(of_files(path, &[path.to_owned()])?)
        };
    }
    let shown = path.to_string_lossy();
    if path.symlink_metadata().is_err()
        && ["tar", "json", "parquet"].iter().any(|end| has_extension(&shown, end))
    {
        return Err(SourceError::Missing { path: path.to_owned() }.into());
    }
    Ok(Opened { tree: Arc::new(Disk::new(path)), taken_for: None, warnings: Vec::new() })
}

/// The files and folders that are read for a path: itself, or those that it stands for. Of what cannot be opened the path alone.
pub(in crate::fs) fn inputs(path: &Path) -> Vec<PathBuf> {
    if pattern::is_pattern(path) {
        return pattern::expand(path).unwrap_or_else(|_| vec![path.to_owned()]);
    }
    let mut all = vec![path.to_owned()];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if info::NAMES.contains(&&*name)
        && path.is_file()
        && let Ok(info) = info::read(path)
    {
        all.extend(info::files(path, &info));
    }
    all
}

/// Refuses a file that is no archive, with a word on what it is.
fn ensure_archive(path: &Path) -> Result<(), FolderError> {
    if ["tar", "parquet"].iter().any(|end| has_extension(&path.to_string_lossy(), end)) {
        return Ok(());
    }
    let unreadable = |why| SourceError::Unreadable { path: path.to_owned(), why };
    let mut start = Vec::new();
    let file = open_regular(path).map_err(unreadable)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 512), &mut start).map_err(unreadable)?;
    match tar::compressed(&start, path) {
        Some(error) => Err(error.into()),
        None if start.get(257..262) == Some(b"ustar") => Ok(()),
        None => Err(FolderError::NotAFolder { path: path.to_owned() }),
    }
}

/// What lies in a folder itself.
#[derive(Debug, Default)]
struct Contents {
    tars: Vec<PathBuf>,
    parquets: Vec<PathBuf>,
    compressed: Vec<PathBuf>,
    /// Something else that may be images: folders, and files of images.
    others: bool,
}

fn contents(folder: &Path) -> Contents {
    const IMAGES: [&str; 7] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif"];
    const BESIDE: [&str; 3] = ["index", "ilsvrc2012_devkit_t12", "devkit"];
    let mut found = Contents::default();
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| has_extension(&name, end));
        if is_junk(&name) {
        } else if path.is_dir() {
            found.others |= !BESIDE.contains(&name.as_str());
        } else if ends(&["tar"]) {
            found.tars.push(path);
        } else if ends(&["parquet"]) {
            found.parquets.push(path);
        } else if ends(&["tgz"])
            || [".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2"].iter().any(|end| name.ends_with(end))
        {
            found.compressed.push(path);
        } else {
            found.others |= ends(&IMAGES);
        }
    }
    for files in [&mut found.tars, &mut found.parquets, &mut found.compressed] {
        files.sort_unstable();
    }
    found
}

fn of_folder(folder: &Path) -> Result<Opened, SourceError> {
    let taken = match imagenet::official(folder)? {
        Some(taken) => Some(taken),
        None => imagenet::flat(folder)?,
    };
    if let Some((tree, what)) = taken {
        return Ok(Opened { tree, taken_for: Some(what), warnings: Vec::new() });
    }
    let plain = || Ok(Opened { tree: Arc::new(Disk::new(folder)), taken_for: None, warnings: Vec::new() });
    let found = contents(folder);
    // A data set as Hugging Face stores it: a card, and its files in `data`.
    let inner = folder.join("data");
    let of_inner =
        if found.tars.is_empty() && inner.is_dir() { contents(&inner) } else { Contents::default() };
    if !of_inner.others && !of_inner.parquets.is_empty() {
        return of_files(folder, &of_inner.parquets);
    }
    if found.others {
        return plain();
    }
    for name in info::NAMES {
        let path = folder.join(name);
        if path.is_file() && !found.tars.is_empty() {
            return of_info(&path);
        }
    }
    let files = if found.tars.is_empty() { found.parquets } else { found.tars };
    match (files.is_empty(), found.compressed.first()) {
        (false, _) => of_files(folder, &files),
        (true, Some(first)) => {
            let file =
                open_regular(first).map_err(|why| SourceError::Unreadable { path: first.clone(), why })?;
            let mut start = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(file, 8), &mut start)
                .map_err(|why| SourceError::Unreadable { path: first.clone(), why })?;
            tar::compressed(&start, first).map_or_else(plain, Err)
        }
        (true, None) => plain(),
    }
}

fn of_info(path: &Path) -> Result<Opened, SourceError> {
    let info = info::read(path)?;
    let files = info::files(path, &info);
    let missing: Vec<&PathBuf> = files.iter().filter(|file| !file.is_file()).collect();
    if let Some(first) = missing.first() {
        let first = first.display().to_string();
        return Err(SourceError::Incomplete { missing: missing.len(), all: files.len(), first });
    }
    if files.iter().any(|file| has_extension(&file.to_string_lossy(), "parquet")) {
        return of_files(path, &files);
    }
    let shards::Read { tree, what, warnings } = shards::tree(path, &shards::of_info(path, info))?;
    Ok(Opened { warnings, ..Opened::new(tree, what) })
}

fn of_files(place: &Path, files: &[PathBuf]) -> Result<Opened, SourceError> {
    let extension =
        |file: &PathBuf| file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let parquets = files.iter().filter(|file| extension(file) == "parquet").count();
    if let Some(file) = files.iter().find(|file| !file.is_file()) {
        return Err(SourceError::Mixed(format!(
            "'{}' stands for '{}', which is no file; a pattern stands for tars",
            place.display(),
            file.display()
        )));
    }
    if parquets > 0 && parquets < files.len() {
        return Err(SourceError::Mixed(format!(
            "'{}' stands for Parquet files and others; give one kind",
            place.display()
        )));
    }
    if parquets > 0 {
        return of_parquet(place, files);
    }
    if let Some(first) = files.first()
        && shards::is_one(first)?
    {
        let shards::Read { tree, what, warnings } = shards::tree(place, &shards::of_names(files))?;
        return Ok(Opened { warnings, ..Opened::new(tree, what) });
    }
    let (tree, what) = tars::tree(place, files)?;
    Ok(Opened::new(tree, what))
}

#[cfg(feature = "parquet")]
fn of_parquet(place: &Path, files: &[PathBuf]) -> Result<Opened, SourceError> {
    let (tree, what) = super::parquet::tree(place, files)?;
    Ok(Opened::new(tree, what))
}

#[cfg(not(feature = "parquet"))]
fn of_parquet(place: &Path, _files: &[PathBuf]) -> Result<Opened, SourceError> {
    Err(SourceError::NotASource {
        path: place.to_owned(),
        what:
            "of Parquet files, which this program was built without (cargo install with --features parquet)"
                .to_owned(),
    })
}
