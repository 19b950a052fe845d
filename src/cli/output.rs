//! Writing results so that nothing is ever half there, and nothing of a user's is overwritten unasked.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::folder::Problem;

/// A result that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The target holds something.
    #[error("'{}' is not empty: choose another folder with --out, or pass --force to replace it", path.display())]
    NotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// The target is a file.
    #[error("'{}' is a file, not a folder: choose another --out", path.display())]
    NotAFolder {
        /// The target.
        path: PathBuf,
    },
    /// The target is a folder that must not be replaced.
    #[error("'{}' is not replaced, because the program was started in it: choose another --out", path.display())]
    InUse {
        /// The target.
        path: PathBuf,
    },
    /// The output would lie in what is read or what is read in the output.
    #[error(
        "the output '{}' and what is read, '{}', lie within each other: choose an --out beside it",
        out.display(), data.display()
    )]
    Overlap {
        /// The output folder.
        out: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} '{}'", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Names what was attempted and on what.
fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OutputError + 'a {
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
    builder.prefix(".tilepress-");
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

/// Writes `problems.csv`: a header, then the path and reason of each.
///
/// # Errors
/// [`OutputError::Io`].
pub fn write_problems(path: &Path, problems: &[Problem]) -> Result<(), OutputError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let written = table
        .write_record(["path", "reason"])
        .and_then(|()| problems.iter().try_for_each(|p| table.write_record([&p.path, &p.reason])));
    written.map_err(|error| at("write", path)(error.into()))?;
    let bytes = table.into_inner().map_err(|error| at("write", path)(error.into_error()))?;
    write_atomic(path, &bytes)
}

/// A folder that is written aside, under another name beside its target, and takes the target's place
/// when it is complete. Dropped before [`commit`](Self::commit), it leaves no trace.
#[derive(Debug)]
pub struct StagedFolder {
    staged: tempfile::TempDir,
    target: PathBuf,
    replace: bool,
}

impl StagedFolder {
    /// Begins a folder that will become `target`. Missing folders above it are created. A target that
    /// is not empty is replaced as a whole if `replace`.
    ///
    /// # Errors
    /// A target that is a file, or not empty and not to be replaced; [`OutputError::Io`].
    pub fn new(target: &Path, replace: bool) -> Result<Self, OutputError> {
        // A link, or a name such as `.`, stands for the folder it leads to.
        let target = if target.exists() {
            target.canonicalize().map_err(at("find", target))?
        } else {
            std::path::absolute(target).map_err(at("find", target))?
        };
        ensure_free(&target, replace)?;
        let folder = folder_of(&target);
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tilepress-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let staged = builder.tempdir_in(folder).map_err(at("write into", folder))?;
        Ok(Self { staged, target, replace })
    }

    /// Where to write; it becomes the target.
    pub fn path(&self) -> &Path {
        self.staged.path()
    }

    /// Puts the folder in the target's place and removes what was there.
    ///
    /// # Errors
    /// As [`new`](Self::new), whose conditions are checked again; the target is then as it was.
    pub fn commit(self) -> Result<(), OutputError> {
        let Self { staged, target, replace } = self;
        ensure_free(&target, replace)?;
        let folder = folder_of(&target);
        let old = if target.exists() {
            let aside = tempfile::Builder::new()
                .prefix(".tilepress-old-")
                .tempdir_in(folder)
                .map_err(at("write into", folder))?;
            fs::rename(&target, aside.path().join("old")).map_err(at("replace", &target))?;
            Some(aside)
        } else {
            None
        };
        if let Err(error) = fs::rename(staged.path(), &target) {
            if let Some(aside) = old {
                let kept = aside.path().join("old");
                if fs::rename(&kept, &target).is_err() {
                    // Better a stray folder than lost data.
                    return Err(at("replace (the former folder is kept aside)", &aside.keep())(error));
                }
            }
            return Err(at("write", &target)(error));
        }
        // Its content has moved; there is nothing left to clean up under the old name.
        let _ = staged.keep();
        sync_folder(folder);
        if let Some(aside) = old {
            let path = aside.path().to_owned();
            aside.close().map_err(at("remove the former folder, which is now", &path))?;
        }
        Ok(())
    }
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

/// Checks that a folder may be put at `target`.
fn ensure_free(target: &Path, replace: bool) -> Result<(), OutputError> {
    let path = || target.to_owned();
    if !target.exists() {
        return Ok(());
    }
    if !target.is_dir() {
        return Err(OutputError::NotAFolder { path: path() });
    }
    let empty = fs::read_dir(target).map_err(at("read", target))?.next().is_none();
    if empty {
        return Ok(());
    }
    if !replace {
        return Err(OutputError::NotEmpty { path: path() });
    }
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    if here.is_ok_and(|here| here.starts_with(target)) {
        return Err(OutputError::InUse { path: path() });
    }
    Ok(())
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
        StagedFolder::new(&root.path().join("our"), false).unwrap().commit().unwrap();
        fs::create_dir(root.path().join("usually")).unwrap();
        assert_eq!(mode(&root.path().join("our")), mode(&root.path().join("usually")));
    }

