//! What is in a tar, from one pass over its headers; the bodies are skipped.

use std::io;
use std::path::Path;

use super::blocks::{Archive, Part};
use super::error::SourceError;

const BLOCK: u64 = 512;

/// Something in a tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name without a leading `./`; as `Err`, with escaped bytes, where that is not UTF-8.
    pub(super) name: Result<String, String>,
    /// What it is.
    pub(super) kind: Kind,
}

/// What something in a tar is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file: the place of its first byte in the archive, and their number.
    File { at: u64, len: u64 },
    /// A folder.
    Folder,
    /// Another name for an earlier file.
    HardLink(String),
    /// Anything else, in words.
    Other(&'static str),
}

/// Whether a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    On,
    Stop,
}

/// Calls `found` for all that is in a tar, in its order. `shown` names the tar in errors.
///
/// # Errors
/// [`SourceError`] for a tar that is compressed, cut off or damaged, for sparse files, and that of `found`.
pub(super) fn members(
    tar: Part<'_>,
    shown: &str,
    found: &mut dyn FnMut(Member) -> Result<Go, SourceError>,
) -> Result<(), SourceError> {
    let damaged = |why: io::Error| SourceError::Damaged { archive: shown.to_owned(), why: why.to_string() };
    let cut_off = |what: String| SourceError::Truncated { archive: shown.to_owned(), what };
    ensure_plain(&tar, shown)?;
    let mut archive = tar::Archive::new(tar);
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let mut entry = entry.map_err(|why| match why.kind() {
            io::ErrorKind::UnexpectedEof => cut_off(format!("a header is missing after byte {end}")),
            // Before the entry is there to be named; the library has looked at its map of holes.
            _ if why.to_string().contains("sparse") => SourceError::Sparse {
                archive: shown.to_owned(),
                member: format!("the file after byte {end}"),
            },
            _ => damaged(why),
        })?;
        let name = text(&entry.path_bytes());
        let named = name.as_ref().unwrap_or_else(|escaped| escaped).clone();
        let sparse = || SourceError::Sparse { archive: shown.to_owned(), member: named.clone() };
        let (at, len) = (entry.raw_file_position(), entry.size());
        let kind = entry.header().entry_type();
        if kind.is_gnu_sparse() {
            return Err(sparse());
        }
        let extended = entry.pax_extensions().map_err(damaged)?;
        if extended.into_iter().flatten().flatten().any(|pair| pair.key_bytes().starts_with(b"GNU.sparse.")) {
            return Err(sparse());
        }
        end =
            len.div_ceil(BLOCK).checked_mul(BLOCK).and_then(|size| size.checked_add(at)).unwrap_or(u64::MAX);
        if at.checked_add(len).is_none_or(|end| end > tar.len) {
            return Err(cut_off(format!("'{named}' goes on after its end")));
        }
        let kind = match kind {
            tar::EntryType::Regular | tar::EntryType::Continuous if named.ends_with('/') => Kind::Folder,
            tar::EntryType::Regular | tar::EntryType::Continuous => Kind::File { at: tar.from + at, len },
            tar::EntryType::Directory => Kind::Folder,
            tar::EntryType::Link => match entry.link_name_bytes().map(|name| text(&name)) {
                Some(Ok(target)) => Kind::HardLink(target),
                _ => Kind::Other("a link whose target is not named in UTF-8"),
            },
            tar::EntryType::Symlink => Kind::Other("a symbolic link in an archive, which is not followed"),
            tar::EntryType::XGlobalHeader => continue,
            _ => Kind::Other("not a regular file"),
        };
        let name = name.map(|name| name.trim_end_matches('/').to_owned());
        if found(Member { name, kind })? == Go::Stop {
            return Ok(());
        }
    }
    // The last body may lack its padding where the end was cut away, and two empty blocks say that all is there.
    let mut block = [0; BLOCK as usize];
    match tar.read_exact_at(&mut block, end) {
        Ok(()) => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Err(cut_off(
            "the empty block that marks its end is missing (if it is known to be whole, `truncate -s +1024` adds one)"
                .to_owned(),
        )),
        Err(why) => Err(damaged(why)),
    }
}

/// The same for a tar of the disk as a whole.
///
/// # Errors
/// As [`members`].
pub(super) fn members_of(
    archive: &Archive,
    found: &mut dyn FnMut(Member) -> Result<Go, SourceError>,
) -> Result<(), SourceError> {
    members(archive.whole(), &archive.path().display().to_string(), found)
}

/// Refuses what is no tar, by name where it is known.
fn ensure_plain(tar: &Part<'_>, shown: &str) -> Result<(), SourceError> {
    let mut block = [0; BLOCK as usize];
    let count = usize::try_from(tar.len.min(BLOCK)).unwrap_or(0);
    tar.read_exact_at(&mut block[..count], 0)
        .map_err(|why| SourceError::Unreadable { path: shown.into(), why })?;
    if let Some(error) = compressed(&block, Path::new(shown)) {
        return Err(error);
    }
    if count < block.len() {
        return Err(SourceError::Truncated {
            archive: shown.to_owned(),
            what: format!("{count} bytes are no tar"),
        });
    }
    Ok(())
}

/// The error for a file that begins as compressed ones do.
pub(super) fn compressed(start: &[u8], path: &Path) -> Option<SourceError> {
    let shown = path.display();
    let (with, command) = match start {
        [0x1f, 0x8b, ..] => ("gzip", format!("gunzip '{shown}'")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", format!("unzstd '{shown}'")),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("xz", format!("unxz '{shown}'")),
        [b'B', b'Z', b'h', ..] => ("bzip2", format!("bunzip2 '{shown}'")),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => ("zip", format!("unzip '{shown}'")),
        _ => return None,
    };
    Some(SourceError::Compressed { path: path.to_owned(), with, command })
}

fn text(bytes: &[u8]) -> Result<String, String> {
    let mut bytes = bytes;
    while let Some(rest) = bytes.strip_prefix(b"./") {
        bytes = rest;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(bytes
            .utf8_chunks()
            .map(|chunk| {
                let escaped: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
                format!("{}{escaped}", chunk.valid())
            })
            .collect()),
    }
}
