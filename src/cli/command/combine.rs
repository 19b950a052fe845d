//! `tilepress combine`.

use crate::cli::args::{CombineCommand, DataArgs};
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::request;
use crate::combine::{CostEstimate, DATA, picked_sources, selection_hash};
use crate::fs::{self, Wanted};
use crate::pipeline::begin::{begin_set, ensure_usable};
use crate::pipeline::set::{self, SetBuilder, SetFacts, Title};
use crate::prune::Selection;
use crate::report::words::{self, counted};
use crate::run::Storage as _;
use crate::train::Preset;

/// Lays the images of a selection into composites and writes the dataset.
pub(in crate::cli) fn run(args: &CombineCommand, console: &Console) -> Result<()> {
    let file = args.selection.display();
    let rows = fs::read_named(&args.selection)
        .map_err(|why| Failure::input(format!("--selection {file} cannot be read: {why}")))?;
    let rows = Selection::read_csv(&rows[..]).map_err(|why| Failure::from(why).context(file.to_string()))?;
    // Which images were held out when the list was made is not known here and does not matter: the list
    // says which to take.
    let data_args =
        DataArgs { data: args.data.clone(), val_fraction: None, on_error: args.on_error, memory: None };
    let options = request::read_options(&data_args);
    let listing = fs::list_whole(&options, console)?;
    let reading = request::reading(&Preset::Small.settings(), Wanted::NONE);
    let data = super::read(listing, &options, reading, &args.out.out, console)?;
    let selection = Selection::join(&rows, &data.train.samples, &data.classes)?;
    let tiles = args.grid.tiles() as usize;
    let per_class = selection.per_class();
    if per_class == 0 || !per_class.is_multiple_of(tiles) {
        return Err(Failure::input(format!(
            "{file} keeps {per_class} images a class, which do not fill composites of {tiles} tiles (--grid {})",
            args.grid
        )));
    }
    let out = request::output(&args.out, &data_args)?;
    ensure_usable(&out, args.out.force)?;
    let style = request::style(&args.combine);
    let samples = &data.train.samples;
    let picks = picked_sources(&selection, samples, &data.classes);
    let spec = set::spec(&data.classes, args.grid, (per_class / tiles) as u32, args.image_size, style);
    let facts = SetFacts {
        options: serde_json::json!({ "command": "combine", "selection": selection_hash(&picks) }),
        min_scale: args.min_scale,
        source_bytes: data.train.bytes,
    };
    let mut manifest = set::draft(spec.clone(), facts, samples);
    let estimate = CostEstimate::new(&spec)?;
    let builder = SetBuilder::new(spec, style.fit, picks)?;
    let finished = begin_set(&out, &manifest, args.out.force, (0, estimate.estimated_bytes), console)?;
    data.write_lists(&out, console)?;
    match finished.filter(|earlier| earlier.files.keys().all(|file| out.has(file))) {
        Some(earlier) => manifest = earlier,
        None => {
            let title = Title { name: &data.name, selection: "by the list that was given" };
            builder.publish(&out, &*data.originals, (&mut manifest, samples.len()), title, console)?;
        }
    }
    console.result(
        &serde_json::to_value(&manifest)?,
        format_args!(
            "wrote {} ({}): {}",
            counted(manifest.counts.composites, "composite", "composites"),
            words::bytes(manifest.bytes.out),
            out.shown(DATA)
        ),
    )
}
