//! `tilepress combine`.

use crate::cli::args::{CombineCommand, DataArgs};
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::request;
use crate::combine::{DATA, Manifest};
use crate::fs::{self, OutputFolder, Wanted};
use crate::pipeline::combine::{CombineRequest, combine};
use crate::prune::Selection;
use crate::report::words::{self, counted};
use crate::run::Storage as _;
use crate::train::Preset;

/// Lays the images of a selection into composites and writes the dataset, or a share of it.
pub(in crate::cli) fn run(args: &CombineCommand, console: &Console) -> Result<()> {
    let file = args.selection.display();
    let list = fs::read_named(&args.selection)
        .map_err(|why| Failure::input(format!("--selection {file} cannot be read: {why}")))?;
    let rows = Selection::read_csv(&list[..]).map_err(|why| Failure::from(why).context(file.to_string()))?;
    // Which images were held out when the list was made is not known here and does not matter: the list
    // says which to take.
    let data_args =
        DataArgs { data: args.data.clone(), val_fraction: None, on_error: args.on_error, memory: None };
    let options = request::read_options(&data_args);
    let listing = fs::list_whole(&options, console)?;
    let wanted = CombineRequest {
        rows,
        listed: file.to_string(),
        grid: args.grid,
        side: args.image_size,
        style: request::style(&args.combine),
        min_scale: args.min_scale,
    };
    let out = request::output(&args.out, &data_args)?;
    if let Some(share) = args.shard {
        let images = (&listing, args.on_error);
        let made = fs::combine_share((&wanted, &list), images, share, (&out, args.out.force), console)?;
        return console.result(
            &serde_json::json!({ "shard": share, "composites": made }),
            format_args!(
                "wrote {} of shard {share}: {}; `tilepress merge` joins all {}",
                counted(made as u64, "composite", "composites"),
                out.shown(DATA),
                share.of()
            ),
        );
    }
    let reading = request::reading(&Preset::Small.settings(), Wanted::NONE);
    let data = super::read(listing, &options, reading, &args.out.out, console)?;
    say(&combine(&wanted, &data, (&out, args.out.force), None, console)?, &out, console)
}

/// Says what was made.
pub(super) fn say(manifest: &Manifest, out: &OutputFolder, console: &Console) -> Result<()> {
    console.result(
        &serde_json::to_value(manifest)?,
        format_args!(
            "wrote {} ({}): {}",
            counted(manifest.counts.composites, "composite", "composites"),
            words::bytes(manifest.bytes.out),
            out.shown(DATA)
        ),
    )
}
