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
pub(super) mod profile;
pub(super) mod prune;
pub(super) mod score;

use super::args::DataArgs;
use super::console::Console;
use super::exit::Result;
use super::request;
use crate::fs;
use crate::pipeline::Dataset;
use crate::train::Settings;

/// Lists and reads a data folder at the size of the settings.
fn load(args: &DataArgs, settings: &Settings, seed: u64, console: &Console) -> Result<Dataset> {
    Ok(fs::read_folder(&request::read_options(args), request::reading(settings), seed, console)?)
}
