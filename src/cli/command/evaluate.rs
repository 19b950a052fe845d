//! `tilepress evaluate`: students on a stored dataset.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::cli::args::EvaluateCommand;
use crate::cli::console::Console;
use crate::cli::exit::{InputError, check_interrupt};
use crate::cli::folder::{self, LoadOptions};
use crate::cli::output::write_atomic;
use crate::cli::settings::{self, as_json};
use crate::cli::stage::students::{self, Job};
use crate::cli::stage::{data, write};
use crate::combine::{Grid, Manifest, read_metadata};
use crate::data::{ContentHash, Folder, ImageSet, Look, Preparation, Sample, look_alikes};
use crate::report::words::counted;
use crate::report::{Cost, MethodResult, Report, Setting};

/// A stored dataset in memory.
struct StoredSet {
    images: Arc<ImageSet>,
    samples: Vec<Sample>,
    looks: Vec<Look>,
    bytes: u64,
    grid: Grid,
}

/// Trains students on a stored dataset and measures them on the validation images of the data folder.
pub(in crate::cli) fn run(args: &EvaluateCommand, console: &Console) -> anyhow::Result<()> {
    let mut config = settings::resolve(&args.model, Some(&args.student), None);
    let (folder, manifest) = locate(&args.set)?;
    if let (Some(manifest), None) = (&manifest, args.model.image_size) {
        config = config.with_image_size(manifest.recipe.side);
    }
    crate::cli::output::ensure_apart(&args.set, &args.out.out)?;
    write::ensure_free(&args.out, &args.data.data)?;
    // The images that were held out when the set was made, not those of another seed.
    let split_seed = manifest.as_ref().filter(|manifest| is_compress(manifest));
    let split_seed = split_seed.map_or(args.model.seed, |manifest| manifest.recipe.seed);
    let data = super::load(&args.data, &config, split_seed, console)?;
    let grid = args.grid.or(manifest.as_ref().map(|manifest| manifest.recipe.grid)).unwrap_or(Grid::WHOLE);
    let set = read(&folder, &data, config.image_size as u32, grid, args, console)?;
    let seen = ensure_unseen(&folder, &set, &data, manifest.as_ref())?;
    seen.iter().for_each(|text| console.warn(text));
    let opened = super::open(args.model.device, args.model.precision, console)?;

    let begun = Instant::now();
    let crop = settings::crop(&config, &args.student, set.grid);
    let augmentation = settings::augmentation(&config, crop, &args.student)?;
    let job = |repeat: u64| Job {
        name: repeat.to_string(),
        images: set.images.clone(),
        grid: set.grid,
        augmentation,
        seed: args.model.seed.wrapping_add(repeat),
    };
    let jobs = (0..args.repeats.get() as u64).map(job).collect();
    let model = settings::model(&config, data.classes.len());
    let trained =
        students::train_all(jobs, None, &model, config.student, &data.val.images, &opened, console)?;
    write::empty_folder(&args.out, &args.data.data)?;
    let mut warnings = data.write_lists(&args.out.out, console)?;
    warnings.extend(seen);
    if args.save_student
        && let Some(network) = trained.first().and_then(|first| first.network.as_ref())
    {
        let bytes = pollster::block_on(network.to_safetensors())?;
        write_atomic(&args.out.out.join("student.safetensors"), &bytes)?;
    }
    // A set of ours is called by its own folder, also where its `data` was named.
    let named = if manifest.is_some() { &folder.join("..") } else { &args.set };
    let setting = Setting {
        method: data::name_of(named),
        ipc: (set.images.len() / data.classes.len().max(1)) as u32,
        grid: set.grid,
        augment: crop.to_string(),
        model: config.architecture.to_string(),
        labels: "hard".to_owned(),
        images: set.images.len(),
        bytes: set.bytes,
        image_size: config.image_size as u32,
    };
    let options = as_json(&serde_json::json!({
        "command": "evaluate", "settings": config, "augmentation": augmentation, "seed": args.model.seed,
    }));
    let mut report = Report::new(data.summary(), options);
    report.cost = Cost { train_seconds: Some(begun.elapsed().as_secs_f64()), ..Cost::default() };
    report.warnings = warnings;
    let runs = trained.into_iter().map(|trained| trained.outcome).collect();
    let result = MethodResult::new(setting, data.classes.names(), runs, data.val.samples.len());
    report.set_results(result.into_iter().collect());
    write::report(&args.out.out, report, &data.val.samples, console)
}

/// Whether a set was made by `compress`, whose manifest tells how its data was split.
fn is_compress(manifest: &Manifest) -> bool {
    manifest.options["command"] == "compress"
}

