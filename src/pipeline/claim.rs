//! The output of a request: which of its files tilepress wrote, what may be replaced, and when.
//!
//! A folder is ours when it holds a file by which tilepress marks it: `manifest.json`, `run.json`, or a report. In such a
//! folder the files that we write are known by their names, and those of a set by its manifest and metadata. Everything else
//! is somebody's: it is never deleted, and `force` is refused as long as it is there.

use std::collections::BTreeSet;

use super::PipelineError;
use crate::combine::{DATA, METADATA, Manifest, TORCHVISION_TRANSFORM_NAME, read_metadata};
use crate::report::words::{bytes, counted};
use crate::run::{Observer, SEALED, Storage, StorageError};

/// File name of a set's manifest, which `compress` and `combine` write first.
pub const MANIFEST: &str = "manifest.json";
/// File name of what all other commands write first.
pub const RUN: &str = "run.json";
/// File name of what a run says while it goes on, where that is asked for. It tells times, so no manifest names it and no two runs
/// write the same.
pub const EVENTS: &str = "events.jsonl";
/// File name of a report.
const REPORT: &str = "report.json";
/// File name of the list of files that were left out, and its first bytes.
const PROBLEMS: &str = "problems.csv";
const PROBLEMS_HEADER: &[u8] = b"path,reason";
/// The names that tilepress gives to files in an output folder, apart from those of a set and of what is kept.
const NAMES: [&str; 15] = [
    MANIFEST,
    RUN,
    REPORT,
    "report.csv",
    "report.html",
    "answers.csv",
    EVENTS,
    "README.md",
    TORCHVISION_TRANSFORM_NAME,
    "classes.json",
    PROBLEMS,
    "scores.csv",
    "selection.csv",
    "training-log.safetensors",
    "student.safetensors",
];
/// A name of earlier versions.
const EARLIER_NAME: &str = "training-log.bin";
/// Folders of files that `compare` keeps, and the endings of those that earlier versions kept there without a seal.
const KEPT: [(&str, &[&str]); 2] = [("training-logs", &[".safetensors", ".bin"]), ("students", &[".json"])];

/// The files of an output, parted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holding {
    /// `true` where a file of tilepress's says that the folder is its own.
    pub marked: bool,
    /// Names of the files that tilepress wrote.
    pub ours: Vec<String>,
    /// Names of all others.
    pub others: Vec<String>,
}

impl Holding {
    /// Parts the files of an output.
    ///
    /// # Errors
    /// [`StorageError`] when it cannot be read.
    pub fn of(out: &dyn Storage) -> Result<Self, StorageError> {
        Self::with(out, false, &|_| false)
    }

    /// Parts the files of an output that may be `marked` by what lies in its folders, where those that `also` is `true` of are
    /// ours, too.
    ///
    /// # Errors
    /// [`StorageError`] when it cannot be read.
    pub fn with(out: &dyn Storage, marked: bool, also: &dyn Fn(&str) -> bool) -> Result<Self, StorageError> {
        let mut all = out.list()?;
        // The list of what was left out is all that a refused run leaves; the next one may begin.
        if all == [PROBLEMS] && read(out, PROBLEMS)?.is_some_and(|file| file.starts_with(PROBLEMS_HEADER)) {
            all.clear();
        }
        let manifest = read(out, MANIFEST)?.and_then(|file| Manifest::read(&file[..]).ok());
        let manifest = manifest.filter(|manifest| manifest.tool.name == env!("CARGO_PKG_NAME"));
        let marked = marked || manifest.is_some() || is_run(out)? || is_report(out)?;
        let of_set = match &manifest {
            Some(manifest) => of_set(out, manifest)?,
            None => BTreeSet::new(),
        };
        let mut holding = Self { marked, ..Self::default() };
        for name in all {
            let known = NAMES.contains(&name.as_str()) || name == EARLIER_NAME || of_set.contains(&name);
            let ours = marked && (known || also(&name) || is_kept(out, &name)?);
            if ours { &mut holding.ours } else { &mut holding.others }.push(name);
        }
        Ok(holding)
    }

    /// `true` for an output without files.
    pub fn is_empty(&self) -> bool {
        self.ours.is_empty() && self.others.is_empty()
    }

    /// The files to delete before something new is written: none of an empty output, those of an earlier run with `force`.
    /// Nothing is deleted yet. `why` says why the earlier run is not continued.
    ///
    /// # Errors
    /// [`PipelineError::Occupied`] without `force`, [`PipelineError::NotOurs`] where files are there that tilepress did not
    /// write.
    pub fn to_replace(&self, out: &dyn Storage, force: bool, why: &str) -> Result<&[String], PipelineError> {
        if self.is_empty() {
            return Ok(&[]);
        }
        let place = out.shown("");
        match self.others.is_empty() {
            // A stranger's folder is none to replace, which the word `force` would suggest.
            false if force || !self.marked => {
                let files = counted(self.others.len() as u64, "file", "files");
                let mut named = named(&self.others);
                // A mark that was spoilt speaks for nobody any more, and is the reason.
                let marks = [MANIFEST, RUN, REPORT]
                    .into_iter()
                    .filter(|mark| self.others.iter().any(|name| name == mark));
                let spoilt: Vec<&str> = marks.collect();
                if !spoilt.is_empty() {
                    named =
                        format!("{named}; its {} cannot be read as tilepress's", spoilt.join(" and its "));
                }
                Err(PipelineError::NotOurs { place, files, named })
            }
            true if force => Ok(&self.ours),
            _ => Err(PipelineError::Occupied { place, why: why.to_owned() }),
        }
    }

