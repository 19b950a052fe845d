//! Packs as Parquet; those of shards are tested as a user makes them.

use std::path::Path;

use super::{Container, PackForm, PackOptions, check, pack};
use crate::combine::Format;
use crate::data::OnError;
use crate::fs::{OutputFolder, ReadOptions, list_whole, open};
use crate::run::Silent;

const JPEG: &[u8] = include_bytes!("../../../tests/data/decode/baseline.jpg");
const GIF: &[u8] = include_bytes!("../../../tests/data/decode/animated.gif");

fn data(root: &Path) {
    for class in ["ant", "bee.with.dots"] {
        for split in ["train", "val"] {
            let folder = root.join(split).join(class);
            std::fs::create_dir_all(&folder).unwrap();
            for image in 0..120 {
                // Each differs, behind the end of the image.
                let bytes = [JPEG, format!("{split}{class}{image}").as_bytes()].concat();
                std::fs::write(folder.join(format!("{image}.x.jpg")), bytes).unwrap();
            }
            std::fs::write(folder.join("torn.jpg"), &JPEG[..300]).unwrap();
            std::fs::write(folder.join("moving.gif"), GIF).unwrap();
        }
    }
}

fn options(form: PackForm) -> PackOptions {
    PackOptions {
        short_side: None,
        form,
        container: Container::Parquet,
        shard_bytes: 200_000,
        shuffle: true,
        seed: 3,
        on_error: OnError::Skip,
    }
}

#[test]
fn a_parquet_pack_gives_the_same_paths_and_bytes_and_goes_on_after_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (source, target) = (root.path().join("data"), root.path().join("out"));
    data(&source);
    let listing = list_whole(&ReadOptions::new(&source), &Silent).unwrap();
    let out = OutputFolder::new(&target, []).unwrap();
    let packed = pack(&listing, &options(PackForm::AsIs), None, (&out, false), &Silent).unwrap();
    assert_eq!((packed.images, packed.left_out), (484, 4));
    assert!(packed.shards > 2, "{packed:?}");
    let tree = open(&target).unwrap().tree;
    let paths = tree.scan().unwrap().paths;
    assert_eq!(paths.len(), 484);
    for path in &paths {
        assert_eq!(tree.read(path, 1 << 20).unwrap(), std::fs::read(source.join(path)).unwrap(), "{path}");
    }
    // A shard and the description are gone.
    let first = std::fs::read(target.join("train-000001.parquet")).unwrap();
    for name in ["train-000001.parquet", "_info.json"] {
        std::fs::remove_file(target.join(name)).unwrap();
    }
    assert!(check(&out, &Silent).is_err());
    pack(&listing, &options(PackForm::AsIs), None, (&out, false), &Silent).unwrap();
    assert_eq!(std::fs::read(target.join("train-000001.parquet")).unwrap(), first);
    assert_eq!(check(&out, &Silent).unwrap(), packed);
    // A byte of an image.
    let mut changed = first.clone();
    let at = changed.windows(8).position(|window| window == &JPEG[300..308]).unwrap();
    changed[at] ^= 1;
    std::fs::write(target.join("train-000001.parquet"), changed).unwrap();
    let error = check(&out, &Silent).unwrap_err().to_string();
    assert!(error.contains("train-000001.parquet") && error.contains("is not what was written"), "{error}");
    drop(out);
    let out = OutputFolder::new(&target, []).unwrap();
    let again =
        pack(&listing, &options(PackForm::Encoded(Format::Png)), None, (&out, true), &Silent).unwrap();
    assert_eq!(check(&out, &Silent).unwrap(), again);
}
