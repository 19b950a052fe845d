//! One data set in all forms: the same images give the same scores and the same selection, byte for byte.

use std::fs;
use std::path::Path;

use crate::world::{FAST, World, assert_same};

const CLASSES: [&str; 3] = ["n01440764", "n02100735", "n02119789"];

/// A small ImageNet in `data`, with the oddities of the real one: a PNG named JPEG, CMYK and YCCK, gray images, an EXIF block of
/// nonsense, and a file that cannot be read.
fn imagenet() -> World {
    let world = World::new();
    for (class, name) in CLASSES.iter().enumerate() {
        for image in 0..9 {
            world.draw_one(&format!("png/{image}.png"), class, image);
            let to = format!("data/train/{name}/{name}_{image}.JPEG");
            fs::create_dir_all(world.path(&to).parent().unwrap()).unwrap();
            world.copy_as_jpeg(&format!("png/{image}.png"), &to);
        }
    }
    let odd = |name: &str| fs::read(Path::new("tests/data/decode").join(name)).unwrap();
    let put = |path: &str, bytes: &[u8]| fs::write(world.path(&format!("data/train/{path}")), bytes).unwrap();
    put("n02100735/n02100735_2933.JPEG", &fs::read(world.path("png/0.png")).unwrap());
    put("n01440764/n01440764_cmyk.JPEG", &odd("cmyk.jpg"));
    put("n01440764/n01440764_ycck.JPEG", &odd("ycck.jpg"));
    put("n02119789/n02119789_gray.JPEG", &odd("gray.jpg"));
    let plain = fs::read(world.path("data/train/n02119789/n02119789_1.JPEG")).unwrap();
    let nonsense: Vec<u8> =
        b"Exif\0\0MM\0\x2a\xff\xff\xff\xff".iter().copied().chain((0..90).map(|n| n * 37)).collect();
    let length = (nonsense.len() as u16 + 2).to_be_bytes();
    put(
        "n02119789/n02119789_exif.JPEG",
        &[&plain[..2], &[0xff, 0xe1], &length, &nonsense, &plain[2..]].concat(),
    );
    put("n02119789/n02119789_torn.JPEG", &plain[..plain.len() / 2]);
    put("n02119789/n02119789.with.dots.JPEG", &plain[..]);
    // Four validation images of each class, numbered across the classes.
    for number in 0..12 {
        world.draw_one("png/val.png", number % 3, 500 + number as u32);
        let to = format!("data/val/{}/ILSVRC2012_val_{:08}.JPEG", CLASSES[number % 3], number + 1);
        fs::create_dir_all(world.path(&to).parent().unwrap()).unwrap();
        world.copy_as_jpeg("png/val.png", &to);
    }
    world
}

/// The shorter side of an image, whatever its format is.
fn short_side(bytes: &[u8]) -> u32 {
    let reader = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().unwrap();
    let (width, height) = reader.into_dimensions().unwrap();
    width.min(height)
}

/// A tar of files, each a name and the path of its content in the world.
fn tar(world: &World, to: &str, files: &[(String, String)]) {
    fs::create_dir_all(world.path(to).parent().unwrap()).unwrap();
    let mut tar = tar::Builder::new(fs::File::create(world.path(to)).unwrap());
    for (name, path) in files {
        tar.append_path_with_name(world.path(path), name).unwrap();
    }
    tar.finish().unwrap();
}

/// The data set as one tar, and as the official archives with the list of the Kaggle competition.
fn archives(world: &World) {
    let names = world.names("data");
    let files: Vec<(String, String)> =
        names.iter().rev().map(|name| (format!("./{name}"), format!("data/{name}"))).collect();
    tar(world, "one.tar", &files);
    let mut inner = Vec::new();
    for class in CLASSES {
        let own = names.iter().filter_map(|name| name.strip_prefix(&format!("train/{class}/")));
        let files: Vec<_> = own.map(|name| (name.to_owned(), format!("data/train/{class}/{name}"))).collect();
        tar(world, &format!("inner/{class}.tar"), &files);
        inner.push((format!("{class}.tar"), format!("inner/{class}.tar")));
    }
    tar(world, "official/ILSVRC2012_img_train.tar", &inner);
    let val: Vec<(String, String)> = names
        .iter()
        .filter(|name| name.starts_with("val/"))
        .map(|name| (name.rsplit('/').next().unwrap().to_owned(), format!("data/{name}")))
        .collect();
    tar(world, "official/ILSVRC2012_img_val.tar", &val);
    let rows: String = (0..12)
        .map(|number| format!("ILSVRC2012_val_{:08},{} 1 2 3 4 \n", number + 1, CLASSES[number % 3]))
        .collect();
    world.write("official/LOC_val_solution.csv", &format!("ImageId,PredictionString\n{rows}"));
}

