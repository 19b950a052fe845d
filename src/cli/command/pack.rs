//! `tilepress pack`: a data set as WebDataset shards.

use crate::cli::args::{DataArgs, PackArgs};
use crate::cli::console::Console;
use crate::cli::exit::Result;
use crate::cli::request;
use crate::fs::{self, OutputFolder};
use crate::report::words::{bytes, counted};
use crate::run::Storage as _;

/// Runs the command.
pub(in crate::cli) fn run(args: &PackArgs, console: &Console) -> Result<()> {
    let mut packed = None;
    let out = OutputFolder::new(&args.out.out, args.data.as_deref())?;
    if let Some(data) = &args.data {
        let data = DataArgs { data: data.clone(), val_fraction: None, on_error: args.on_error, memory: None };
        let listing = fs::list_whole(&request::read_options(&data), console)?;
        packed = Some(fs::pack(&listing, &args.options(), &out, args.out.force, console)?);
    }
    let checked = if args.check { Some(fs::check(&out, console)?) } else { None };
    let Some(done) = checked.as_ref().or(packed.as_ref()) else { return Ok(()) };
    let json = serde_json::json!({ "pack": out.shown("_info.json"), "checked": args.check, "packed": done });
    console.result(
        &json,
        format_args!(
            "{} {} in {} ({}): {}",
            if args.check { "checked" } else { "packed" },
            counted(done.images, "image", "images"),
            counted(done.shards, "shard", "shards"),
            bytes(done.bytes),
            out.shown("_info.json")
        ),
    )
}