/// Makes sure that no image to measure on is in the set, under whatever name: then the numbers would be too good. Gives a warning
/// when some only look the same as images of the set.
fn ensure_unseen(
    folder: &Path,
    set: &StoredSet,
    data: &data::Dataset,
    manifest: Option<&Manifest>,
) -> anyhow::Result<Option<String>> {
    let records = match manifest {
        None => Vec::new(),
        Some(_) => {
            let path = folder.join("metadata.jsonl");
            let file = std::fs::File::open(&path)
                .map_err(|why| InputError(format!("{} cannot be read: {why}", path.display())))?;
            read_metadata(std::io::BufReader::new(file))
                .map_err(|why| InputError(format!("{} cannot be read: {why}", path.display())))?
        }
    };
    let sources = || records.iter().flat_map(|record| &record.tiles);
    if let Some(manifest) = manifest {
        let held: BTreeSet<&str> = data.val.samples.iter().map(|sample| sample.path.as_str()).collect();
        let seen: BTreeSet<&str> =
            sources().map(|tile| tile.source.as_str()).filter(|source| held.contains(source)).collect();
        if let Some(first) = seen.first() {
            let seed = if is_compress(manifest) { "" } else { " and --seed" };
            return Err(InputError(format!(
                "{} of the images to measure on {} in the set, such as {first}, so the numbers would be too good: \
                 give the --val-fraction{seed} with which the set was made",
                seen.len(),
                if seen.len() == 1 { "is" } else { "are" },
            ))
            .into());
        }
    }
    let stored = set.samples.iter().map(|sample| (sample.hash, sample.path.as_str()));
    let names: HashMap<ContentHash, &str> =
        sources().map(|tile| (tile.hash, tile.source.as_str())).chain(stored).collect();
    let copies = data.val.samples.iter().filter_map(|sample| Some((&sample.path, names.get(&sample.hash)?)));
    let copies: Vec<_> = copies.collect();
    if let Some((val, copy)) = copies.first() {
        return Err(InputError(format!(
            "{} of the images to measure on {} in the set under another name, such as {val}, which is {copy}, so the \
             numbers would be too good: take the copies out of the validation images, or make the set with --dedup",
            copies.len(),
            if copies.len() == 1 { "is" } else { "are" },
        ))
        .into());
    }
    // What the images of the set look like: those that are stored whole, and sources that lie in the data folder.
    let of_train = data.train.samples.iter().zip(&data.train.looks);
    let of_train = of_train.filter(|(sample, _)| names.contains_key(&sample.hash));
    let whole = set.samples.iter().zip(&set.looks).filter(|_| set.grid == Grid::WHOLE);
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
fn locate(set: &Path) -> anyhow::Result<(PathBuf, Option<Manifest>)> {
    let file = set.join("manifest.json");
    if !file.is_file() {
        // The `data` folder of one of ours, or anybody's.
        let above = set.join("..").join("manifest.json");
        let manifest = if set.file_name().is_some_and(|name| name == crate::cli::dataset::DATA) {
            std::fs::File::open(above).ok().and_then(|file| Manifest::read(file).ok())
        } else {
            None
        };
        return Ok((set.to_path_buf(), manifest));
    }
    let manifest = Manifest::read(std::fs::File::open(&file)?)
        .map_err(|why| InputError(format!("{} cannot be read: {why}", file.display())))?;
    Ok((set.join(crate::cli::dataset::DATA), Some(manifest)))
}

fn read(
    folder: &Path,
    data: &data::Dataset,
    side: u32,
    grid: Grid,
    args: &EvaluateCommand,
    console: &Console,
) -> anyhow::Result<StoredSet> {
    let listing = Folder::from_paths(folder::scan(folder)?.paths)?;
    // A class mix-up here would make every number meaningless.
    data.classes.ensure_same(&listing.classes)?;
    let stage = console.stage("read", "images", listing.train.len());
    let options = LoadOptions { how: Preparation::whole(side), on_error: args.data.on_error };
    let loaded = folder::load(folder, &listing.train, &options, &|| {
        stage.add(1);
        check_interrupt().is_ok()
    })?;
    stage.finish();
    if let Some(problem) = loaded.problems.first() {
        console.warn(format_args!(
            "{} of the set cannot be read: {} ({})",
            counted(loaded.problems.len() as u64, "image", "images"),
            problem.path,
            problem.reason
        ));
    }
    let bytes = loaded.bytes();
    let folder::Loaded { images, samples, looks, .. } = loaded;
    Ok(StoredSet { images: Arc::new(images), samples, looks, bytes, grid })
}