#[test]
fn all_forms_of_a_data_set_give_the_same_scores_and_the_same_set() {
    let world = imagenet();
    archives(&world);
    let run = world.ok("pack --data data --out shards --shard-size 64kB");
    assert!(run.err.contains("1 file could not be read and was left out"), "{}", run.err);
    assert_eq!(world.csv("shards/problems.csv")[0]["path"], "train/n02119789/n02119789_torn.JPEG");
    assert!(world.names("shards").len() > 8, "{:?}", world.names("shards"));
    let forms = [
        ("data", "data", ""),
        ("one.tar", "tar", "read as a tar of images"),
        ("official", "official", "read as ImageNet's official archives (ILSVRC2012_img_train.tar of 3 tars"),
        ("shards", "shards", "of a WebDataset with 45 samples"),
        ("shards/_info.json", "info", "of a WebDataset"),
        ("shards/*.tar", "glob", "of a WebDataset"),
    ];
    for (data, out, said) in forms {
        let run = world.ok(&format!("compress --data {data} --out out/{out} --ipc 2 --grid 1 {FAST}"));
        assert!(run.out.contains("3 classes") && run.out.contains(said), "{data}: {}", run.out);
        if !out.starts_with("data") {
            for file in ["scores.csv", "selection.csv", "classes.json", "data/metadata.jsonl"] {
                assert_eq!(
                    world.read(&format!("out/{out}/{file}")),
                    world.read(&format!("out/data/{file}")),
                    "{data}: {file}"
                );
            }
            assert_same(&world.tree(&format!("out/{out}/data")), &world.tree("out/data/data"));
        }
    }
    for out in ["tar", "official"] {
        assert_eq!(world.read(&format!("out/{out}/problems.csv")), world.read("out/data/problems.csv"));
    }
    // Each stage on its own, and the other commands that take data.
    world.ok(&format!("score --data official --out scored {FAST}"));
    assert_eq!(world.read("scored/scores.csv"), world.read("out/data/scores.csv"));
    world.ok("prune --data one.tar --out pruned --ipc 2 --grid 1 --scores scored/scores.csv");
    world
        .ok("combine --data shards --out combined --selection pruned/selection.csv --grid 1 --image-size 16");
    assert_same(&world.tree("combined/data"), &world.tree("out/data/data"));
    let shown = world.ok("inspect official --sheet sheet.png").out;
    assert!(shown.contains("3 classes, 34 images, 12 in val"), "{shown}");
    world.ok("evaluate --data shards --set out/data --out measured --width 4 --steps 2 --device cpu");
    let run = world.ok(
        "evaluate --data data --set one.tar --out whole --width 4 --steps 2 --device cpu --image-size 16",
    );
    assert!(run.out.contains("one.tar   11  1"), "{}", run.out);
}

#[test]
fn results_are_kept_apart_from_archives_that_are_read() {
    let world = imagenet();
    archives(&world);
    let compress =
        |data: &str, out: &str| format!("compress --data {data} --out {out} --ipc 1 --grid 1 {FAST}");
    world.fails(&compress("official", "official/out"), 3, &["lie within each other"]);
    world.fails(
        &compress("official/ILSVRC2012_img_train.tar", "official"),
        3,
        &["ILSVRC2012_img_train.tar' lies in"],
    );
    world.fails(&compress("official/*.tar", "official"), 3, &["lies in"]);
    world.ok("pack --data one.tar --out shards");
    world.fails(&compress("shards/_info.json", "shards"), 3, &["lies in"]);
    world.fails("pack --data one.tar --out .", 3, &["one.tar' lies in"]);
    world.write("run.toml", "data = \"one.tar\"\nipc = 1\n");
    world.ok(&format!("compress --config run.toml --out beside --grid 1 {FAST}"));
}