    #[test]
    fn problems_are_a_table_of_paths_and_reasons() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("problems.csv");
        let problem = Problem { path: "a/b,c.jpg".to_owned(), reason: "the \"file\" is empty".to_owned() };
        write_problems(&path, std::slice::from_ref(&problem)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "path,reason\n\"a/b,c.jpg\",\"the \"\"file\"\" is empty\"\n");
        let read: Vec<Problem> =
            csv::Reader::from_path(&path).unwrap().deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [problem]);
        write_problems(&path, &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "path,reason\n");
    }

    #[test]
    fn a_folder_appears_only_when_it_is_complete() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("deep/out");
        let staged = StagedFolder::new(&target, false).unwrap();
        fs::create_dir(staged.path().join("data")).unwrap();
        fs::write(staged.path().join("data/a"), b"1").unwrap();
        assert!(!target.exists());
        staged.commit().unwrap();
        assert_eq!(fs::read(target.join("data/a")).unwrap(), b"1");
        assert_eq!(names(&root.path().join("deep")), ["out"]);
    }

    #[test]
    fn a_folder_given_up_leaves_no_trace() {
        let root = tempfile::tempdir().unwrap();
        let staged = StagedFolder::new(&root.path().join("out"), false).unwrap();
        fs::write(staged.path().join("a"), b"1").unwrap();
        drop(staged);
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn what_a_user_has_is_replaced_only_when_asked() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("out");
        fs::create_dir(&target).unwrap();
        // An empty folder is nobody's loss.
        StagedFolder::new(&target, false).unwrap().commit().unwrap();
        fs::write(target.join("mine"), b"1").unwrap();
        let error = StagedFolder::new(&target, false).unwrap_err();
        assert!(matches!(error, OutputError::NotEmpty { .. }) && error.to_string().contains("--force"));
        assert_eq!(names(&target), ["mine"]);

        let staged = StagedFolder::new(&target, true).unwrap();
        fs::write(staged.path().join("new"), b"2").unwrap();
        assert_eq!(names(&target), ["mine"]);
        staged.commit().unwrap();
        assert_eq!(names(&target), ["new"]);
        assert_eq!(names(root.path()), ["out"]);
    }

    #[test]
    fn a_target_that_fills_while_we_write_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("out");
        let staged = StagedFolder::new(&target, false).unwrap();
        fs::create_dir(&target).unwrap();
        fs::write(target.join("mine"), b"1").unwrap();
        assert!(matches!(staged.commit(), Err(OutputError::NotEmpty { .. })));
        assert_eq!(names(&target), ["mine"]);
        assert_eq!(names(root.path()), ["out"]);
    }

    #[test]
    fn a_file_and_the_current_folder_are_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("out");
        fs::write(&file, b"1").unwrap();
        assert!(matches!(StagedFolder::new(&file, true), Err(OutputError::NotAFolder { .. })));
        assert!(matches!(StagedFolder::new(Path::new("."), true), Err(OutputError::InUse { .. })));
        assert!(Path::new("Cargo.toml").exists());
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

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_the_folder_it_leads_to_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        fs::create_dir(&real).unwrap();
        fs::write(real.join("old"), b"1").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let staged = StagedFolder::new(&link, true).unwrap();
        fs::write(staged.path().join("new"), b"2").unwrap();
        staged.commit().unwrap();
        assert!(link.is_symlink());
        assert_eq!((names(&link), names(&real)), (vec!["new".to_owned()], vec!["new".to_owned()]));
    }
}
