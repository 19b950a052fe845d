//! The storage of a run as a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::apart::ensure_apart;
use super::lock::{Lock, LockError};
use super::output::{ASIDE, OutputError, at, sync_folder, write_atomic};
use super::regular::read_inside;
use crate::data::ensure_relative;
use crate::run::{NewFolder, Storage, StorageError};

/// A folder for results, apart from all files and folders that are read.
#[derive(Clone, Debug)]
pub struct OutputFolder {
    path: PathBuf,
    /// Held from the claim on, by all copies.
    lock: Arc<Mutex<Option<Lock>>>,
}

impl OutputFolder {
    /// The folder `out` for results made from what is in `sources`, folders and files.
    ///
    /// # Errors
    /// [`OutputError`] when it lies in one of them or one of them in it, also by a link, and when it is a file.
    pub fn new<'a>(out: &Path, sources: impl IntoIterator<Item = &'a Path>) -> Result<Self, OutputError> {
        sources.into_iter().try_for_each(|source| ensure_apart(source, out))?;
        if out.exists() && !out.is_dir() {
            return Err(OutputError::NotAFolder { path: out.to_owned() });
        }
        Ok(Self { path: out.to_owned(), lock: Arc::default() })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock, and then mends the folder, if this has not got it yet.
    fn lock(&self) -> Result<(), OutputError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        *lock = Some(Lock::take(&self.path).map_err(|why| match why {
            LockError::Held(process) => OutputError::Busy { path: self.path.clone(), process },
            LockError::Io(source) => OutputError::NotWritable { path: self.path.clone(), source },
        })?);
        self.mend()
    }

    /// Completes or undoes what a killed run was doing: a folder that was being replaced is put back where the new one did not
    /// come, and whatever is half-written is removed. Nobody else is writing: the lock is ours.
    fn mend(&self) -> Result<(), OutputError> {
        let entries = fs::read_dir(&self.path).map_err(at("read", &self.path))?;
        for entry in entries {
            let entry = entry.map_err(at("read", &self.path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(target) = name.strip_prefix(OLD).map(|target| self.path.join(target))
                && fs::symlink_metadata(&target).is_err()
            {
                fs::rename(entry.path(), &target).map_err(at("write", &target))?;
            }
        }
        let lock_in = |folder: &Path| folder.join(format!("{ASIDE}lock"));
        let lock = lock_in(&self.path);
        let mut left = Vec::new();
        let mut walk = WalkDir::new(&self.path).min_depth(1).into_iter();
        while let Some(entry) = walk.next() {
            // A folder that cannot be read holds nothing of ours.
            let Ok(entry) = entry else { continue };
            let is_folder = entry.file_type().is_dir();
            if is_own(&entry) {
                if entry.path() != lock {
                    left.push((entry.path().to_owned(), is_folder));
                }
                if is_folder {
                    walk.skip_current_dir();
                }
            } else if is_folder && (is_hidden(&entry) || lock_in(entry.path()).exists()) {
                // Nothing of ours, or a folder with an owner of its own, who mends it.
                walk.skip_current_dir();
            }
        }
        for (path, is_folder) in left {
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(at("remove", &path))?;
        }
        Ok(())
    }
}

/// First part of the temporary name of a folder that is being replaced; its own name follows.
const OLD: &str = ".tilepress-old-";

/// `true` for a name that is tilepress's own.
fn is_own(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(ASIDE)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

/// The path of a file by its name in a folder; a name that could lead out of it is refused.
fn inside(folder: &Path, name: &str, action: &'static str) -> Result<PathBuf, StorageError> {
    let path = folder.join(name);
    match ensure_relative(name) {
        Ok(()) => Ok(path),
        Err(why) => Err(StorageError::Io { action, what: path.display().to_string(), source: why.into() }),
    }
}

impl From<OutputError> for StorageError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Io { action, path, source } => {
                Self::Io { action, what: path.display().to_string(), source: source.into() }
            }
            other => Self::Unusable(other.to_string()),
        }
    }
}

