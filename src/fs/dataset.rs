//! Writes a compressed set as files: an image folder and the files that describe it.
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

use std::path::Path;

use super::OutputFolder;
use crate::combine::{Manifest, PickedSource, SetSpec};
use crate::data::Fit;
use crate::pipeline::Originals;
use crate::pipeline::set::{self, SetBuilder, SetError, WrittenSet};
use crate::run::StorageError;

/// Makes all composites of a spec and writes them, with `metadata.jsonl`, into `out/data`. The same bytes with any number of
/// threads.
///
/// `picks[c]` are the picked images of class `c`, in the order of their ranking. `originals` gives the whole image of a source
/// path and is asked once for each use, from several threads; each thread holds one source and one composite at a time.
/// `progress` is called after every composite, from several threads, and returns `true` to go on.
///
/// # Errors
/// [`SetError`]; of several unreadable sources the first in the order of composites is reported.
pub fn write_dataset(
    out: &Path,
    spec: SetSpec,
    fit: Fit,
    picks: Vec<Vec<PickedSource>>,
    originals: &dyn Originals,
    progress: &(dyn Fn() -> bool + Sync),
) -> Result<WrittenSet, SetError> {
    let out = OutputFolder::new(out, []).map_err(StorageError::from)?;
    SetBuilder::new(spec, fit, picks)?.write(&out, originals, progress)
}

/// Writes the files that describe a set into `out`: the card, the torchvision transform and, last,
/// `manifest.json`, whose `files` then name the other two as well. `name` and `selection` are those of
/// [`card`](crate::combine::card).
///
/// # Errors
/// [`StorageError`].
pub fn write_about(
    out: &Path,
    manifest: &mut Manifest,
    name: &str,
    selection: &str,
) -> Result<(), StorageError> {
    set::write_about(&OutputFolder::new(out, [])?, manifest, name, selection)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::combine::{
        Bytes, Counts, Format, Hashes, IpcCounts, SCHEMA, Tool, read_metadata, selection_hash,
    };
    use crate::data::{ClassMap, ContentHash, Image};
    use crate::pipeline::ReadError;

    const TILES: u32 = 4;

    fn spec(format: Format) -> SetSpec {
        SetSpec {
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
    fn read(path: &str) -> Result<Image, ReadError> {
        let (class, rank) = path.trim_end_matches(".jpg").split_once('/').unwrap();
        Ok(Image::filled(20, 10, [if class == "ant" { 50 } else { 150 }, rank.parse::<u8>()? * 10, 7]))
    }

    /// Sources that `read` makes; those in the list cannot be read.
    struct Colours(&'static [&'static str]);

    impl Originals for Colours {
        fn image(&self, path: &str) -> Result<Image, ReadError> {
            if self.0.contains(&path) { Err("it is cut off".into()) } else { read(path) }
        }

        fn file_size(&self, _path: &str) -> Option<u64> {
            None
        }
    }

    fn write(
        out: &Path,
        format: Format,
        progress: &(dyn Fn() -> bool + Sync),
    ) -> Result<WrittenSet, SetError> {
        write_dataset(out, spec(format), Fit::Squash, picks(), &Colours(&[]), progress)
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

    fn manifest(written: &WrittenSet) -> Manifest {
        Manifest {
            schema: SCHEMA,
            tool: Tool::this(),
            created: None,
            spec: spec(Format::Png),
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
        let written = write(out.path(), Format::Png, &|| true).unwrap();
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
        write(out.path(), Format::Png, &|| true).unwrap();
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
            let format = Format::Jpeg { quality: 80 };
            let written = pool.install(|| write(out.path(), format, &|| true)).unwrap();
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
            let spec = spec(Format::Png);
            let originals = Colours(&["ant/4.jpg", "bee/0.jpg"]);
            let error =
                write_dataset(out.path(), spec, Fit::Squash, picks(), &originals, &|| true).unwrap_err();
            assert_eq!(
                format!("{error}: {}", std::error::Error::source(&error).unwrap()),
                "source image 'ant/4.jpg' cannot be read: it is cut off"
            );
        }
    }

    #[test]
    fn a_caller_can_stop_between_composites() {
        let out = tempfile::tempdir().unwrap();
        let made = AtomicUsize::new(0);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let result =
            pool.install(|| write(out.path(), Format::Png, &|| made.fetch_add(1, Ordering::Relaxed) < 1));
        assert!(matches!(result, Err(SetError::Stopped)));
        assert_eq!(made.into_inner(), 2);
    }
}