    /// Makes sure that going on overwrites nothing of somebody else: neither in the set nor where a run keeps its files.
    ///
    /// # Errors
    /// [`PipelineError::Input`] with the names of the files.
    pub fn ensure_clear(&self, out: &dyn Storage) -> Result<(), PipelineError> {
        let in_the_way = |name: &&String| {
            // A name without `/` where a folder of ours belongs is a link or a file.
            let folder = name.split('/').next().unwrap_or_default();
            folder == DATA || (*name == folder && KEPT.iter().any(|(kept, _)| *kept == folder))
        };
        let names: Vec<String> = self.others.iter().filter(in_the_way).cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        // What belongs to a set that was stopped, this list alone says.
        let list = format!("{DATA}/{METADATA}");
        if names.contains(&list) {
            return Err(PipelineError::Input(format!(
                "{} was changed or cut off, so nobody can tell which files beside it are tilepress's: move what is yours to another \
                 folder, delete the rest of the folder {DATA}, and give the same command again",
                out.shown(&list)
            )));
        }
        Err(PipelineError::Input(format!(
            "{} in {} that tilepress did not write ({}): move what is yours to another folder, and give the same command again",
            counted(names.len() as u64, "file lies", "files lie"),
            out.shown(""),
            named(&names)
        )))
    }
}

/// Deletes the files of an earlier run and marks the output as that of a new one, whose mark it is. The marks go last, so that
/// a folder stays ours if the run is killed here.
///
/// # Errors
/// [`StorageError`].
pub fn replace(out: &dyn Storage, old: &[String], (mark, text): (&str, &[u8])) -> Result<(), StorageError> {
    let is_mark = |name: &&String| [MANIFEST, RUN, REPORT].contains(&name.as_str());
    old.iter().filter(|name| !is_mark(name)).try_for_each(|name| out.remove(name))?;
    out.write(mark, text)?;
    old.iter().filter(|name| is_mark(name) && *name != mark).try_for_each(|name| out.remove(name))
}

/// Makes sure that there is room for what a run writes: `sure` bytes at least, and `likely` where images are photographs.
///
/// # Errors
/// [`PipelineError::Input`] when there is surely not.
pub fn ensure_room(
    out: &dyn Storage,
    (sure, likely): (u64, u64),
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    let Some(room) = out.room() else { return Ok(()) };
    let (place, free) = (out.shown(""), bytes(room));
    if room < sure {
        return Err(PipelineError::Input(format!(
            "`out` {place}: {} are written there at least, and {free} are free: make room, or name a folder on another disk",
            bytes(sure)
        )));
    }
    if room < likely {
        observer.warn(&format!(
            "{place}: about {} will be written there, and {free} are free; when the disk is full the run ends, and goes on \
             after you have made room",
            bytes(likely)
        ));
    }
    Ok(())
}

/// The first few of some names.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 3;
    // The folder at the top says more than the files in it.
    let tops: BTreeSet<&str> =
        names.iter().map(|name| name.split_inclusive('/').next().unwrap_or(name)).collect();
    let shown: Vec<&str> = match tops.len() {
        1 => names.iter().map(String::as_str).take(SHOWN).collect(),
        _ => tops.iter().copied().take(SHOWN).collect(),
    };
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A file that may be a link to nowhere, or anything else that cannot be read: then it is none of ours.
fn read(out: &dyn Storage, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
    if out.has(name) { out.read(name) } else { Ok(None) }
}

fn json(out: &dyn Storage, name: &str) -> Result<serde_json::Value, StorageError> {
    Ok(read(out, name)?.and_then(|file| serde_json::from_slice(&file).ok()).unwrap_or_default())
}

fn is_run(out: &dyn Storage) -> Result<bool, StorageError> {
    const COMMANDS: [&str; 8] =
        ["demo", "compress", "score", "prune", "combine", "evaluate", "compare", "pack"];
    let run = json(out, RUN)?;
    Ok(run["options"]["command"].as_str().is_some_and(|command| COMMANDS.contains(&command)))
}

fn is_report(out: &dyn Storage) -> Result<bool, StorageError> {
    let report = json(out, REPORT)?;
    Ok(report["tool"] == env!("CARGO_PKG_NAME") && report["version"].is_string())
}

