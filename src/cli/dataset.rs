//! Writes a compressed set as files: an image folder and what tells about it.
//!
//! ```text
//! out/data/<class>/<number>.png     the composites
//! out/data/metadata.jsonl           where every tile comes from
//! out/README.md                     the dataset card
//! out/tilepress_transform.py        patch extraction for torchvision
//! out/manifest.json
//! ```
//!
//! The card and the transform lie beside `data`, not in it: Hugging Face reads the card at the root, and
//! Python leaves a `__pycache__` folder beside a module it imports, which `ImageFolder` would take for a
//! class without images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::output::{OutputError, write_atomic};
pub use crate::combine::DATA;
use crate::combine::{
    CombineError, Composer, CompositePlan, CompositeRecord, METADATA, Made, Manifest, PickedSource, Recipe,
    about, make, plan_composites, write_metadata,
};
use crate::data::{ContentHash, Image};

/// Composites that are made between two looks at whether something went wrong. A fixed number, so that
/// the error reported does not depend on the number of threads.
const BATCH: usize = 256;

/// A compressed set that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The picks and the recipe do not fit each other, or a composite could not be encoded.
    #[error(transparent)]
    Combine(#[from] CombineError),
    /// A source image could not be read.
    #[error("source image '{path}' cannot be read")]
    Source {
        /// Path relative to the source folder.
        path: String,
        /// Why.
        source: anyhow::Error,
    },
    /// A file could not be written.
    #[error("cannot write '{path}'", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be put in its place.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The caller asked to stop.
    #[error("stopped before all composites were written")]
    Stopped,
}

/// What [`write_dataset`] wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenDataset {
    /// Hash of every file; paths are relative to the output folder, `/` between their parts.
    pub files: BTreeMap<String, ContentHash>,
    /// Bytes of all composites.
    pub composite_bytes: u64,
    /// The records of `metadata.jsonl`.
    pub records: Vec<CompositeRecord>,
}

/// Makes all composites of a recipe and writes them, with `metadata.jsonl`, into `out/data`. The same
/// bytes with any number of threads.
///
/// `picks[c]` are the picked images of class `c`, in the order of their ranking. `read` gives the whole
/// image of a source path and is called once for each use, from several threads; each thread holds one
/// source and one composite at a time. `shrink` makes the resize of one composite. `progress` is called
/// after every composite, from several threads, and says whether to go on.
///
/// # Errors
/// [`DatasetError`]; of several unreadable sources the first in the order of composites is reported.
pub fn write_dataset<S>(
    out: &Path,
    recipe: &Recipe,
    picks: &[Vec<PickedSource>],
    read: impl Fn(&str) -> anyhow::Result<Image> + Sync + Send,
    shrink: impl Fn() -> S + Sync + Send,
    progress: impl Fn() -> bool + Sync + Send,
) -> Result<WrittenDataset, DatasetError>
where
    S: FnMut(&Image, u32, u32) -> Image,
{
    let composer = Composer::new(recipe.grid, recipe.side)?;
    let (per_class, _) = recipe.per_class()?;
    let plans = plan_composites(picks, &recipe.classes, per_class, recipe.grid)?;
    let data = out.join(DATA);
    for class in recipe.classes.names() {
        let folder = data.join(class);
        std::fs::create_dir_all(&folder).map_err(|source| DatasetError::Write { path: folder, source })?;
    }

    let stopped = AtomicBool::new(false);
    let make_one = |plan: &CompositePlan<'_>| -> Result<(CompositeRecord, ContentHash, u64), DatasetError> {
        if stopped.load(Ordering::Relaxed) {
            return Err(DatasetError::Stopped);
        }
        let Made { record, file, .. } = make(
            &composer,
            recipe,
            plan,
            |path| read(path).map_err(|source| DatasetError::Source { path: path.to_owned(), source }),
            shrink(),
        )?;
        write(&data, &record.file_name, &file)?;
        if !progress() {
            stopped.store(true, Ordering::Relaxed);
        }
        Ok((record, ContentHash::of(&file), file.len() as u64))
    };

    let mut written = WrittenDataset::default();
    for batch in plans.chunks(BATCH) {
        for made in crate::parallel::map(batch, |_, plan| make_one(plan)) {
            let (record, hash, bytes) = made?;
            written.files.insert(format!("{DATA}/{}", record.file_name), hash);
            written.composite_bytes += bytes;
            written.records.push(record);
        }
    }
    let mut metadata = Vec::new();
    write_metadata(&mut metadata, &written.records)
        .map_err(|source| DatasetError::Write { path: data.join(METADATA), source })?;
    write(&data, METADATA, &metadata)?;
    written.files.insert(format!("{DATA}/{METADATA}"), ContentHash::of(&metadata));
    Ok(written)
}

