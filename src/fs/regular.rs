//! Reading files, and nothing that only looks like one: a pipe would be waited for, a device would never end.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::data::ensure_relative;

/// Opens a file of a folder, which must be a regular one or a link to one.
///
/// # Errors
/// The system's error, and one of kind [`InvalidInput`](io::ErrorKind::InvalidInput) that says what it is instead.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Before it is opened: a pipe that nobody writes to is not open before somebody does.
    ensure_regular(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    ensure_regular(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a file of a folder, which must be a regular one or a link to one.
///
/// # Errors
/// The errors of [`open_regular`].
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open_regular(path)?, &mut bytes)?;
    Ok(bytes)
}

/// The same for a file of at most `most` bytes.
///
/// # Errors
/// The errors of [`open_regular`]; one of kind [`FileTooLarge`](io::ErrorKind::FileTooLarge) for a larger file.
pub(super) fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let size = fs::metadata(path)?.len();
    if size > most {
        let text = format!("a file of {size} bytes exceeds the limit of {most}");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    read_regular(path)
}

/// Opens a file that the user named. A pipe may be one that a shell made, as in `--scores <(zcat scores.csv.gz)`, but
/// not one that lies in a folder, where it may never be written to.
///
/// # Errors
/// The errors of [`open_regular`].
pub fn open_named(path: &Path) -> io::Result<File> {
    let of_shell = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|place| path.starts_with(place));
    if of_shell && is_pipe(&fs::metadata(path)?) { File::open(path) } else { open_regular(path) }
}

/// The bytes of a file that the user named.
///
/// # Errors
/// The errors of [`open_named`].
pub fn read_named(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut open_named(path)?, &mut bytes)?;
    Ok(bytes)
}

/// The bytes of a file by its relative path in a folder. Links are followed as long as they lead to a place in that folder.
///
/// # Errors
/// The errors of [`open_regular`]; one of kind [`InvalidInput`](io::ErrorKind::InvalidInput) for a path or a link that leads
/// out of the folder.
pub(super) fn read_inside(folder: &Path, path: &str) -> io::Result<Vec<u8>> {
    ensure_relative(path).map_err(|why| invalid(why.to_string()))?;
    let whole = folder.join(path);
    if !whole.canonicalize()?.starts_with(folder.canonicalize()?) {
        return Err(invalid("it is a link that leads out of its folder".to_owned()));
    }
    read_regular(&whole)
}

fn ensure_regular(about: &fs::Metadata) -> io::Result<()> {
    let kind = about.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() {
        "a folder"
    } else if is_pipe(about) {
        "a pipe"
    } else {
        "a device or a socket"
    };
    Err(invalid(format!("it is {what}, not a file")))
}

#[cfg(unix)]
fn is_pipe(about: &fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&about.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_about: &fs::Metadata) -> bool {
    false
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn reason(result: io::Result<Vec<u8>>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_is_not_read_and_said_to_be_what_it_is() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink(&pipe, root.path().join("link")).unwrap();
        symlink("/dev/zero", root.path().join("zero")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        for (name, what) in [
            ("pipe", "it is a pipe, not a file"),
            ("link", "it is a pipe, not a file"),
            ("zero", "it is a device or a socket, not a file"),
            ("socket", "it is a device or a socket, not a file"),
            (".", "it is a folder, not a file"),
        ] {
            assert_eq!(reason(read_regular(&root.path().join(name))), what, "{name}");
            assert_eq!(reason(read_named(&root.path().join(name))), what, "{name}");
        }
        let missing = read_regular(&root.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_read_from_inside_its_folder_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("set");
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("a/1"), b"inside").unwrap();
        fs::write(root.path().join("secret"), b"outside").unwrap();
        symlink("a/1", folder.join("near")).unwrap();
        symlink(root.path().join("secret"), folder.join("far")).unwrap();
        symlink(root.path(), folder.join("up")).unwrap();
        symlink(&folder, root.path().join("alias")).unwrap();
        assert_eq!(read_inside(&folder, "a/1").unwrap(), b"inside");
        assert_eq!(read_inside(&folder, "near").unwrap(), b"inside");
        assert_eq!(read_inside(&root.path().join("alias"), "a/1").unwrap(), b"inside");
        let secret = root.path().join("secret");
        for path in ["../secret", "far", "up/secret", secret.to_str().unwrap(), "", "a/../../secret"] {
            let error = read_inside(&folder, path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}: {error}");
        }
        assert_eq!(read_inside(&folder, "none").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
