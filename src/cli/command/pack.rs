//! `tilepress pack`: a data set as WebDataset shards.

use crate::cli::args::{DataArgs, PackArgs};
use crate::cli::console::Console;
use crate::cli::exit::Result;
use crate::cli::request;
use crate::fs::{self, OutputFolder, Packed};
use crate::report::words::{bytes, counted};
use crate::run::Storage as _;

/// Runs the command.
pub(in crate::cli) fn run(args: &PackArgs, console: &Console) -> Result<()> {
    let mut packed = None;
    let out = OutputFolder::new(&args.out.out, args.data.as_deref())?;
    if let Some(data) = &args.data {
        let data = DataArgs { data: data.clone(), val_fraction: None, on_error: args.on_error, memory: None };
        let listing = fs::list_whole(&request::read_options(&data), console)?;
        packed = Some(fs::pack(&listing, &args.options(), args.shard, (&out, args.out.force), console)?);
    }
    if let (Some(share), Some(done)) = (args.shard, &packed) {
        let json = serde_json::json!({ "shard": share, "packed": done });
        return console.result(
            &json,
            format_args!(
                "packed {} of shard {share} ({}) in {}; `tilepress merge` joins all {}",
                counted(done.images, "image", "images"),
                bytes(done.bytes),
                out.shown(""),
                share.of()
            ),
        );
    }
    let checked = if args.check { Some(fs::check(&out, console)?) } else { None };
    let Some(done) = checked.as_ref().or(packed.as_ref()) else { return Ok(()) };
    say(done, if args.check { "checked" } else { "packed" }, &out, console)
}

/// Says what is in a pack.
pub(super) fn say(done: &Packed, verb: &str, out: &OutputFolder, console: &Console) -> Result<()> {
    let json =
        serde_json::json!({ "pack": out.shown("_info.json"), "checked": verb == "checked", "packed": done });
    console.result(
        &json,
        format_args!(
            "{verb} {} in {} ({}): {}",
            counted(done.images, "image", "images"),
            counted(done.shards, "shard", "shards"),
            bytes(done.bytes),
            out.shown("_info.json")
        ),
    )
}
