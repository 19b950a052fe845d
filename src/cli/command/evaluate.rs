//! `tilepress evaluate`: students on a stored dataset.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read_manifest;
use crate::cli::args::EvaluateCommand;
use crate::cli::console::Console;
use crate::cli::exit::{Failure, Result};
use crate::cli::watched::watched;
use crate::cli::{report, request};
use crate::combine::{DATA, METADATA, Manifest, ensure_records_fit, read_metadata, source_set_hash};
use crate::data::{ContentHash, CropFrom, Folder, Grid, Look, Preparation, Sample, look_alikes};
use crate::fs::{self, OutputFolder, Wanted, name_of};
use crate::pipeline::Dataset;
use crate::pipeline::begin::{begin_run, ensure_usable};
use crate::pipeline::claim::{Holding, MANIFEST};
use crate::pipeline::evaluate::{TrainingSet, evaluate};
use crate::report::words::counted;
use crate::run::{self, Storage as _};

/// A stored dataset in memory.
struct StoredSet {
    training: TrainingSet,
    samples: Arc<[Sample]>,
    looks: Vec<Look>,
}

/// Trains students on a stored dataset and measures them on the validation images of the data folder.
pub(in crate::cli) fn run(args: &EvaluateCommand, console: &Console) -> Result<()> {
    watched((&args.watch, "evaluate"), &args.out.out, console, |console| work(args, console))
}

fn work(args: &EvaluateCommand, console: &Console) -> Result<()> {
    let mut settings = request::settings(&args.model, Some(&args.student), None);
    let (folder, manifest) = locate(&args.set)?;
    if let Some(manifest) = &manifest {
        super::ensure_whole(&folder, manifest)?;
    }
    if let (Some(manifest), None) = (&manifest, args.model.image_size) {
        settings = settings.with_image_size(manifest.spec.side);
    }
    let out = OutputFolder::new(&args.out.out, [args.set.as_path(), args.data.data.as_path()])?;
    ensure_usable(&out, args.out.force)?;
    let wanted = Wanted { train: false, val: true };
    // The images that were held out when the set was made, not those of another seed.
    let split_seed = manifest.as_ref().filter(|manifest| is_compress(manifest));
    let split_seed = split_seed.map_or(args.model.seed, |manifest| manifest.spec.seed);
    let data = super::load(&args.data, &settings, wanted, split_seed, &args.out.out, console)?;
    data.ensure_measurable().map_err(|error| data.explain(error, &out))?;
    let grid = args.grid.or(manifest.as_ref().map(|manifest| manifest.spec.grid)).unwrap_or(Grid::WHOLE);
    if settings.crop_from == CropFrom::Image && grid != Grid::WHOLE {
        return Err(Failure::usage(format!(
            "--crop-from image is for whole images, and {} holds composites of grid {grid}, whose views are cut inside their tiles; \
             leave it out",
            args.set.display()
        )));
    }
    // A set of ours is called by its own folder, also where its `data` was named.
    let parent = folder.join("..");
    let name = name_of(if manifest.is_some() { &parent } else { &args.set });
    let how = Preparation { crop_from: settings.crop_from, ..Preparation::whole(settings.image_size as u32) };
    let set = read(&folder, &data, (how, grid, name), args, console)?;
    let seen = ensure_unseen(&folder, &set, &data, manifest.as_ref())?;
    seen.iter().for_each(|text| console.warn(text));
    let request = request::evaluate(args, settings);
    let augmentation = request.views.augmentation(request.views.crop(grid))?;
    let devices = run::open_all(&args.model.device, args.model.precision, console)?;
    let run = serde_json::json!({
        "options": {
            "command": "evaluate",
            "settings": settings,
            "grid": grid,
            "augmentation": augmentation,
            "seed": request.seed,
            "students": request.students,
            "save_student": request.keep_student,
        },
        "set": source_set_hash(&set.samples),
        "val_set": source_set_hash(&data.val.samples),
    });
    out.claim()?;
    begin_run(&out, &Holding::of(&out)?, &run, args.out.force, (0, 0), console)?;
    let mut evaluated = evaluate(&request, &data, &set.training, Some(&out), &devices, console)?;
    let lists = data.write_lists(&out, console)?;
    evaluated.report.warnings.extend(lists.into_iter().chain(seen));
    if let Some(student) = &evaluated.student {
        out.write("student.safetensors", student)?;
    }
    report::write(&out, evaluated.report, &data.val.samples, console)
}

/// `true` for a set that `compress` made, whose manifest tells how its data was split.
fn is_compress(manifest: &Manifest) -> bool {
    manifest.options["command"] == "compress"
}

