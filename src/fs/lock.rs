//! One process an output folder: a lock that dies with its owner.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::output::ASIDE;

/// Reason why a folder could not be locked.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process holds it; its number, where that can be read.
    Held(Option<u32>),
    /// The system refused.
    Io(io::Error),
}

/// The lock of a folder. It is held as long as this lives, and no longer than the process: the system gives it back after a
/// kill, too, so that a file that is left says nothing.
#[derive(Debug)]
pub(super) struct Lock {
    /// Holds the lock until it is closed.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks a folder that is there. The process's number is written into the file, so that a folder that cannot be written,
    /// or has no room for a byte, is noticed here.
    pub(super) fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(format!("{ASIDE}lock"));
        // Each further turn means that an owner has just ended.
        for _ in 0..100 {
            if path.is_symlink() {
                let why = format!("'{}' is a link", path.display());
                return Err(LockError::Io(io::Error::other(why)));
            }
            let mut options = File::options();
            let mut file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(LockError::Io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(owner(&mut file))),
                // A file system without locks: one process more is not noticed there.
                Err(TryLockError::Error(why)) if why.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(why)) => return Err(LockError::Io(why)),
            }
            if !is_at(&file, &path) {
                continue;
            }
            let own = std::process::id().to_string();
            let written = file.set_len(0).and_then(|()| file.write_all(own.as_bytes()));
            written.and_then(|()| file.sync_all()).map_err(LockError::Io)?;
            return Ok(Self { _file: file, path });
        }
        Err(LockError::Held(None))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still held, so that nobody else's is removed.
        fs::remove_file(&self.path).ok();
    }
}

fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.parse().ok()
}

/// `true` where the open file is still the one of this path, and not one that its former owner has removed.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        match (file.metadata(), fs::symlink_metadata(path)) {
            (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_until_that_lets_go() {
        let root = tempfile::tempdir().unwrap();
        let own = Lock::take(root.path()).unwrap();
        match Lock::take(root.path()) {
            Err(LockError::Held(_)) => {}
            other => panic!("{other:?}"),
        }
        drop(own);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
        Lock::take(root.path()).unwrap();
    }

    #[test]
    fn a_file_left_by_a_killed_owner_is_no_lock() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".tilepress-lock"), "12345").unwrap();
        Lock::take(root.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_not_written_through() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), "mine").unwrap();
        std::os::unix::fs::symlink(root.path().join("mine"), root.path().join(".tilepress-lock")).unwrap();
        assert!(matches!(Lock::take(root.path()), Err(LockError::Io(_))));
        assert_eq!(fs::read(root.path().join("mine")).unwrap(), b"mine");
    }
}
