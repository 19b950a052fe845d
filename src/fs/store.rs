//! The storage of a run as a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::output::{ASIDE, OutputError, at, ensure_apart, write_atomic};
use super::regular::read_inside;
use crate::data::ensure_relative;
use crate::run::{NewFolder, Storage, StorageError};

/// A folder for results, apart from all folders that are read.
#[derive(Clone, Debug)]
pub struct OutputFolder(PathBuf);

impl OutputFolder {
    /// The folder `out` for results made from the files in `sources`.
    ///
    /// # Errors
    /// [`OutputError::Overlap`] when it lies in one of them or one of them in it, [`OutputError::NotAFolder`] when it is a file.
    pub fn new<'a>(out: &Path, sources: impl IntoIterator<Item = &'a Path>) -> Result<Self, OutputError> {
        sources.into_iter().try_for_each(|source| ensure_apart(source, out))?;
        if out.exists() && !out.is_dir() {
            return Err(OutputError::NotAFolder { path: out.to_owned() });
        }
        Ok(Self(out.to_owned()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, so that one which cannot be made is noticed before any work is done.
    ///
    /// # Errors
    /// [`StorageError::Unusable`].
    pub fn create(&self) -> Result<(), StorageError> {
        let shown = self.0.display();
        fs::create_dir_all(&self.0).map_err(|why| {
            StorageError::Unusable(format!("`out` {shown}: the folder cannot be made ({why})"))
        })
    }

    /// The path of a file, which must lie in the folder.
    fn inside(&self, name: &str, action: &'static str) -> Result<PathBuf, StorageError> {
        inside(&self.0, name, action)
    }

    fn each(
        &self,
        action: &'static str,
        mut act: impl FnMut(&fs::DirEntry) -> std::io::Result<()>,
    ) -> Result<(), StorageError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |why: std::io::Error| StorageError::from(at(action, &path)(why))
        };
        for entry in fs::read_dir(&self.0).map_err(failed(&self.0))? {
            let entry = entry.map_err(failed(&self.0))?;
            act(&entry).map_err(failed(&entry.path()))?;
        }
        Ok(())
    }
}

/// The path of a file by its name in a folder; a name that could lead out of it is refused.
fn inside(folder: &Path, name: &str, action: &'static str) -> Result<PathBuf, StorageError> {
    let path = folder.join(name);
    match ensure_relative(name) {
        Ok(()) => Ok(path),
        Err(why) => Err(StorageError::Io { action, what: path.display().to_string(), source: why.into() }),
    }
}

/// Removes an entry of a folder: a file, or a folder with everything in it.
fn remove(entry: &fs::DirEntry) -> std::io::Result<()> {
    if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }
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
        let path = self.0.join(name);
        match read_inside(&self.0, name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(at("read", &path)(why).into()),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let path = self.inside(name, "write")?;
        if let Some(folder) = path.parent().filter(|_| name.contains('/')) {
            fs::create_dir_all(folder).map_err(at("make", folder))?;
        }
        Ok(write_atomic(&path, bytes)?)
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = self.inside(name, "remove")?;
        match fs::remove_file(&path) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(at("remove", &path)(why).into()),
            _ => Ok(()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.inside(name, "find").is_ok_and(|path| path.is_file())
    }

    fn is_occupied(&self) -> Result<bool, StorageError> {
        if !self.0.exists() {
            return Ok(false);
        }
        Ok(fs::read_dir(&self.0).map_err(at("read", &self.0))?.next().is_some())
    }

    fn clear(&self) -> Result<(), StorageError> {
        self.create()?;
        self.each("remove", remove)
    }

    fn sweep(&self) -> Result<(), StorageError> {
        self.each("remove", |entry| {
            if entry.file_name().to_string_lossy().starts_with(ASIDE) { remove(entry) } else { Ok(()) }
        })
    }

    fn folder(&self, name: &str) -> Result<Box<dyn NewFolder + '_>, StorageError> {
        let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&self.0);
        let aside = aside.map_err(at("write into", &self.0))?;
        Ok(Box::new(Aside { inner: aside.path().join(name), aside, target: self.0.join(name) }))
    }

    fn shown(&self, name: &str) -> String {
        if name.is_empty() { self.0.display().to_string() } else { self.0.join(name).display().to_string() }
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
        if target.exists() {
            fs::remove_dir_all(&target).map_err(at("remove", &target))?;
        }
        fs::rename(&inner, &target).map_err(at("write", &target))?;
        drop(aside);
        Ok(())
    }
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
    fn only_what_is_half_written_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputFolder::new(root.path(), []).unwrap();
        fs::create_dir(root.path().join(".tilepress-1")).unwrap();
        out.write(".tilepress-2", b"").unwrap();
        out.write("kept", b"3").unwrap();
        out.sweep().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(out.read("kept").unwrap().as_deref(), Some(&b"3"[..]));
        assert_eq!(out.read("gone").unwrap(), None);
        out.clear().unwrap();
        assert!(!out.is_occupied().unwrap());
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_neither_read_nor_written_nor_removed() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), b"mine").unwrap();
        let out = OutputFolder::new(&root.path().join("out"), []).unwrap();
        out.create().unwrap();
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