/// Makes sure that no image to measure on is in the set, under whatever name: then the numbers would be too good. Gives a warning
/// when some only look the same as images of the set.
fn ensure_unseen(
    folder: &Path,
    set: &StoredSet,
    data: &Dataset,
    manifest: Option<&Manifest>,
) -> Result<Option<String>> {
    let records = match manifest {
        None => Vec::new(),
        Some(manifest) => {
            let path = folder.join(METADATA);
            let shown = path.display();
            let file = fs::open_regular(&path)
                .map_err(|why| Failure::input(format!("{shown} cannot be read: {why}")))?;
            let records = read_metadata(std::io::BufReader::new(file))
                .map_err(|why| Failure::from(why).context(shown.to_string()))?;
            ensure_records_fit(&records, &manifest.spec)?;
            records
        }
    };
    let sources = || records.iter().flat_map(|record| &record.tiles);
    if let Some(manifest) = manifest {
        let held: BTreeSet<&str> = data.val.samples.iter().map(|sample| sample.path.as_str()).collect();
        let seen: BTreeSet<&str> =
            sources().map(|tile| tile.source.as_str()).filter(|source| held.contains(source)).collect();
        if let Some(first) = seen.first() {
            let seed = if is_compress(manifest) { "" } else { " and --seed" };
            return Err(Failure::input(format!(
                "{} of the images to measure on {} in the set, such as {first}, so the numbers would be too good: \
                 give the --val-fraction{seed} with which the set was made",
                seen.len(),
                if seen.len() == 1 { "is" } else { "are" },
            )));
        }
    }
    let stored = set.samples.iter().map(|sample| (sample.hash, sample.path.as_str()));
    let names: HashMap<ContentHash, &str> =
        sources().map(|tile| (tile.hash, tile.source.as_str())).chain(stored).collect();
    let copies = data.val.samples.iter().filter_map(|sample| Some((&sample.path, names.get(&sample.hash)?)));
    let copies: Vec<_> = copies.collect();
    if let Some((val, copy)) = copies.first() {
        return Err(Failure::input(format!(
            "{} of the images to measure on {} in the set under another name, such as {val}, which is {copy}, so the \
             numbers would be too good: take the copies out of the validation images, or make the set with --dedup",
            copies.len(),
            if copies.len() == 1 { "is" } else { "are" },
        )));
    }
    // What the images of the set look like: those that are stored whole, and sources that lie in the data folder.
    let of_train = data.train.samples.iter().zip(&data.train.looks);
    let of_train = of_train.filter(|(sample, _)| names.contains_key(&sample.hash));
    let whole = set.samples.iter().zip(&set.looks).filter(|_| set.training.grid == Grid::WHOLE);
    let (samples, looks): (Vec<&Sample>, Vec<Look>) =
        of_train.chain(whole).map(|(sample, look)| (sample, *look)).unzip();
    let alike = look_alikes(&data.val.looks, &looks);
    Ok(alike.first().map(|&(val, copy)| {
        format!(
            "{} the same as one of the set in another encoding or size, such as {} and {}, which flatters accuracy",
            counted(alike.len() as u64, "image to measure on looks", "images to measure on look"),
            data.val.samples[val as usize].path,
            samples[copy as usize].path
        )
    }))
}

/// The folder of class folders of a set, and its manifest when we wrote it.
fn locate(set: &Path) -> Result<(PathBuf, Option<Manifest>)> {
    let file = set.join(MANIFEST);
    if file.symlink_metadata().is_err() {
        // The `data` folder of one of ours, or anybody's.
        let above = set.join("..").join(MANIFEST);
        let manifest =
            if set.file_name().is_some_and(|name| name == DATA) { read_manifest(&above).ok() } else { None };
        return Ok((set.to_path_buf(), manifest));
    }
    Ok((set.join(DATA), Some(read_manifest(&file)?)))
}

fn read(
    folder: &Path,
    data: &Dataset,
    (how, grid, name): (Preparation, Grid, String),
    args: &EvaluateCommand,
    console: &Console,
) -> Result<StoredSet> {
    // Classes of ours may have any name.
    let of_ours = folder.join(METADATA).is_file();
    let tree = fs::open(folder)?.tree;
    let paths = tree.scan()?.paths;
    let listing = if of_ours { Folder::of_classes(paths)? } else { Folder::from_paths(paths)? };
    // A class mix-up here would make every number meaningless.
    data.classes.ensure_same(&listing.classes)?;
    let options = (&request::read_options(&args.data), data.loading.memory_bytes);
    let loaded = fs::read_set(&tree, listing.train, how, options, console)?;
    if let Some(problem) = loaded.problems.first() {
        console.warn(format_args!(
            "{} of the set cannot be read: {} ({})",
            counted(loaded.problems.len() as u64, "image", "images"),
            problem.path,
            problem.reason
        ));
    }
    let (looks, bytes) = (loaded.looks.clone(), loaded.bytes());
    let images = loaded.into_images();
    let samples = images.samples().clone();
    let training = TrainingSet { name, images: Arc::new(images), grid, bytes };
    Ok(StoredSet { training, samples, looks })
}
