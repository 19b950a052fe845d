//! The commands, one a file.

pub(super) mod combine;
pub(super) mod compare;
pub(super) mod completions;
pub(super) mod compress;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod evaluate;
pub(super) mod inspect;
pub(super) mod profile;
pub(super) mod prune;
pub(super) mod score;

use std::path::Path;

use super::args::DataArgs;
use super::console::Console;
use super::exit::Result;
use super::request;
use crate::combine::Manifest;
use crate::fs::{self, OutputFolder};
use crate::pipeline::{Dataset, intact};
use crate::train::Settings;

/// Makes sure that a set of ours is as its manifest says; `data` is its folder of images, beside which the manifest lies.
fn ensure_whole(data: &Path, manifest: &Manifest) -> Result<()> {
    let set = match data.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(intact::ensure_whole(&OutputFolder::new(set, [])?, manifest)?)
}

/// Lists and reads a data folder at the size of the settings.
fn load(args: &DataArgs, settings: &Settings, seed: u64, console: &Console) -> Result<Dataset> {
    Ok(fs::read_folder(&request::read_options(args), request::reading(settings), seed, console)?)
}
