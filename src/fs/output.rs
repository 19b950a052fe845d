//! Writing results so that no file is ever half-written, and no file of the user's is overwritten unless asked.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::fault::{Fault, Faulty};

/// First part of the temporary name of files and folders until they are complete and renamed.
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
            Self::Overlap { .. } | Self::NotAFolder { .. } => Fault::Data,
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
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(ASIDE);
    #[cfg(unix)]
    {
        // Temporary files are private; results are as public as the user's umask lets them be.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(at("write into", folder))?;
    file.write_all(bytes).map_err(at("write", path))?;
    file.as_file().sync_all().map_err(at("write", path))?;
    file.persist(path).map_err(|error| at("write", path)(error.error))?;
    sync_folder(folder);
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
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    fs::File::open(folder).and_then(|folder| folder.sync_all()).ok();
    #[cfg(not(unix))]
    let _ = folder;
}

/// Checks that writing, or replacing, `out` cannot touch `data`, and that the output will not be read as
/// part of the data the next time.
///
/// # Errors
/// [`OutputError::Overlap`]; [`OutputError::Io`] where a path cannot be followed.
pub fn ensure_apart(data: &Path, out: &Path) -> Result<(), OutputError> {
    let (real_data, real_out) = (resolve(data)?, resolve(out)?);
    if real_data.starts_with(&real_out) || real_out.starts_with(&real_data) {
        return Err(OutputError::Overlap { out: out.to_owned(), data: data.to_owned() });
    }
    Ok(())
}

/// A path with its links followed as far as it exists.
fn resolve(path: &Path) -> Result<PathBuf, OutputError> {
    let path = std::path::absolute(path).map_err(at("find", path))?;
    for existing in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), path.strip_prefix(existing)) {
            // Joining an empty rest would append a separator.
            return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
        }
    }
    Ok(path)
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

    #[test]
    fn output_and_data_lie_apart() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("set/data");
        fs::create_dir_all(&data).unwrap();
        let overlap = |out: &Path| matches!(ensure_apart(&data, out), Err(OutputError::Overlap { .. }));
        assert!(overlap(&data) && overlap(&data.join("new/out")) && overlap(&root.path().join("set")));
        assert!(overlap(&data.join("../../set")));
        assert!(!overlap(&root.path().join("set/out")) && !overlap(&root.path().join("set/data2")));
    }
}
