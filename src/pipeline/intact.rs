//! Whether a stored set is what its manifest says: every file there, unchanged, and no image beside them.

use super::PipelineError;
use crate::combine::{CARD, DATA, METADATA, Manifest};
use crate::data::ContentHash;
use crate::parallel;
use crate::report::words::counted;
use crate::run::Storage;

/// Compares the files of a set with the hashes of its manifest, but for the card, which is the user's to edit. Gives the names of
/// the files that are missing.
///
/// # Errors
/// [`PipelineError::Input`], which names the first file that was changed or does not belong to the set;
/// [`PipelineError::Storage`] where one cannot be read.
pub fn ensure_unchanged(out: &dyn Storage, manifest: &Manifest) -> Result<Vec<String>, PipelineError> {
    ensure_equal(out, manifest, &|name| name != CARD)
}

/// The names of the files that are missing, where none of those that `count` was changed.
fn ensure_equal(
    out: &dyn Storage,
    manifest: &Manifest,
    count: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<String>, PipelineError> {
    let prefix = format!("{DATA}/");
    let files: Vec<(&String, &ContentHash)> = manifest.files.iter().collect();
    let found = parallel::map(&files, |_, (name, hash)| {
        let equal = |bytes: Vec<u8>| !count(name) || ContentHash::of(&bytes) == **hash;
        Ok::<_, PipelineError>(out.read(name)?.map(equal))
    });
    let (mut missing, mut changed) = (Vec::new(), Vec::new());
    for ((name, _), found) in files.iter().zip(found) {
        match found? {
            None => missing.push((*name).clone()),
            Some(false) => changed.push((*name).clone()),
            Some(true) => {}
        }
    }
    if let Some(first) = changed.first() {
        return Err(PipelineError::Input(format!(
            "{} since the set was made (its {} knows them): {}{}; delete what was changed and give the command that made the \
             set again, or fetch the set anew",
            counted(changed.len() as u64, "file was changed or cut off", "files were changed or cut off"),
            super::claim::MANIFEST,
            out.shown(first),
            more(&changed)
        )));
    }
    let others = out.list()?.into_iter();
    let others: Vec<String> = others
        .filter(|name| name.starts_with(&prefix) && !manifest.files.contains_key(name) && is_image(name))
        .collect();
    if let Some(first) = others.first() {
        return Err(PipelineError::Input(format!(
            "{} not belong to the set (its {} does not know them): {}{}; move what is yours to another folder",
            counted(others.len() as u64, "image does", "images do"),
            super::claim::MANIFEST,
            out.shown(first),
            more(&others)
        )));
    }
    Ok(missing)
}

/// The same for a set that is about to be used: nothing may be missing.
///
/// # Errors
/// The errors of [`ensure_unchanged`]; [`PipelineError::Input`] for a set that is unfinished or lacks a file.
pub fn ensure_whole(out: &dyn Storage, manifest: &Manifest) -> Result<(), PipelineError> {
    let place = out.shown("");
    if manifest.files.is_empty() {
        return Err(PipelineError::Input(format!(
            "the set in {place} is unfinished: give the command that made it again, which goes on where it was stopped"
        )));
    }
    // What students learn from; the other files describe it.
    let count = |name: &str| name.starts_with(&format!("{DATA}/"));
    let mut missing = ensure_equal(out, manifest, &count)?;
    missing.retain(|name| count(name));
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(PipelineError::Input(format!(
            "{} missing: {}{}; give the command that made the set again, or fetch the set anew",
            counted(missing.len() as u64, "file of the set is", "files of the set are"),
            out.shown(first),
            more(&missing)
        ))),
    }
}

fn more(names: &[String]) -> &'static str {
    if names.len() > 1 { ", …" } else { "" }
}

/// `true` for a name that a reader of image folders takes for an image.
fn is_image(name: &str) -> bool {
    const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "ppm"];
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    name != format!("{DATA}/{METADATA}") && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::Format;
    use crate::data::{ClassMap, Fit, Grid};
    use crate::pipeline::set::{self, SetFacts, Style};
    use crate::run::memory::Memory;

    fn set() -> (Memory, Manifest) {
        let classes = ClassMap::new(["ant", "bee"].map(str::to_owned));
        let style = Style { fit: Fit::Squash, format: Format::Png };
        let spec = set::spec(&classes, Grid::TWO, 1, 16, style);
        let (out, mut manifest) = (Memory::default(), set::draft(spec, SetFacts::default(), &[]));
        for name in ["data/ant/0000.png", "data/bee/0000.png", "data/metadata.jsonl", "transform.py", CARD] {
            out.write(name, name.as_bytes()).unwrap();
            manifest.files.insert(name.to_owned(), ContentHash::of(name.as_bytes()));
        }
        (out, manifest)
    }

    #[test]
    fn a_whole_set_is_whole_and_its_card_may_be_edited() {
        let (out, manifest) = set();
        out.write("README.md", b"my own words").unwrap();
        out.write("notes.png", b"not in data").unwrap();
        out.write("data/.DS_Store", b"").unwrap();
        ensure_whole(&out, &manifest).unwrap();
    }

    #[test]
    fn what_is_changed_swapped_missing_or_foreign_is_named() {
        type Change = fn(&Memory);
        let changes: [(Change, &str); 5] = [
            (|out| out.write("data/bee/0000.png", b"data/bee/0000.pn").unwrap(), "data/bee/0000.png"),
            (|out| out.write("data/ant/0000.png", b"data/bee/0000.png").unwrap(), "data/ant/0000.png"),
            (|out| out.write("data/metadata.jsonl", b"").unwrap(), "data/metadata.jsonl"),
            (|out| out.remove("data/ant/0000.png").unwrap(), "missing: memory/data/ant/0000.png"),
            (|out| out.write("data/bee/9.JPG", b"mine").unwrap(), "data/bee/9.JPG"),
        ];
        for (change, named) in changes {
            let (out, manifest) = set();
            change(&out);
            let error = ensure_whole(&out, &manifest).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let (out, manifest) = set();
        out.write("transform.py", b"import os").unwrap();
        ensure_whole(&out, &manifest).unwrap();
        let error = ensure_unchanged(&out, &manifest).unwrap_err().to_string();
        assert!(error.contains("memory/transform.py"), "{error}");
        let (out, mut manifest) = set();
        out.remove("data/ant/0000.png").unwrap();
        assert_eq!(ensure_unchanged(&out, &manifest).unwrap(), ["data/ant/0000.png"]);
        manifest.files.clear();
        assert!(ensure_whole(&out, &manifest).unwrap_err().to_string().contains("unfinished"));
    }
}
