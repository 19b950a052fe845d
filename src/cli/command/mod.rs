//! The commands, one a file.

pub(super) mod combine;
pub(super) mod compare;
pub(super) mod completions;
pub(super) mod compress;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod evaluate;
pub(super) mod inspect;
pub(super) mod man;
pub(super) mod merge;
pub(super) mod pack;
pub(super) mod plan;
pub(super) mod profile;
pub(super) mod prune;
pub(super) mod score;

use std::path::Path;

use super::args::DataArgs;
use super::console::Console;
use super::exit::{Failure, Result};
use super::request;
use crate::combine::Manifest;
use crate::fs::{self, Listing, OutputFolder, ReadOptions, Reading, Wanted};
use crate::pipeline::claim::Holding;
use crate::pipeline::data::write_problems;
use crate::pipeline::{Dataset, intact};
use crate::run::Storage as _;
use crate::train::Settings;

/// Reads the manifest of a stored set.
fn read_manifest(file: &Path) -> Result<Manifest> {
    let shown = file.display();
    let bytes =
        fs::read_regular(file).map_err(|why| Failure::input(format!("{shown} cannot be read: {why}")))?;
    Manifest::read(&bytes[..]).map_err(|why| Failure::from(why).context(shown.to_string()))
}

/// Makes sure that a set of ours is as its manifest says; `data` is its folder of images, beside which the manifest lies.
fn ensure_whole(data: &Path, manifest: &Manifest) -> Result<()> {
    let set = match data.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(intact::ensure_whole(&OutputFolder::new(set, [])?, manifest)?)
}

/// Lists and reads a data folder at the size of the settings; the pixels of `wanted` are going to be asked for.
fn load(
    args: &DataArgs,
    settings: &Settings,
    wanted: Wanted,
    seed: u64,
    out: &Path,
    console: &Console,
) -> Result<Dataset> {
    let options = request::read_options(args);
    read(fs::list(&options, seed, console)?, &options, request::reading(settings, wanted), out, console)
}

/// Reads the images of a listing. Where that is refused because of files that were left out, they are listed in `out` all the
/// same, unless something else is there.
fn read(
    listing: Listing,
    options: &ReadOptions,
    reading: Reading,
    out: &Path,
    console: &Console,
) -> Result<Dataset> {
    let ignored = listing.ignored.clone();
    fs::load(listing, options, reading, console).map_err(|error| {
        let folder = OutputFolder::new(out, [options.folder.as_path()]);
        if let Some(folder) =
            folder.ok().filter(|out| Holding::of(out).is_ok_and(|holding| holding.is_empty()))
            && !error.problems().is_empty()
        {
            // The error itself is what matters.
            let written =
                folder.claim().is_ok() && write_problems(error.problems(), &ignored, &folder).is_ok();
            if written {
                console.say(format_args!("all files that were left out: {}", folder.shown("problems.csv")));
            }
        }
        error.into()
    })
}