/// The files of a set: those of its manifest, and where the run was stopped before that was written those of its metadata.
fn of_set(out: &dyn Storage, manifest: &Manifest) -> Result<BTreeSet<String>, StorageError> {
    let mut files: BTreeSet<String> = manifest.files.keys().cloned().collect();
    let metadata = format!("{DATA}/{METADATA}");
    if let Some(records) = read(out, &metadata)?.and_then(|file| read_metadata(&file[..]).ok()) {
        files.extend(records.iter().map(|record| format!("{DATA}/{}", record.file_name)));
        files.insert(metadata);
    }
    Ok(files)
}

/// `true` for a file that a run kept for its continuation.
fn is_kept(out: &dyn Storage, name: &str) -> Result<bool, StorageError> {
    let Some((folder, file)) = name.split_once('/') else { return Ok(false) };
    let Some((_, endings)) = KEPT.iter().find(|(kept, _)| *kept == folder) else { return Ok(false) };
    let earlier = endings.iter().find_map(|ending| file.strip_suffix(ending)).is_some_and(|stem| {
        let seed = stem.rsplit('-').next().unwrap_or(stem);
        !seed.is_empty() && seed.bytes().all(|byte| byte.is_ascii_digit())
    });
    Ok(earlier || read(out, name)?.is_some_and(|file| file.starts_with(SEALED)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, Faulty as _};
    use crate::run::Silent;
    use crate::run::memory::Memory;

    fn marked(names: &[&str]) -> Memory {
        let out = Memory::default();
        out.write(RUN, br#"{"options":{"command":"score"}}"#).unwrap();
        names.iter().for_each(|name| out.write(name, b"x").unwrap());
        out
    }

    #[test]
    fn a_mark_that_was_spoilt_is_named() {
        let out = Memory::default();
        for name in ["README.md", MANIFEST] {
            out.write(name, b"{").unwrap();
        }
        let error = Holding::of(&out).unwrap().to_replace(&out, false, "it is not empty").unwrap_err();
        assert!(error.to_string().contains("its manifest.json cannot be read"), "{error}");
    }

    #[test]
    fn a_folder_without_a_mark_is_nobodys_of_ours_whatever_its_names_are() {
        let out = Memory::default();
        assert_eq!(Holding::of(&out).unwrap().to_replace(&out, false, "").unwrap(), &[] as &[String]);
        for name in ["README.md", "report.json", "run.json", "manifest.json", "data/cat/1.png"] {
            out.write(name, b"{\"options\": 5, \"tool\": \"other\"}").unwrap();
        }
        for force in [false, true] {
            let error = Holding::of(&out).unwrap().to_replace(&out, force, "").unwrap_err();
            assert!(matches!(error, PipelineError::NotOurs { .. }), "{error}");
            assert_eq!(error.fault(), Fault::Data);
        }
        assert_eq!(out.names().len(), 5);
    }

    #[test]
    fn what_is_replaced_is_ours_and_what_is_not_ours_is_named() {
        let out = marked(&["scores.csv", "students/pca-0.json", "training-logs/7.bin"]);
        let why = "it is not empty";
        let error = Holding::of(&out).unwrap().to_replace(&out, false, why).unwrap_err();
        assert!(error.to_string().contains(why) && error.to_string().contains("`force`"), "{error}");
        let holding = Holding::of(&out).unwrap();
        let old = holding.to_replace(&out, true, why).unwrap();
        assert_eq!(old, ["run.json", "scores.csv", "students/pca-0.json", "training-logs/7.bin"]);
        for name in [".git/HEAD", "notes.txt", "students/notes.json", "data/cat/1.png", "training-logs/a.bin"]
        {
            out.write(name, b"mine").unwrap();
            let error = Holding::of(&out).unwrap().to_replace(&out, true, why).unwrap_err();
            assert!(
                matches!(error, PipelineError::NotOurs { .. }) && error.to_string().contains(name),
                "{error}"
            );
            out.remove(name).unwrap();
        }
        replace(&out, old, (MANIFEST, b"draft")).unwrap();
        assert_eq!(out.names(), [MANIFEST]);
    }

    #[test]
    fn a_folder_stays_ours_when_it_is_killed_while_it_is_emptied() {
        let names = ["classes.json", "problems.csv", "scores.csv"];
        let old = Holding::of(&marked(&names)).unwrap().ours;
        // Deleting cannot fail in memory; the mark that cannot be written stands for the kill.
        let out = marked(&names);
        let full = Memory::failing_after(1);
        full.write("problems.csv", b"x").unwrap();
        full.files.lock().unwrap().append(&mut out.files.lock().unwrap());
        replace(&full, &old, (MANIFEST, b"draft")).unwrap_err();
        assert!(Holding::of(&full).unwrap().marked);
    }

    #[test]
    fn a_disk_that_is_surely_too_small_ends_the_run() {
        let out = Memory::with_room(1000);
        let error = ensure_room(&out, (2000, 3000), &Silent).unwrap_err();
        assert!(error.to_string().contains("make room"), "{error}");
        ensure_room(&out, (500, 3000), &Silent).unwrap();
        ensure_room(&Memory::default(), (2000, 3000), &Silent).unwrap();
    }
}
