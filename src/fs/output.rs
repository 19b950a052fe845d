//! Writing results so that no file is ever half-written, and no file of the user's is overwritten unless asked.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::fault::{Fault, Faulty};

/// First part of the names that are tilepress's own in an output folder: files and folders until they are complete and renamed,
/// a folder that is being replaced, the lock. They count as nothing, and what a killed run left of them is removed.
pub(super) const ASIDE: &str = ".tilepress-";

/// A result that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The output lies in the data, or the data in the output.
    #[error(
        "the output '{}' and what is read, '{}', lie within each other: choose an `out` beside it",
        out.display(), data.display()
    )]
    Overlap {
        /// The output folder.
        out: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// A file that is read lies in the output.
    #[error("'{}' lies in the output '{}': move it out of there, or choose another `out`", file.display(), out.display())]
    Within {
        /// The output folder.
        out: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// A link of the data leads to the output.
    #[error(
        "'{}' is a link that leads to the output '{}', where files are written and replaced: choose another `out`",
        link.display(), out.display()
    )]
    Linked {
        /// The output folder.
        out: PathBuf,
        /// The link.
        link: PathBuf,
    },
    /// Another run writes there.
    #[error(
        "`out` {} is in use by another tilepress{}: wait until it has ended, or name another folder",
        path.display(), process.map_or_else(String::new, |process| format!(" (process {process})"))
    )]
    Busy {
        /// The output folder.
        path: PathBuf,
        /// The process's number, where it is known.
        process: Option<u32>,
    },
    /// The output cannot be written.
    #[error("`out` {}: nothing can be written there ({source}); make room, or name another folder", path.display())]
    NotWritable {
        /// The output folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file where a folder should be.
    #[error("`out` {} is a file, not a folder", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} '{}'", path.display())]
    Io {
        /// The action that failed.
        action: &'static str,
        /// The file or folder it failed on.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Faulty for OutputError {
    fn fault(&self) -> Fault {
        match self {
            Self::Overlap { .. }
            | Self::Within { .. }
            | Self::Linked { .. }
            | Self::Busy { .. }
            | Self::NotWritable { .. }
            | Self::NotAFolder { .. } => Fault::Data,
            Self::Io { .. } => Fault::Run,
        }
    }
}

/// Adds the action and the path to an error of the file system.
pub(super) fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OutputError + 'a {
    move |source| OutputError::Io { action, path: path.to_owned(), source }
}

/// Writes a file whole or not at all: under another name in the same folder, flushed to disk, then
/// renamed over `path`.
///
/// # Errors
/// [`OutputError::Io`]; the former file, if any, is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let mut file = begin_file(path)?;
    file.write_all(bytes).map_err(at("write", path))?;
    finish_file(file, path)
}

/// Begins a file under another name in the folder of `path`. One that is dropped unfinished leaves nothing behind.
pub(super) fn begin_file(path: &Path) -> Result<NamedTempFile, OutputError> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(ASIDE);
    #[cfg(unix)]
    {
        // Temporary files are private; results are as public as the user's umask lets them be.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(at("write into", folder))
}

/// Brings a file to the disk and to its place.
pub(super) fn finish_file(file: NamedTempFile, path: &Path) -> Result<(), OutputError> {
    file.as_file().sync_all().map_err(at("write", path))?;
    file.persist(path).map_err(|error| at("write", path)(error.error))?;
    sync_folder(folder_of(path));
    Ok(())
}

/// The folder a path lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a rename last through a power failure, where the system can; its content is safe either way.
pub(super) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    fs::File::open(folder).and_then(|folder| folder.sync_all()).ok();
    #[cfg(not(unix))]
    let _ = folder;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(root.path()), ["a.txt"]);
        let error = write_atomic(&root.path().join("missing/a.txt"), b"").unwrap_err().to_string();
        assert!(error.contains("missing'"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn results_are_as_public_as_files_made_the_usual_way() {
        use std::os::unix::fs::PermissionsExt as _;

        let root = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        write_atomic(&root.path().join("ours"), b"").unwrap();
        fs::write(root.path().join("usual"), b"").unwrap();
        assert_eq!(mode(&root.path().join("ours")), mode(&root.path().join("usual")));
    }
}