impl Storage for OutputFolder {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let path = self.path.join(name);
        match read_inside(&self.path, name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // No file at all, or one that lies elsewhere.
            Err(why) if why.kind() == std::io::ErrorKind::InvalidInput => {
                Err(StorageError::Unusable(format!("'{}' cannot be read: {why}", path.display())))
            }
            Err(why) => Err(at("read", &path)(why).into()),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let path = inside(&self.path, name, "write")?;
        if let Some(folder) = path.parent().filter(|_| name.contains('/')) {
            fs::create_dir_all(folder).map_err(at("make", folder))?;
        }
        Ok(write_atomic(&path, bytes)?)
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = inside(&self.path, name, "remove")?;
        match fs::remove_file(&path) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                return Err(at("remove", &path)(why).into());
            }
            _ => {}
        }
        // Folders that hold nothing more; one that does is not removed by this call.
        let folders = name.match_indices('/').rev().map(|(end, _)| self.path.join(&name[..end]));
        for folder in folders {
            if folder.is_symlink() || fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        inside(&self.path, name, "find").is_ok_and(|path| path.is_file())
    }

    fn list(&self) -> Result<Vec<String>, StorageError> {
        let mut names = Vec::new();
        if !self.path.exists() {
            return Ok(names);
        }
        let entries = WalkDir::new(&self.path).min_depth(1).into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_own(entry)) {
            let entry = entry.map_err(|why| {
                let path = why.path().unwrap_or(&self.path).to_owned();
                at("read", &path)(why.into())
            })?;
            if !entry.file_type().is_dir() {
                let name = entry.path().strip_prefix(&self.path).unwrap_or(entry.path());
                let parts: Vec<_> =
                    name.components().map(|part| part.as_os_str().to_string_lossy()).collect();
                names.push(parts.join("/"));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn claim(&self) -> Result<(), StorageError> {
        let shown = self.path.display();
        fs::create_dir_all(&self.path).map_err(|why| {
            StorageError::Unusable(format!("`out` {shown}: the folder cannot be made ({why})"))
        })?;
        Ok(self.lock()?)
    }

    fn room(&self) -> Option<u64> {
        // The folder itself may not be there yet.
        let absolute = std::path::absolute(&self.path).ok()?;
        fs4::available_space(absolute.ancestors().find(|path| path.exists())?).ok()
    }

    fn folder(&self, name: &str) -> Result<Box<dyn NewFolder + '_>, StorageError> {
        let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&self.path);
        let aside = aside.map_err(at("write into", &self.path))?;
        Ok(Box::new(Aside { inner: aside.path().join(name), aside, target: self.path.join(name) }))
    }

    fn shown(&self, name: &str) -> String {
        if name.is_empty() {
            self.path.display().to_string()
        } else {
            self.path.join(name).display().to_string()
        }
    }
}

/// A folder under a temporary name beside its final place, until it is complete.
struct Aside {
    aside: tempfile::TempDir,
    inner: PathBuf,
    target: PathBuf,
}

impl NewFolder for Aside {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let path = inside(&self.inner, name, "write")?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at("write", folder))?;
        }
        fs::write(&path, bytes).map_err(at("write", &path))?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), StorageError> {
        let Self { aside, inner, target } = *self;
        sync_tree(&inner)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let out = target.parent().unwrap_or(&target);
        // The old one goes aside before the new one comes: a kill between the two leaves both, and the next claim goes back.
        let old = out.join(format!("{OLD}{name}"));
        let replaces = fs::symlink_metadata(&target).is_ok();
        if replaces {
            fs::rename(&target, &old).map_err(at("write", &target))?;
        }
        if let Err(why) = fs::rename(&inner, &target) {
            if replaces {
                fs::rename(&old, &target).ok();
            }
            return Err(at("write", &target)(why).into());
        }
        sync_folder(out);
        if replaces {
            let link = old.is_symlink();
            let removed = if link { fs::remove_file(&old) } else { fs::remove_dir_all(&old) };
            removed.map_err(at("remove", &old))?;
        }
        drop(aside);
        Ok(())
    }
}

