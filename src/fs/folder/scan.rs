//! Lists the files of a folder on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::FolderError;
use crate::data::{Problem, is_junk};

/// The files of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Paths relative to the folder, with `/` between their parts, in byte order.
    pub paths: Vec<String>,
    /// Folders without any file in them or in their folders, in byte order.
    pub empty: Vec<String>,
    /// Entries that are counted and left out: loops of links, files that are not regular ones, names that are not UTF-8 (with
    /// the bytes that are not escaped). In byte order of the paths.
    pub problems: Vec<Problem>,
}

/// Lists the files of a folder and the folders within it. Symbolic links are followed; one that leads
/// back to a folder it lies in is reported and not entered. What systems leave behind may be unreadable.
///
/// # Errors
/// When `root` or a folder in it cannot be listed, a link leads nowhere, or the name of a folder is not UTF-8: otherwise
/// classes would be missing without a word.
pub fn scan(root: &Path) -> Result<Scan, FolderError> {
    let unreadable = |why: std::io::Error| FolderError::Unreadable { path: root.to_owned(), why };
    let about = fs::metadata(root).map_err(unreadable)?;
    if !about.is_dir() {
        return Err(FolderError::NotAFolder { path: root.to_owned() });
    }
    fs::read_dir(root).map_err(unreadable)?;

    let mut found = Scan::default();
    let mut empty = BTreeSet::new();
    for entry in WalkDir::new(root).follow_links(true).min_depth(1).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => match relative(root, entry.path()) {
                Ok(path) => {
                    empty.insert(path);
                }
                Err(path) if is_junk(&path) => {}
                Err(path) => return Err(FolderError::FolderName { path }),
            },
            Ok(entry) => match relative(root, entry.path()) {
                Ok(path) => {
                    for (at, _) in path.match_indices('/') {
                        empty.remove(&path[..at]);
                    }
                    if entry.file_type().is_file() {
                        found.paths.push(path);
                    } else if !is_junk(&path) {
                        found.problems.push(Problem { path, reason: "not a regular file".to_owned() });
                    }
                }
                Err(path) if is_junk(&path) => {}
                Err(path) => {
                    let reason = "the name is not UTF-8; rename the file".to_owned();
                    found.problems.push(Problem { path, reason });
                }
            },
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let shown = relative(root, &path).unwrap_or_else(|escaped| escaped);
                if is_junk(&shown) {
                    continue;
                }
                if error.loop_ancestor().is_some() {
                    let reason = "a link to a folder it lies in; not followed".to_owned();
                    found.problems.push(Problem { path: shown, reason });
                    continue;
                }
                let why = error.into_io_error().unwrap_or_else(|| std::io::Error::other("unknown"));
                return Err(match fs::read_link(&path) {
                    Ok(to) if why.kind() == std::io::ErrorKind::NotFound => {
                        FolderError::BrokenLink { path, to }
                    }
                    _ => FolderError::ReadFailed { path, why },
                });
            }
        }
    }
    // Of folders within each other only the outermost counts.
    let outermost = |path: &&String| !path.match_indices('/').any(|(at, _)| empty.contains(&path[..at]));
    found.empty = empty.iter().filter(outermost).cloned().collect();
    found.paths.sort_unstable();
    found.problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A path as [`Sample`](crate::data::Sample) writes it; as `Err`, with escaped bytes, where it is not UTF-8.
fn relative(root: &Path, path: &Path) -> Result<String, String> {
    let path = path.strip_prefix(root).unwrap_or(path);
    let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| {
        let chunks = path.as_os_str().as_encoded_bytes().utf8_chunks();
        chunks
            .map(|chunk| {
                let bytes: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
                format!("{}{bytes}", chunk.valid())
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{JPEG, tree};
    use super::*;

    #[test]
    fn a_folder_is_listed_in_byte_order() {
        let root = tree(&[("b/2.jpg", b""), ("b/10.jpg", b""), ("a/x/y.png", b""), ("B.txt", b"")]);
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["B.txt", "a/x/y.png", "b/10.jpg", "b/2.jpg"]);
        assert_eq!(found.problems, []);
    }

    #[test]
    fn what_is_no_folder_is_named() {
        let root = tree(&[("a.txt", b"")]);
        let error = scan(&root.path().join("a.txt")).unwrap_err().to_string();
        assert!(error.contains("a.txt' is a file; give the folder"), "{error}");
        let error = scan(&root.path().join("missing")).unwrap_err().to_string();
        assert!(error.contains("missing'"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_reported() {
        use std::os::unix::fs::symlink;

        let root = tree(&[("cat/1.jpg", JPEG)]);
        let elsewhere = tree(&[("2.jpg", JPEG)]);
        symlink(elsewhere.path(), root.path().join("dog")).unwrap();
        symlink(root.path(), root.path().join("cat/loop")).unwrap();
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["cat/1.jpg", "dog/2.jpg"]);
        assert_eq!(found.problems[0].path, "cat/loop");
        assert!(found.problems[0].reason.starts_with("a link to a folder it lies in"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_ends_the_listing_unless_it_is_junk() {
        use std::os::unix::fs::symlink;

        let root = tree(&[("cat/1.jpg", JPEG), ("dog/1.jpg", JPEG), ("lost+found/1.jpg", b"")]);
        symlink("nowhere", root.path().join("lost+found/x")).unwrap();
        symlink("nowhere", root.path().join("cat/.#1.jpg")).unwrap();
        assert_eq!(scan(root.path()).unwrap().problems, []);
        for broken in ["bird", "cat/2.jpg"] {
            let link = root.path().join(broken);
            symlink("nowhere", &link).unwrap();
            let error = scan(root.path()).unwrap_err().to_string();
            assert!(error.contains(broken) && error.contains("a link to 'nowhere'"), "{error}");
            fs::remove_file(link).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_whose_name_is_not_utf8_is_counted_and_such_a_folder_ends_the_listing() {
        use std::os::unix::ffi::OsStrExt as _;

        let root = tree(&[("cat/1.jpg", JPEG)]);
        let named = |bytes| root.path().join(std::ffi::OsStr::from_bytes(bytes));
        fs::write(named(b"cat/\xff.jpg"), JPEG).unwrap();
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["cat/1.jpg"]);
        assert_eq!(found.problems[0].path, "cat/\\xff.jpg");
        assert!(found.problems[0].reason.contains("not UTF-8"));
        fs::create_dir(named(b"d\xfeg")).unwrap();
        let error = scan(root.path()).unwrap_err().to_string();
        assert!(error.contains("'d\\xfeg' is not UTF-8"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_counted_and_never_opened() {
        let root = tree(&[("cat/1.jpg", JPEG), ("cat/folder.jpg/2.jpg", JPEG)]);
        let pipe = root.path().join("cat/pipe.jpg");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let found = scan(root.path()).unwrap();
        assert_eq!(found.paths, ["cat/1.jpg", "cat/folder.jpg/2.jpg"]);
        assert_eq!(
            found.problems,
            [Problem { path: "cat/pipe.jpg".into(), reason: "not a regular file".into() }]
        );
        let error = crate::fs::read_regular(&pipe).unwrap_err();
        assert!(error.to_string().contains("it is a pipe"), "{error}");
    }

    #[test]
    fn folders_without_files_are_listed_by_the_outermost() {
        let root = tree(&[("cat/1.jpg", JPEG)]);
        for folder in ["dog", "bird/a/b", "cat/x"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        assert_eq!(scan(root.path()).unwrap().empty, ["bird", "cat/x", "dog"]);
    }
}