/// Writes what tells about a set into `out`: the card, the torchvision transform and, last,
/// `manifest.json`, whose `files` then name the other two as well. `name` and `selection` are those of
/// [`card`](crate::combine::card).
///
/// # Errors
/// [`DatasetError::Output`].
pub fn write_about(
    out: &Path,
    manifest: &mut Manifest,
    name: &str,
    selection: &str,
) -> Result<(), DatasetError> {
    for (file, text) in about(manifest, name, selection) {
        // `manifest.json` comes last, over the draft that a run began with: a kill must leave the one or the other.
        write_atomic(&out.join(file), text.as_bytes())?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), DatasetError> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|source| DatasetError::Write { path, source })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::combine::{
        Bytes, Counts, Format, Hashes, IpcCounts, SCHEMA, Tool, read_metadata, selection_hash,
    };
    use crate::data::ClassMap;

    const TILES: u32 = 4;

    fn recipe(format: Format) -> Recipe {
        Recipe {
            seed: 1,
            ipc: 3,
            ipc_counts: IpcCounts::Composites,
            grid: "2".parse().unwrap(),
            side: 9,
            fit: "squash".to_owned(),
            filter: "bilinear".to_owned(),
            format,
            classes: ClassMap::new(["ant", "bee"].map(str::to_owned)),
        }
    }

    fn picks() -> Vec<Vec<PickedSource>> {
        ["ant", "bee"]
            .map(|class| {
                (0..3 * TILES)
                    .map(|rank| PickedSource {
                        path: format!("{class}/{rank}.jpg"),
                        hash: ContentHash::of(format!("{class}{rank}").as_bytes()),
                        score: Some(f64::from(rank) / 7.0),
                        rank,
                    })
                    .collect()
            })
            .into()
    }

    /// One colour a source: red is its class, green its rank.
    fn read(path: &str) -> anyhow::Result<Image> {
        let (class, rank) = path.trim_end_matches(".jpg").split_once('/').unwrap();
        Ok(Image::filled(20, 10, [if class == "ant" { 50 } else { 150 }, rank.parse::<u8>()? * 10, 7]))
    }

    fn shrink() -> impl FnMut(&Image, u32, u32) -> Image {
        |image: &Image, width, height| Image::filled(width, height, image.pixels()[..3].try_into().unwrap())
    }

    fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                    files.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
        files
    }

    fn manifest(written: &WrittenDataset) -> Manifest {
        Manifest {
            schema: SCHEMA,
            tool: Tool::this(),
            created: None,
            recipe: recipe(Format::Png),
            min_scale: None,
            options: serde_json::json!({}),
            counts: Counts { classes: 2, source: 24, kept_sources: 24, composites: 6 },
            bytes: Bytes { source: 1, kept_sources: 1, out: written.composite_bytes },
            hashes: Hashes { source_set: ContentHash::of(b""), selection: selection_hash(&picks()) },
            files: written.files.clone(),
        }
    }

    #[test]
    fn a_set_is_an_image_folder_with_every_file_hashed() {
        let out = tempfile::tempdir().unwrap();
        let written =
            write_dataset(out.path(), &recipe(Format::Png), &picks(), read, shrink, || true).unwrap();
        let mut manifest = manifest(&written);
        write_about(out.path(), &mut manifest, "set", "at random").unwrap();

        let files = tree(out.path());
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "README.md",
                "data/ant/0000.png",
                "data/ant/0001.png",
                "data/ant/0002.png",
                "data/bee/0000.png",
                "data/bee/0001.png",
                "data/bee/0002.png",
                "data/metadata.jsonl",
                "manifest.json",
                "tilepress_transform.py"
            ]
        );
        let read_back = Manifest::read(files["manifest.json"].as_slice()).unwrap();
        assert_eq!(read_back, manifest);
        assert_eq!(read_back.files.len(), files.len() - 1);
        assert!(read_back.files.iter().all(|(name, hash)| ContentHash::of(&files[name]) == *hash));
        let bytes: usize = files.iter().filter(|(n, _)| n.ends_with(".png")).map(|(_, b)| b.len()).sum();
        assert_eq!(written.composite_bytes, bytes as u64);
    }

    #[test]
    fn every_tile_shows_the_source_its_record_names() {
        let out = tempfile::tempdir().unwrap();
        write_dataset(out.path(), &recipe(Format::Png), &picks(), read, shrink, || true).unwrap();
        let files = tree(out.path());
        let records = read_metadata(files["data/metadata.jsonl"].as_slice()).unwrap();
        assert_eq!(records.len(), 6);
        for record in &records {
            let bytes = &files[&format!("data/{}", record.file_name)];
            let image = image::load_from_memory(bytes).unwrap().to_rgb8();
            assert_eq!(record.tiles.len(), TILES as usize);
            for tile in &record.tiles {
                let expected = &read(&tile.source).unwrap().pixels()[..3].to_vec();
                let r = tile.rect();
                assert!(tile.source.starts_with(&record.class));
                assert_eq!(&image.get_pixel(r.x, r.y).0, expected.as_slice());
                assert_eq!(&image.get_pixel(r.x + r.width - 1, r.y + r.height - 1).0, expected.as_slice());
            }
        }
    }

    #[test]
    fn any_number_of_threads_writes_the_same_bytes() {
        let with = |threads: usize| {
            let out = tempfile::tempdir().unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let recipe = recipe(Format::Jpeg { quality: 80 });
            let written =
                pool.install(|| write_dataset(out.path(), &recipe, &picks(), read, shrink, || true)).unwrap();
            (tree(out.path()), written)
        };
        let one = with(1);
        assert!(one.0.contains_key("data/bee/0002.jpg"));
        assert_eq!(one, with(5));
    }

    #[test]
    fn an_unreadable_source_is_named_whichever_thread_met_it() {
        for _ in 0..20 {
            let out = tempfile::tempdir().unwrap();
            let read = |path: &str| match path {
                "ant/4.jpg" | "bee/0.jpg" => Err(anyhow::anyhow!("it is cut off")),
                other => read(other),
            };
            let error =
                write_dataset(out.path(), &recipe(Format::Png), &picks(), read, shrink, || true).unwrap_err();
            assert_eq!(
                format!("{:#}", anyhow::Error::from(error)),
                "source image 'ant/4.jpg' cannot be read: it is cut off"
            );
        }
    }

    #[test]
    fn a_caller_can_stop_between_composites() {
        let out = tempfile::tempdir().unwrap();
        let made = AtomicUsize::new(0);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let result = pool.install(|| {
            write_dataset(out.path(), &recipe(Format::Png), &picks(), read, shrink, || {
                made.fetch_add(1, Ordering::Relaxed) < 1
            })
        });
        assert!(matches!(result, Err(DatasetError::Stopped)));
        assert_eq!(made.into_inner(), 2);
    }
}
