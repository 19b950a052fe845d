//! Tars of images: one of a labelled folder, one of tars, or several that are splits, classes or parts of one tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::blocks::Archive;
use super::error::SourceError;
use super::packed::{Builder, Packed};
use super::tar::{Go, Kind, Member, members, members_of};
use crate::data::{is_junk, split_name};

/// Adds a tar under `prefix`, and the tars in it in place of themselves. Returns the number of those.
///
/// # Errors
/// [`SourceError`].
pub(super) fn add(to: &mut Builder, path: &Path, number: usize, prefix: &str) -> Result<usize, SourceError> {
    let archive = Archive::open(path, number)?;
    let own = to.next_archive();
    let mut inner = Vec::new();
    members_of(&archive, &mut |member| {
        let is_tar = |name: &String| has_extension(name, "tar") && !is_junk(name);
        match (&member.name, &member.kind) {
            (Ok(name), Kind::File { at, len }) if is_tar(name) => inner.push((name.clone(), *at, *len)),
            _ => to.member(member, prefix, own),
        }
        Ok(Go::On)
    })?;
    for (path_in, at, len) in &inner {
        let stem = &path_in[..path_in.len() - ".tar".len()];
        let shown = format!("{path_in}' in '{}", path.display());
        let mut within = Vec::new();
        members(archive.whole().part(*at, *len), &shown, &mut |member| {
            within.push(member);
            Ok(Go::On)
        })?;
        // A tar of a folder of its own name, or of what is in that.
        let name = stem.rsplit('/').next().unwrap_or(stem);
        let is_top = |path: &String| path.is_empty() || path.split('/').next() == Some(name);
        let wrapped =
            !within.is_empty() && within.iter().all(|member| member.name.as_ref().is_ok_and(is_top));
        let around = if wrapped { &stem[..stem.len() - name.len()] } else { &format!("{stem}/") };
        let prefix = format!("{prefix}{around}");
        if within.is_empty() {
            to.member(Member { name: Ok(String::new()), kind: Kind::Folder }, &prefix, own);
        }
        within.into_iter().for_each(|member| to.member(member, &prefix, own));
    }
    to.archive(archive);
    Ok(inner.len())
}

/// The tree of several tars, and in words what they were taken for.
///
/// # Errors
/// [`SourceError`].
pub(super) fn tree(place: &Path, files: &[PathBuf]) -> Result<(Packed, String), SourceError> {
    let mut to = Builder::default();
    if let [file] = files {
        let inner = add(&mut to, file, 0, "")?;
        let what = if inner == 0 { "a tar of images".to_owned() } else { format!("a tar of {inner} tars") };
        return Ok((to.finish(place.to_owned(), false)?, format!("{what}, read in place")));
    }
    let stems: Vec<String> = files
        .iter()
        .map(|file| file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    // `train.tar` and `val.tar`; one of each, as several of one split are parts that have paths of their own.
    let splits: Vec<Option<&str>> = stems.iter().map(|stem| split_name(stem)).collect();
    let distinct: BTreeSet<_> = splits.iter().flatten().collect();
    let of_splits = distinct.len() == files.len();
    let mut what = if of_splits { "tars of splits" } else { "tars that are parts of one folder" };
    for (number, (file, stem)) in files.iter().zip(&stems).enumerate() {
        let tops = tops(file, number)?;
        let prefix = match splits[number] {
            Some(split) if of_splits => {
                if tops.iter().any(|top| split_name(top) == Some(split)) {
                    String::new()
                } else {
                    format!("{split}/")
                }
            }
            // A class, as in the parts of ImageNet's training tar.
            _ if tops.is_empty() => {
                what = "tars of one class each";
                format!("{stem}/")
            }
            _ => String::new(),
        };
        add(&mut to, file, number, &prefix)?;
    }
    Ok((to.finish(place.to_owned(), false)?, format!("{} {what}, read in place", files.len())))
}

/// The first folders of a tar's files.
fn tops(file: &Path, number: usize) -> Result<BTreeSet<String>, SourceError> {
    let archive = Archive::open(file, number)?;
    let mut tops = BTreeSet::new();
    members_of(&archive, &mut |member| {
        if let (Ok(name), Kind::File { .. }) = (&member.name, &member.kind)
            && !is_junk(name)
        {
            let top = name.split_once('/').map(|(top, _)| top);
            // A tar in it holds a class.
            let top = top.or_else(|| has_extension(name, "tar").then_some(name.as_str()));
            tops.extend(top.map(str::to_owned));
        }
        Ok(Go::On)
    })?;
    Ok(tops)
}

/// `true` for a name with this extension, in any case.
pub(super) fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, own)| !stem.is_empty() && own.eq_ignore_ascii_case(extension))
}
