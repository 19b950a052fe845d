//! `tilepress inspect`: counts, a contact sheet, and where a tile came from.

use std::fmt::Write as _;
use std::path::Path;

use super::read_manifest;
use crate::cli::args::InspectArgs;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::combine::{
    CompositeRecord, DATA, Format, METADATA, Manifest, encode, ensure_records_fit, read_metadata,
};
use crate::data::{Entry, Filter, Fit, Folder, Image, Resizer};
use crate::fs::{self, SourceTree};
use crate::pipeline::Originals as _;
use crate::pipeline::claim::MANIFEST;
use crate::report::words::counted;
use crate::words::visible;

/// Images of a class on a contact sheet, classes on it, and the side of each in pixels.
const COLUMNS: usize = 12;
const ROWS: usize = 40;
const CELL: u32 = 64;

/// Runs the command.
pub(in crate::cli) fn run(args: &InspectArgs, console: &Console) -> Result<()> {
    // A folder that compress wrote holds its images in `data`.
    let inner = args.folder.join(DATA);
    let root = if inner.join(METADATA).is_file() { inner } else { args.folder.clone() };
    let manifest = root.join("..").join(MANIFEST);
    if let Some(manifest) = std::fs::File::open(manifest).ok().and_then(|file| Manifest::read(file).ok())
        && root.join(METADATA).is_file()
    {
        super::ensure_whole(&root, &manifest)?;
    }
    let records = records(&root)?;
    let manifest = args.folder.join(MANIFEST);
    if let Some(records) = records.as_deref().filter(|_| root != args.folder && manifest.exists()) {
        ensure_records_fit(records, &read_manifest(&manifest)?.spec)?;
    }
    if let Some(file) = &args.tile {
        return tiles(file, records.as_deref(), &root, console);
    }
    let source = fs::open(&root)?;
    let found = source.tree.scan()?;
    if let Some(what) = &source.taken_for {
        console.say(format_args!("read as {what}"));
    }
    source.warnings.iter().for_each(|warning| console.warn(warning));
    if let Some(first) = found.problems.first() {
        console.warn(format_args!(
            "{} left out: {} ({})",
            counted(found.problems.len() as u64, "file is", "files are"),
            first.path,
            first.reason
        ));
    }
    // Classes of ours may have any name.
    let tree = match &records {
        Some(_) => Folder::of_classes(found.paths)?,
        None => Folder::from_tree(found.paths, found.empty)?,
    };
    tree.notes.iter().for_each(|note| console.say(note));
    tree.warnings.iter().for_each(|warning| console.warn(warning));
    let count = |entries: &[Entry], class: u32| entries.iter().filter(|e| e.class == class).count();
    let mut text = String::new();
    let mut classes = Vec::new();
    let _ = writeln!(
        text,
        "{}: {} classes, {}{}",
        visible(&root.display().to_string()),
        tree.classes.len(),
        counted(tree.train.len() as u64, "image", "images"),
        tree.val.as_ref().map_or_else(String::new, |val| format!(", {} in val", val.len()))
    );
    for (class, name) in (0..).zip(tree.classes.names()) {
        let train = count(&tree.train, class);
        let val = tree.val.as_ref().map(|val| count(val, class));
        let _ = writeln!(
            text,
            "  {class:>4} {}: {train}{}",
            visible(name),
            val.map_or_else(String::new, |val| format!(" + {val}"))
        );
        classes.push(serde_json::json!({ "class": name, "images": train, "val": val }));
    }
    if let Some(records) = &records {
        let tiles: usize = records.iter().map(|record| record.tiles.len()).sum();
        let _ =
            writeln!(text, "{} of {tiles} tiles", counted(records.len() as u64, "composite", "composites"));
    }
    // The metadata of a set of ours is known, and no stray.
    let others = tree.ignored.iter().filter(|file| records.is_none() || file.path != METADATA).count();
    if others > 0 {
        let others = counted(others as u64, "other file is no image", "other files are no images");
        let _ = writeln!(text, "{others} of a class");
    }
    if let Some(path) = &args.sheet {
        if path.symlink_metadata().is_ok() {
            let shown = path.display();
            return Err(Failure::input(format!("--sheet {shown} exists; name another file")));
        }
        fs::write_atomic(path, &sheet(SourceTree(source.tree), &tree)?)?;
        let _ = writeln!(text, "contact sheet: {}", visible(&path.display().to_string()));
    }
    let json = serde_json::json!({
        "folder": root, "classes": classes,
        "composites": records.as_ref().map(Vec::len), "ignored": tree.ignored, "layout": tree.layout,
    });
    console.result(&json, text.trim_end())
}

fn records(root: &Path) -> Result<Option<Vec<CompositeRecord>>> {
    let path = root.join(METADATA);
    match fs::open_regular(&path) {
        Ok(file) => {
            let records = read_metadata(std::io::BufReader::new(file));
            Ok(Some(records.map_err(|why| Failure::from(why).context(path.display().to_string()))?))
        }
        // An archive has no files beside its images.
        Err(_) if root.is_file() => Ok(None),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Failure::input(format!("{} cannot be read: {why}", path.display()))),
    }
}

/// Sources of the tiles of one composite.
fn tiles(file: &str, records: Option<&[CompositeRecord]>, root: &Path, console: &Console) -> Result<()> {
    let records = records.ok_or_else(|| {
        Failure::input(format!(
            "{} has no metadata.jsonl; only composites of ours can be traced",
            root.display()
        ))
    })?;
    let record = records.iter().find(|record| record.file_name == file).ok_or_else(|| {
        let example = records.first().map_or("", |record| record.file_name.as_str());
        Failure::usage(format!("--tile {file} is not in metadata.jsonl; give a file_name such as {example}"))
    })?;
    let mut text = format!("{}: class {}\n", visible(file), visible(&record.class));
    for tile in &record.tiles {
        let [x, y, width, height] = tile.area;
        let score = tile.score.map_or_else(String::new, |score| format!(", EL2N {score:.3}"));
        let source = visible(&tile.source);
        let _ = writeln!(text, "  {x},{y} {width}x{height}: {source} (rank {}{score})", tile.rank);
    }
    console.result(&serde_json::to_value(record)?, text.trim_end())
}

/// Some images of every class, a row each.
fn sheet(originals: SourceTree, tree: &Folder) -> Result<Vec<u8>> {
    let rows = tree.classes.len().min(ROWS);
    let mut sheet = Image::filled(COLUMNS as u32 * CELL, rows as u32 * CELL, [255; 3]);
    let mut resizer = Resizer::new();
    let width = sheet.width() as usize * 3;
    for row in 0..rows {
        let of_class = tree.train.iter().filter(|entry| entry.class == row as u32);
        let images = of_class.filter_map(|entry| originals.image(&entry.path).ok()).take(COLUMNS);
        for (column, image) in images.enumerate() {
            let cell = resizer.resize(&image, CELL, CELL, Fit::Pad, Filter::Lanczos3);
            for (y, line) in cell.pixels().chunks_exact(CELL as usize * 3).enumerate() {
                let start = (row * CELL as usize + y) * width + column * CELL as usize * 3;
                sheet.pixels_mut()[start..start + line.len()].copy_from_slice(line);
            }
        }
    }
    Ok(encode(&sheet, Format::Png)?)
}
