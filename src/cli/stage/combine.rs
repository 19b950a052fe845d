//! Combining: composites of chosen images, in memory or as a dataset.

use std::path::Path;
use std::sync::Arc;

use crate::cli::args::CombineArgs;
use crate::cli::console::Console;
use crate::cli::dataset::{self, DatasetError, WrittenDataset};
use crate::cli::exit::{InputError, check_interrupt};
use crate::cli::stage::data::Dataset;
use crate::combine::{
    Composer, Grid, IpcCounts, PickedSource, Recipe, SOURCE_FILTER, make, picked_sources, plan_composites,
};
use crate::data::{self, ClassMap, Image, ImageSet, Limits, Resizer};
use crate::prune::Selection;

/// The recipe of `ipc` composites a class, from the flags.
pub(in crate::cli) fn recipe(
    classes: &ClassMap,
    grid: Grid,
    ipc: u32,
    side: u32,
    args: &CombineArgs,
) -> Recipe {
    Recipe {
        seed: 0,
        ipc,
        ipc_counts: IpcCounts::Composites,
        grid,
        side,
        fit: args.fit.to_string(),
        filter: SOURCE_FILTER.to_string(),
        format: args.format(),
        classes: classes.clone(),
    }
}

/// The chosen images by class, in the order of their ranks.
pub(in crate::cli) fn picks(selection: &Selection, data: &Dataset) -> Vec<Vec<PickedSource>> {
    picked_sources(selection, &data.train.samples, &data.classes)
}

/// One whole source image, at its full size.
pub(in crate::cli) fn read_source(root: &Path, path: &str) -> anyhow::Result<Image> {
    let bytes = std::fs::read(root.join(path))?;
    Ok(data::decode(&bytes, &Limits::default())?)
}

/// Bytes of the distinct source files of some picks.
pub(in crate::cli) fn source_bytes(root: &Path, picks: &[Vec<PickedSource>]) -> u64 {
    let paths: std::collections::BTreeSet<&str> =
        picks.iter().flatten().map(|pick| pick.path.as_str()).collect();
    paths.iter().filter_map(|path| root.join(path).metadata().ok()).map(|about| about.len()).sum()
}

/// Writes the composites of a recipe and their `metadata.jsonl` into `out/data`: aside first, then
/// renamed in place of what an unfinished run left there.
pub(in crate::cli) fn write(
    out: &Path,
    recipe: &Recipe,
    picks: &[Vec<PickedSource>],
    data: &Dataset,
    args: &CombineArgs,
    console: &Console,
) -> anyhow::Result<WrittenDataset> {
    let composites = picks.len() * recipe.per_class()?.0 as usize;
    let stage = console.stage("combine", "composites", composites);
    let aside = tempfile::Builder::new().prefix(".tilepress-").tempdir_in(out)?;
    let written = dataset::write_dataset(
        aside.path(),
        recipe,
        picks,
        |path| read_source(&data.root, path),
        || {
            let mut resizer = Resizer::new();
            move |image: &Image, width, height| resizer.resize(image, width, height, args.fit, SOURCE_FILTER)
        },
        || {
            stage.add(1);
            check_interrupt().is_ok()
        },
    )
    .map_err(|error| match error {
        DatasetError::Stopped => crate::cli::exit::Interrupted.into(),
        DatasetError::Source { .. } => InputError(format!("{:#}", anyhow::Error::new(error))).into(),
        // Not wrapped, so that it keeps its exit code.
        DatasetError::Combine(error) => error.into(),
        other => anyhow::Error::new(other),
    })?;
    let target = out.join(dataset::DATA);
    if target.exists() {
        std::fs::remove_dir_all(&target)?;
    }
    std::fs::rename(aside.path().join(dataset::DATA), &target)?;
    stage.finish();
    Ok(written)
}

/// Composites in memory, as a training set, with the bytes they would take as files.
pub(in crate::cli) struct Composed {
    pub(in crate::cli) images: Arc<ImageSet>,
    pub(in crate::cli) bytes: u64,
}

/// Makes the composites of a recipe in memory.
pub(in crate::cli) fn in_memory(
    recipe: &Recipe,
    picks: &[Vec<PickedSource>],
    data: &Dataset,
    args: &CombineArgs,
) -> anyhow::Result<Composed> {
    let composer = Composer::new(recipe.grid, recipe.side)?;
    let plans = plan_composites(picks, &recipe.classes, recipe.per_class()?.0, recipe.grid)?;
    let made = crate::parallel::map(&plans, |_, plan| -> anyhow::Result<(Image, u64)> {
        let mut resizer = Resizer::new();
        let made = make(
            &composer,
            recipe,
            plan,
            |path| {
                read_source(&data.root, path).map_err(|why| {
                    InputError(format!("source image '{path}' cannot be read: {why:#}")).into()
                })
            },
            |image, width, height| resizer.resize(image, width, height, args.fit, SOURCE_FILTER),
        )
        .map_err(|error: anyhow::Error| error)?;
        let bytes = made.file.len() as u64;
        // What a student sees is what is stored: JPEG loses something.
        let stored = match recipe.format {
            crate::combine::Format::Png => made.image,
            crate::combine::Format::Jpeg { .. } => data::decode(&made.file, &Limits::default())?,
        };
        Ok((stored, bytes))
    });
    let mut images = ImageSet::with_capacity(recipe.side, plans.len());
    let mut bytes = 0;
    for (plan, made) in plans.iter().zip(made) {
        let (image, size) = made?;
        images.push(&image, plan.class)?;
        bytes += size;
    }
    Ok(Composed { images: Arc::new(images), bytes })
}
