//! `tilepress combine`.

use crate::cli::args::{CombineCommand, DataArgs};
use crate::cli::console::Console;
use crate::cli::dataset;
use crate::cli::exit::InputError;
use crate::cli::settings::as_json;
use crate::cli::stage::{combine, data, write};
use crate::combine::{Bytes, Counts, Hashes, Manifest, SCHEMA, Tool, selection_hash, source_set_hash};
use crate::prune::Selection;
use crate::report::words::{self, counted};
use crate::train::Preset;

/// Lays the images of a selection into composites and writes the dataset.
pub(in crate::cli) fn run(args: &CombineCommand, console: &Console) -> anyhow::Result<()> {
    let file = &args.selection;
    let rows = std::fs::File::open(file)
        .map_err(|why| InputError(format!("--selection {}: {why}", file.display())))?;
    let rows = Selection::read_csv(std::io::BufReader::new(rows))?;
    let settings = Preset::Small.settings();
    // Which images were held out when the list was made is not known here and does not matter: the list
    // says which to take.
    let data_args = DataArgs { data: args.data.clone(), val_fraction: None, on_error: args.on_error };
    let listing = data::list_whole(&data_args, console)?;
    let side = settings.image_size as u32;
    let data = data::load(listing, &data_args, side, settings.val_resize, console)?;
    let selection = Selection::join(&rows, &data.train.samples, &data.classes)?;
    let tiles = args.grid.tiles() as usize;
    let per_class = selection.per_class();
    if per_class == 0 || !per_class.is_multiple_of(tiles) {
        return Err(InputError(format!(
            "{} keeps {per_class} images a class, which do not fill composites of {tiles} tiles (--grid {})",
            file.display(),
            args.grid
        ))
        .into());
    }
    write::empty_folder(&args.out, &args.data)?;
    data.write_lists(&args.out.out, console)?;
    let ipc = (per_class / tiles) as u32;
    let recipe = combine::recipe(&data.classes, args.grid, ipc, args.image_size, &args.combine);
    let picks = combine::picks(&selection, &data);
    let out = &args.out.out;
    let written = combine::write(out, &recipe, &picks, &data, &args.combine, console)?;
    let mut manifest = Manifest {
        schema: SCHEMA,
        tool: Tool::this(),
        created: None,
        min_scale: args.min_scale,
        options: as_json(&serde_json::json!({ "command": "combine" })),
        counts: Counts::of(&picks, data.train.samples.len(), written.records.len()),
        bytes: Bytes {
            source: data.train.bytes,
            kept_sources: combine::source_bytes(&data.root, &picks),
            out: written.composite_bytes,
        },
        hashes: Hashes {
            source_set: source_set_hash(&data.train.samples),
            selection: selection_hash(&picks),
        },
        files: written.files,
        recipe,
    };
    let name = data::name_of(&data.root);
    dataset::write_about(out, &mut manifest, &name, "by the list that was given")?;
    console.result(
        &serde_json::to_value(&manifest)?,
        format_args!(
            "wrote {} ({}): {}",
            counted(manifest.counts.composites, "composite", "composites"),
            words::bytes(manifest.bytes.out),
            out.join(dataset::DATA).display()
        ),
    );
    Ok(())
}
