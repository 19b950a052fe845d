//! A tree of files that lie in archives, each a run of bytes that is read by its place.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::super::folder::error::FolderError;
use super::super::folder::scan::Scan;
use super::Tree;
use super::blocks::Archive;
use super::error::SourceError;
use super::tar::{Kind, Member};
use crate::data::{Problem, ensure_relative, is_junk};

/// A file of a packed tree.
#[derive(Clone, Debug)]
struct Item {
    path: Box<str>,
    /// Place of its first byte in its archive, and their number.
    at: u64,
    len: u64,
    archive: u32,
}

/// Files in uncompressed archives. The index takes about a hundred bytes a file.
#[derive(Debug)]
pub(super) struct Packed {
    place: PathBuf,
    archives: Vec<Archive>,
    /// In byte order of the paths.
    items: Vec<Item>,
    empty: Vec<String>,
    problems: Vec<Problem>,
}

impl Packed {
    fn find(&self, path: &str) -> Option<&Item> {
        let at = self.items.binary_search_by(|item| (*item.path).cmp(path)).ok()?;
        Some(&self.items[at])
    }
}

impl Tree for Packed {
    fn scan(&self) -> Result<Scan, FolderError> {
        Ok(Scan {
            paths: self.items.iter().map(|item| item.path.to_string()).collect(),
            empty: self.empty.clone(),
            problems: self.problems.clone(),
        })
    }

    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        let item = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        if item.len > most {
            let text = format!("a file of {} bytes exceeds the limit of {most}", item.len);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let mut bytes = vec![0; usize::try_from(item.len).map_err(io::Error::other)?];
        self.archives[item.archive as usize].read_exact_at(&mut bytes, item.at)?;
        Ok(bytes)
    }

    fn size(&self, path: &str) -> Option<u64> {
        Some(self.find(path)?.len)
    }

    fn place(&self, path: &str) -> PathBuf {
        match self.find(path) {
            Some(item) => self.archives[item.archive as usize].path().join(path),
            // Joining an empty path would append a separator.
            None if path.is_empty() => self.place.clone(),
            None => self.place.join(path),
        }
    }

    fn name(&self) -> String {
        name_of_source(&self.place)
    }
}

/// Name of a data set by its archive, or for a pattern by the folder of its files.
pub(super) fn name_of_source(place: &Path) -> String {
    let stem = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if place.is_file() && !stem.starts_with('_') && stem != "info" {
        return stem;
    }
    let folder = if place.is_dir() { place } else { place.parent().unwrap_or(place) };
    super::name_of(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}

/// A packed tree that is being put together.
#[derive(Debug, Default)]
pub(super) struct Builder {
    archives: Vec<Archive>,
    items: Vec<Item>,
    links: Vec<Link>,
    folders: BTreeSet<String>,
    problems: Vec<Problem>,
}

/// Another name for a file of the same archive.
#[derive(Debug)]
struct Link {
    path: String,
    to: String,
    archive: u32,
}

impl Builder {
    /// The number that the next archive gets.
    pub(super) fn next_archive(&self) -> u32 {
        self.archives.len() as u32
    }

    /// Takes an archive in, and gives its number.
    pub(super) fn archive(&mut self, archive: Archive) -> u32 {
        self.archives.push(archive);
        self.archives.len() as u32 - 1
    }

    /// Adds what stands in a tar, under the folder `prefix`, which is empty or ends with `/`.
    pub(super) fn member(&mut self, member: Member, prefix: &str, archive: u32) {
        let name = match member.name {
            Ok(name) => format!("{prefix}{name}"),
            Err(escaped) => {
                return self.problem(format!("{prefix}{escaped}"), "the name is not UTF-8; rename the file");
            }
        };
        match member.kind {
            Kind::Folder => {
                let folder = name.trim_end_matches('/');
                if ensure_relative(folder).is_ok() {
                    self.folders.insert(folder.to_owned());
                }
            }
            Kind::File { at, len } => self.file(name, archive, at, len),
            Kind::HardLink(target) => {
                self.links.push(Link { path: name, to: format!("{prefix}{target}"), archive });
            }
            Kind::Other(what) => self.problem(name, what),
        }
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: String, archive: u32, at: u64, len: u64) {
        match ensure_relative(&path) {
            Ok(()) => self.items.push(Item { path: path.into(), at, len, archive }),
            Err(why) => self.problem(path, format!("a name that is not used: {why}")),
        }
    }

    /// Lists something that is left out.
    pub(super) fn problem(&mut self, path: String, reason: impl Into<String>) {
        // A name that leads upwards begins with a dot, too, and is nobody's hidden file.
        if !is_junk(&path) || path.split(['/', '\\']).any(|part| part == "..") {
            self.problems.push(Problem { path, reason: reason.into() });
        }
    }

    /// The tree at `place`. Where a tar has a name twice, the later file has taken the place of the earlier, as it is when the
    /// tar is unpacked; with `unique` that is an error, too.
    ///
    /// # Errors
    /// [`SourceError::Twice`] for a file that is in two archives.
    pub(super) fn finish(mut self, place: PathBuf, unique: bool) -> Result<Packed, SourceError> {
        self.resolve_links();
        let Self { archives, mut items, folders, mut problems, .. } = self;
        // Stable: of equal paths the later comes last.
        items.sort_by(|a, b| a.path.cmp(&b.path));
        for pair in items.windows(2) {
            if pair[0].path == pair[1].path && (unique || pair[0].archive != pair[1].archive) {
                let shown = |item: &Item| archives[item.archive as usize].path().display().to_string();
                let (one, other) = (shown(&pair[0]), shown(&pair[1]));
                return Err(SourceError::Twice { path: pair[0].path.to_string(), one, other });
            }
        }
        items.dedup_by(|later, earlier| {
            let same = later.path == earlier.path;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        items.shrink_to_fit();
        let with_files = |folder: &String| {
            let inside = format!("{folder}/");
            let at = items.partition_point(|item| *item.path < *inside);
            items.get(at).is_some_and(|item| item.path.starts_with(&inside))
        };
        let none: BTreeSet<&String> = folders.iter().filter(|folder| !with_files(folder)).collect();
        let outermost = |folder: &&&String| {
            !folder.match_indices('/').any(|(at, _)| none.contains(&folder[..at].to_owned()))
        };
        let empty = none.iter().filter(outermost).map(|folder| (*folder).clone()).collect();
        problems.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Packed { place, archives, items, empty, problems })
    }

    /// Gives every link the bytes of its file.
    fn resolve_links(&mut self) {
        let links = std::mem::take(&mut self.links);
        if links.is_empty() {
            return;
        }
        let mut files: HashMap<(u32, String), (u64, u64)> = self
            .items
            .iter()
            .map(|item| ((item.archive, item.path.to_string()), (item.at, item.len)))
            .collect();
        for Link { path, to, archive } in links {
            // A link to a link stands behind it.
            match files.get(&(archive, to)).copied() {
                Some((at, len)) => {
                    files.insert((archive, path.clone()), (at, len));
                    self.file(path, archive, at, len);
                }
                None => self.problem(path, "a link to a file that does not stand before it in the archive"),
            }
        }
    }
}
