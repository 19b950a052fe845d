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
use super::exit::{Failure, Result};
use super::request;
use crate::combine::Manifest;
use crate::fs;
use crate::pipeline::Dataset;
use crate::train::Settings;

/// Name of a set's manifest in its folder.
const MANIFEST: &str = "manifest.json";

/// Reads the manifest of a stored set.
fn read_manifest(file: &Path) -> Result<Manifest> {
    let shown = file.display();
    let bytes =
        fs::read_regular(file).map_err(|why| Failure::input(format!("{shown} cannot be read: {why}")))?;
    Manifest::read(&bytes[..]).map_err(|why| Failure::from(why).context(shown.to_string()))
}

/// Lists and reads a data folder at the size of the settings.
fn load(args: &DataArgs, settings: &Settings, seed: u64, console: &Console) -> Result<Dataset> {
    Ok(fs::read_folder(&request::read_options(args), request::reading(settings), seed, console)?)
}