/// Brings all files below a folder to the disk, and the folders that name them.
fn sync_tree(root: &Path) -> Result<(), OutputError> {
    let entries: Vec<DirEntry> = WalkDir::new(root).into_iter().flatten().collect();
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.file_type().is_dir());
    files.par_iter().try_for_each(|entry| {
        let file = fs::File::options().write(true).open(entry.path());
        file.and_then(|file| file.sync_all()).map_err(at("write", entry.path()))
    })?;
    folders.iter().for_each(|folder| sync_folder(folder.path()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_there_when_it_is_finished_and_not_before() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(root.path(), []).unwrap();
        out.write("data/old", b"1").unwrap();
        let folder = out.folder("data").unwrap();
        folder.write("a/new", b"2").unwrap();
        assert!(out.has("data/old") && !out.has("data/a/new"));
        folder.finish().unwrap();
        assert!(!out.has("data/old") && out.has("data/a/new"));
        drop(out.folder("data").unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left of one that was dropped");
    }

    #[test]
    fn only_what_is_half_written_is_removed_and_in_every_folder() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(root.path(), []).unwrap();
        fs::create_dir_all(root.path().join(".tilepress-1/data")).unwrap();
        for name in [".tilepress-2", "students/.tilepress-3", ".git/.tilepress-4", "students/kept", ".hidden"]
        {
            out.write(name, b"3").unwrap();
        }
        assert_eq!(out.list().unwrap(), [".hidden", "students/kept"], "our own names count as nothing");
        out.claim().unwrap();
        let left = |name: &str| root.path().join(name).exists();
        assert!(!left(".tilepress-1") && !left(".tilepress-2") && !left("students/.tilepress-3"));
        assert!(left(".git/.tilepress-4") && left("students/kept") && left(".hidden"));
        assert_eq!(out.read("gone").unwrap(), None);
        drop(out);
        assert!(!left(".tilepress-lock"));
    }

    #[test]
    fn a_claimed_folder_is_refused_to_another_and_not_to_its_own_copies() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(&root.path().join("new/out"), []).unwrap();
        let copy = out.clone();
        out.claim().unwrap();
        copy.claim().unwrap();
        let other = OutputFolder::new(&root.path().join("new/out"), []).unwrap();
        let error = other.claim().unwrap_err();
        assert!(matches!(error, StorageError::Unusable(_)), "{error}");
        assert!(error.to_string().contains("in use by another tilepress"), "{error}");
        drop(out);
        assert!(other.claim().is_err(), "the copy has it still");
        drop(copy);
        other.claim().unwrap();
    }

    #[test]
    fn a_kill_while_a_folder_is_replaced_leaves_the_old_or_the_new() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(root.path(), []).unwrap();
        let path = |name: &str| root.path().join(name);
        // Between the two renames, and after the second.
        let claim = || OutputFolder::new(root.path(), []).unwrap().claim().unwrap();
        out.write(".tilepress-old-data/old", b"1").unwrap();
        claim();
        assert_eq!(out.list().unwrap(), ["data/old"]);
        out.write(".tilepress-old-data/older", b"0").unwrap();
        claim();
        assert_eq!(out.list().unwrap(), ["data/old"]);
        assert!(!path(".tilepress-old-data").exists());
    }

    #[test]
    fn a_folder_is_removed_with_its_last_file_and_not_before() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(root.path(), []).unwrap();
        out.write("data/a/1", b"").unwrap();
        out.write("data/2", b"").unwrap();
        out.remove("data/a/1").unwrap();
        assert!(!root.path().join("data/a").exists() && root.path().join("data/2").exists());
        out.remove("data/2").unwrap();
        out.remove("data/2").unwrap();
        assert!(!root.path().join("data").exists() && root.path().exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_neither_followed_when_files_are_listed_nor_when_a_folder_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(&root.path().join("out"), []).unwrap();
        fs::create_dir_all(root.path().join("originals")).unwrap();
        fs::write(root.path().join("originals/1.png"), "mine").unwrap();
        out.claim().unwrap();
        std::os::unix::fs::symlink(root.path().join("originals"), root.path().join("out/data")).unwrap();
        assert_eq!(out.list().unwrap(), ["data"]);
        let folder = out.folder("data").unwrap();
        folder.write("a/new", b"2").unwrap();
        folder.finish().unwrap();
        assert_eq!(out.list().unwrap(), ["data/a/new"]);
        assert_eq!(fs::read(root.path().join("originals/1.png")).unwrap(), b"mine");
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_neither_read_nor_written_nor_removed() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), b"mine").unwrap();
        let out = OutputFolder::new(&root.path().join("out"), []).unwrap();
        out.claim().unwrap();
        let mine = root.path().join("mine");
        for name in ["../mine", mine.to_str().unwrap(), "a/../../mine", ""] {
            assert!(!out.has(name), "{name}");
            assert!(
                out.read(name).is_err() && out.write(name, b"x").is_err() && out.remove(name).is_err(),
                "{name}"
            );
            assert!(out.folder("data").unwrap().write(name, b"x").is_err(), "{name}");
        }
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
    }

    #[test]
    fn a_file_is_no_folder_for_results() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = OutputFolder::new(&file, []).unwrap_err().to_string();
        assert!(error.contains("is a file, not a folder"), "{error}");
    }
}
