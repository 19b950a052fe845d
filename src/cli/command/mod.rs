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

use std::sync::OnceLock;
use std::time::Instant;

use crate::cli::args::DataArgs;
use crate::cli::console::Console;
use crate::cli::stage::data::{self, Dataset};
use crate::device::{DeviceChoice, DeviceError, Opened, Precision};
use crate::train::{Settings, self_check};

/// Opens a device, says which, and makes sure that it can compute in a precision and that a GPU's numbers are right.
fn open(choice: DeviceChoice, precision: Precision, console: &Console) -> anyhow::Result<Opened> {
    let opened = pollster::block_on(crate::device::open(choice))?;
    console.say(format_args!("device: {}", opened.name));
    precision.on(&opened.device)?;
    if !opened.is_cpu {
        let check = pollster::block_on(self_check(&opened.device, precision))
            .map_err(|why| DeviceError::Open { choice, why: why.to_string() })?;
        if !check.ok {
            let why = format!("its numbers are wrong ({check:?}); --device cpu always works");
            return Err(DeviceError::Open { choice, why }.into());
        }
    }
    Ok(opened)
}

/// Seconds since the first call.
fn clock() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// A file that options name, by what it holds.
fn file_hash(file: &std::path::Path) -> Option<String> {
    std::fs::read(file).ok().map(|bytes| crate::data::ContentHash::of(&bytes).to_string())
}

/// Lists and reads a data folder at the size of the settings.
fn load(args: &DataArgs, settings: &Settings, seed: u64, console: &Console) -> anyhow::Result<Dataset> {
    let listing = data::list(args, seed, console)?;
    data::load(listing, args, settings.image_size as u32, settings.val_resize, console)
}
