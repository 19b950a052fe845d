//! Inputs and outputs apart: nothing that a run reads may lie where it writes and deletes, whatever links lead there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::output::{OutputError, at};
use super::tree::inputs;

/// Checks that writing, or replacing, `out` cannot touch `data`, and that the output will not be read as part of the data the
/// next time. `data` is a folder, a file, or a pattern or an `_info.json` that stands for several; links in it are followed, as they are when it is read.
///
/// # Errors
/// [`OutputError::Overlap`] and [`OutputError::Within`]; [`OutputError::Io`] where a path cannot be followed.
pub fn ensure_apart(data: &Path, out: &Path) -> Result<(), OutputError> {
    inputs(data).iter().try_for_each(|input| apart(input, out))
}

fn apart(data: &Path, out: &Path) -> Result<(), OutputError> {
    let (real_data, real_out) = (resolve(data)?, resolve(out)?);
    if real_data.is_file() {
        // A file may lie beside its results in a common folder, but not among them.
        return if lies_in(&real_data, &real_out) {
            Err(OutputError::Within { out: out.to_owned(), file: data.to_owned() })
        } else {
            Ok(())
        };
    }
    let overlap = || OutputError::Overlap { out: out.to_owned(), data: data.to_owned() };
    if lies_in(&real_data, &real_out) || lies_in(&real_out, &real_data) {
        return Err(overlap());
    }
    // The same folder under another path, as bind mounts give it.
    let folders = identities(&real_out);
    for entry in WalkDir::new(&real_data).follow_links(true) {
        // What cannot be followed, such as a loop, cannot be read either, which is for the reader to say.
        let Ok(entry) = entry else { continue };
        let is_folder = entry.file_type().is_dir();
        if !entry.path_is_symlink() {
            if is_folder && identity(entry.path()).is_some_and(|own| folders.contains(&own)) {
                return Err(overlap());
            }
            continue;
        }
        let Ok(real) = entry.path().canonicalize() else { continue };
        if lies_in(&real, &real_out) || (is_folder && lies_in(&real_out, &real)) {
            return Err(OutputError::Linked { out: out.to_owned(), link: entry.path().to_owned() });
        }
    }
    Ok(())
}

/// `true` where `inner` is `outer` or lies in it.
fn lies_in(inner: &Path, outer: &Path) -> bool {
    if inner.starts_with(outer) {
        return true;
    }
    let own = identity(outer);
    own.is_some() && inner.ancestors().any(|above| identity(above) == own)
}

/// Identities of a folder and of all folders in it.
fn identities(folder: &Path) -> BTreeSet<(u64, u64)> {
    let entries = WalkDir::new(folder).into_iter().flatten();
    entries.filter(|entry| entry.file_type().is_dir()).filter_map(|entry| identity(entry.path())).collect()
}

/// Device and number of a file or folder, by which the system knows it whatever its path; `None` where there are no such.
fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
    }
    #[cfg(not(unix))]
    {
        // Canonical paths have to do.
        let _ = fs::metadata(path);
        None
    }
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

    #[test]
    fn a_file_to_read_may_lie_beside_the_output_and_not_in_it() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("out/deep/scores.csv");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        let error = ensure_apart(&file, &root.path().join("out")).unwrap_err();
        assert!(
            error.to_string().contains("scores.csv' lies in") && error.to_string().contains("move it"),
            "{error}"
        );
        ensure_apart(&file, &root.path().join("out/other")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_from_the_data_into_the_output_are_found_however_they_go() {
        use std::os::unix::fs::symlink;

        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("out/originals/cat")).unwrap();
        fs::write(path("out/originals/cat/1.png"), "").unwrap();
        fs::create_dir_all(path("data/dog")).unwrap();
        ensure_apart(&path("data"), &path("out")).unwrap();
        // A class, a single image, and a link to a link.
        for (link, target) in
            [("data/cat", "out/originals/cat"), ("data/dog/1.png", "out/originals/cat/1.png")]
        {
            symlink(path(target), path(link)).unwrap();
            let error = ensure_apart(&path("data"), &path("out")).unwrap_err();
            assert!(
                matches!(&error, OutputError::Linked { .. }) && error.to_string().contains(link),
                "{error}"
            );
            fs::remove_file(path(link)).unwrap();
        }
        symlink(path("out/originals"), path("step")).unwrap();
        symlink(path("step/cat"), path("data/cat")).unwrap();
        assert!(ensure_apart(&path("data"), &path("out")).is_err());
        fs::remove_file(path("data/cat")).unwrap();
        // The output, or the data as a whole, is the link.
        symlink(path("data"), path("new")).unwrap();
        assert!(ensure_apart(&path("data"), &path("new")).is_err());
        assert!(ensure_apart(&path("new/dog"), &path("data")).is_err());
        // A loop is no reason to stop here.
        symlink(path("data"), path("data/again")).unwrap();
        ensure_apart(&path("data"), &path("out")).unwrap();
    }
}