#[test]
fn a_pack_has_the_same_bytes_from_any_form_with_any_threads_and_after_a_kill() {
    let world = imagenet();
    archives(&world);
    let pack = "--shard-size 64kB --short-side 16 --quality 80";
    world.ok(&format!("pack --data data --out a --threads 1 {pack}"));
    world.ok(&format!("pack --data official --out b --threads 4 {pack} --check"));
    let same = |one: &str, two: &str| {
        let (mut one, mut two) = (world.tree(one), world.tree(two));
        // The name of the data set is that of what was packed.
        for tree in [&mut one, &mut two] {
            tree.remove("_info.json");
        }
        assert_same(&one, &two);
    };
    same("a", "b");
    // As a kill leaves it: some shards whole, one without its table, no description.
    for name in ["_info.json", "index/train-000000.csv", "train-000001.tar", "problems.csv"] {
        fs::remove_file(world.path(&format!("b/{name}"))).unwrap();
    }
    world.write("b/.tilepress-x", "half a shard");
    world.fails("pack --out b --check", 3, &["no finished pack"]);
    let kept = fs::metadata(world.path("b/val-000000.tar")).unwrap().modified().unwrap();
    let run = world.ok(&format!("pack --data official --out b {pack} --check"));
    assert!(run.out.contains("going on with") && run.out.contains("checked 45 images"), "{}", run.out);
    assert_eq!(fs::metadata(world.path("b/val-000000.tar")).unwrap().modified().unwrap(), kept);
    same("a", "b");
    assert!(!world.path("b/.tilepress-x").exists());
    // Other options or images are another pack.
    world.fails(
        "pack --data official --out b --shard-size 64kB --short-side 20",
        3,
        &["other options or images", "--force"],
    );
    world.write("b/mine.txt", "mine");
    world.fails(
        &format!("pack --data data --out b {pack} --seed 1 --force"),
        3,
        &["did not write", "mine.txt"],
    );
}

#[test]
fn a_pack_that_was_changed_is_found_by_check() {
    let world = imagenet();
    world.ok("pack --data data --out a --shard-size 64kB");
    world.ok_silently("pack --out a --check");
    let row = world.csv("a/index/val-000000.csv").remove(2);
    let offset: usize = row["offset"].parse().unwrap();
    let whole = fs::read(world.path("a/val-000000.tar")).unwrap();
    let mut changed = whole.clone();
    changed[offset + 30] ^= 1;
    fs::write(world.path("a/val-000000.tar"), &changed).unwrap();
    world.fails("pack --out a --check", 3, &["val-000000.tar", &row["path"], "is not what was written"]);
    fs::write(world.path("a/val-000000.tar"), &whole[..whole.len() - 1024]).unwrap();
    world.fails("pack --out a --check", 3, &["val-000000.tar", "cut off"]);
    fs::write(world.path("a/val-000000.tar"), &whole).unwrap();
    fs::remove_file(world.path("a/train-000001.tar")).unwrap();
    world.fails("pack --out a --check", 3, &["train-000001.tar", "missing"]);
}

#[test]
fn packed_images_are_shrunk_or_keep_their_bytes() {
    let world = imagenet();
    world.ok("pack --data data --out small --short-side 16 --format png");
    world.ok("pack --data data --out large --short-side 4000");
    world.ok("pack --data data --out kept --no-shuffle");
    for (pack, side) in [("small", Some(16)), ("large", None), ("kept", None)] {
        let bytes = fs::read(world.path(&format!("{pack}/train-000000.tar"))).unwrap();
        let rows = world.csv(&format!("{pack}/index/train-000000.csv"));
        for row in rows.iter().filter(|row| row["problem"].is_empty()) {
            let number = |column: &str| row[column].parse::<usize>().unwrap();
            let image = &bytes[number("offset")..number("offset") + number("length")];
            let source = fs::read(world.path(&format!("data/{}", row["path"]))).unwrap();
            match side {
                None => assert!(image == source, "{pack}: {}", row["path"]),
                Some(side) => {
                    assert_eq!(short_side(image), side.min(short_side(&source)), "{}", row["path"]);
                }
            }
        }
        let order: Vec<&String> = rows.iter().map(|row| &row["path"]).collect();
        assert_eq!(order.is_sorted(), pack == "kept", "{pack}");
    }
    world.fails(
        "pack --data data --out x --short-side 16 --format as-is",
        2,
        &["--short-side has no effect"],
    );
    world.fails("pack --data data --out x --format png --quality 5", 2, &["--quality has no effect"]);
    world.fails("pack --out kept --check --seed 3", 2, &["--seed has no effect"]);
    world.fails("pack --out x", 2, &["--data"]);
}
