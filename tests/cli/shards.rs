//! Work that several processes share without a word to each other ends in the bytes that one would have written.

use std::fs;

use crate::world::{World, assert_same};

/// Three classes of images to learn from and two each to measure on, with a file that is no image in each part, and a selection of
/// 8 images a class.
fn world() -> World {
    let world = World::new();
    world.draw("data/train", &["ant", "bee", "cow"], 12);
    world.draw_others("data/val", &["ant", "bee", "cow"], 2);
    world.write("data/train/bee/zz.png", "no image");
    world.write("data/val/cow/zz.png", "no image");
    world.write("data/train/LICENCE", "free");
    world.ok("prune --data data --out pruned --ipc 2 --rule random --seed 4");
    world
}

const COMBINE: &str = "combine --data data --selection pruned/selection.csv --image-size 32 --min-scale 0.4";
const PACK: &str = "pack --data data --short-side 16 --shard-size 64kB --seed 5";

/// Files of a folder without the lock and what a run says of itself on the way.
fn made(world: &World, folder: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = world.tree(folder);
    files.retain(|name, _| !name.starts_with('.'));
    files
}

fn merged(world: &World, command: &str, name: &str, of: usize) {
    for number in (1..=of).rev() {
        world.ok(&format!("{command} --out {name}-{number} --shard {number}/{of}"));
    }
    // In any order.
    let folders: Vec<String> = (1..=of).map(|number| format!("{name}-{}", (number % of) + 1)).collect();
    world.ok(&format!("merge {} --out {name}", folders.join(" ")));
}

#[test]
fn composites_of_shards_are_joined_into_the_set_that_one_process_makes() {
    let world = world();
    world.ok(&format!("{COMBINE} --out whole"));
    let whole = made(&world, "whole");
    for name in [
        "data/cow/0001.png",
        "data/metadata.jsonl",
        "manifest.json",
        "README.md",
        "problems.csv",
        "classes.json",
    ] {
        assert!(whole.contains_key(name), "{name}");
    }
    // More shards than composites leave some with none.
    for of in [1, 2, 4, 9] {
        let name = format!("joined{of}");
        merged(&world, COMBINE, &name, of);
        assert_same(&whole, &made(&world, &name));
    }
    // A list of mere paths, and JPEG.
    let paths: Vec<String> =
        world.csv("pruned/selection.csv").iter().map(|row| row["path"].clone()).collect();
    world.write("paths.csv", &format!("path\n{}\n", paths.join("\n")));
    let command = "combine --data data --selection paths.csv --grid 1x2 --format jpeg --fit crop";
    world.ok(&format!("{command} --out plain"));
    merged(&world, command, "plain3", 3);
    assert_same(&made(&world, "plain"), &made(&world, "plain3"));
}

#[test]
fn packs_of_shards_are_joined_into_the_pack_that_one_process_writes() {
    let world = world();
    for (name, options) in [("small", ""), ("asis", "--format as-is --no-shuffle"), ("png", "--format png")] {
        let command = match options {
            "--format as-is --no-shuffle" => format!("pack --data data --shard-size 64kB {options}"),
            _ => format!("{PACK} {options}"),
        };
        world.ok(&format!("{command} --out {name}-whole"));
        let whole = made(&world, &format!("{name}-whole"));
        assert!(
            whole.contains_key("train-000000.tar") && whole.contains_key("problems.csv"),
            "{:?}",
            whole.keys()
        );
        for of in [2, 5] {
            let joined = format!("{name}{of}");
            merged(&world, &command, &joined, of);
            assert_same(&whole, &made(&world, &joined));
            world.ok(&format!("pack --out {joined} --check"));
        }
    }
}

#[test]
fn a_pack_of_several_files_is_cut_where_one_process_cuts_it_and_goes_on_after_a_kill() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 40);
    let command = "pack --data data --shard-size 64kB --seed 5";
    world.ok(&format!("{command} --out whole"));
    let whole = made(&world, "whole");
    assert!(whole.contains_key("train-000001.tar"), "{:?}", whole.keys());
    merged(&world, command, "joined", 3);
    assert_same(&whole, &made(&world, "joined"));
    // What a merge and a shard that were killed leave: the last files are missing.
    for gone in [
        "joined/_info.json",
        "joined/train-000001.tar",
        "joined-2/part.json",
        "joined-2/index/train-000000.csv",
    ] {
        fs::remove_file(world.path(gone)).unwrap();
    }
    world.fails(
        "merge joined-1 joined-2 joined-3 --out joined",
        3,
        &["joined-2", "no finished shard", "once more"],
    );
    world.ok(&format!("{command} --out joined-2 --shard 2/3"));
    let run = world.ok("merge joined-1 joined-2 joined-3 --out joined");
    assert!(run.out.contains("going on"), "{}", run.out);
    assert_same(&whole, &made(&world, "joined"));
}

#[test]
fn a_shard_of_composites_that_was_killed_is_made_again_and_one_that_is_finished_is_not() {
    let world = world();
    world.ok(&format!("{COMBINE} --out whole"));
    for number in 1..=2 {
        world.ok(&format!("{COMBINE} --out part{number} --shard {number}/2"));
    }
    let before = made(&world, "part1");
    let run = world.ok(&format!("{COMBINE} --out part1 --shard 1/2"));
    assert!(run.out.contains("this shard is finished"), "{}", run.out);
    for gone in ["part.json", "samples.csv", "data/metadata.jsonl"] {
        fs::remove_file(world.path("part1").join(gone)).unwrap();
        world.ok(&format!(
            "{COMBINE} --out part1 --shard 1/2 {}",
            if gone == "part.json" { "" } else { "--force" }
        ));
        assert_same(&before, &made(&world, "part1"));
    }
    world.ok("merge part1 part2 --out joined");
    // A merge that was killed before the last file.
    fs::remove_file(world.path("joined/README.md")).unwrap();
    world.ok("merge part1 part2 --out joined");
    assert_same(&made(&world, "whole"), &made(&world, "joined"));
}

#[test]
fn shards_that_make_no_whole_are_named() {
    let world = world();
    for (command, name) in [(COMBINE, "set"), (PACK, "pack")] {
        for number in 1..=3 {
            world.ok(&format!("{command} --out {name}{number} --shard {number}/3"));
        }
        let (one, two, three) = (format!("{name}1"), format!("{name}2"), format!("{name}3"));
        world.fails(
            &format!("merge {one} {three} --out out"),
            2,
            &["shard 2 is missing", "2 of 3", "--shard 2/3"],
        );
        world.fails(
            &format!("merge {one} {two} {one} {three} --out out"),
            2,
            &["shard 1/3 was given twice", &one],
        );
        world.ok(&format!("{command} --out {name}-of2 --shard 2/2"));
        world.fails(
            &format!("merge {one} {name}-of2 {three} --out out"),
            2,
            &["other data or options", "2/2"],
        );
        world.fails(&format!("merge {one} data {three} --out out"), 3, &["'data' holds no shard"]);
        assert!(!world.path("out").exists());
        // The folder of a shard holds no other run, and a whole one no shard.
        world.fails(&format!("{command} --out {one}"), 3, &[&one]);
        world.fails(&format!("{command} --out {one} --shard 2/3"), 3, &["shard", &one]);
    }
    world.ok(&format!("{COMBINE} --quality 80 --format jpeg --out jpeg --shard 2/3"));
    world.fails("merge set1 jpeg set3 --out out", 2, &["other data or options", "spec.format"]);
    world.ok("pack --data data --short-side 16 --shard-size 64kB --seed 6 --out seed6 --shard 2/3");
    world.fails("merge pack1 seed6 pack3 --out out", 2, &["options.seed is 5 there and 6 here"]);
    world.fails("merge set1 pack2 --out out", 2, &["'set1' is a shard of combine", "'pack2' one of pack"]);
    // Another list, and other images.
    world.ok("prune --data data --out others --ipc 2 --rule random --seed 5");
    let other = COMBINE.replace("pruned", "others");
    world.ok(&format!("{other} --out other --shard 2/3"));
    world.fails("merge set1 other set3 --out out", 2, &["other data or options", "selection"]);
    world.draw_one("data/train/ant/new.png", 0, 77);
    for (command, name) in [(COMBINE, "set"), (PACK, "pack")] {
        world.ok(&format!("{command} --out new-{name} --shard 2/3"));
        world.fails(
            &format!("merge {name}1 new-{name} {name}3 --out out"),
            2,
            &["other data or options", "source"],
        );
    }
    for wrong in ["0/3", "4/3", "3", "a/b", "1/3/4"] {
        world.fails(&format!("{COMBINE} --out no --shard {wrong}"), 2, &["--shard", "such as 2/8"]);
    }
    world.fails(&format!("{PACK} --out no --shard 1/2 --check"), 2, &["--check", "merge"]);
}

#[test]
fn what_was_spoilt_in_a_shard_is_named_and_nothing_is_joined() {
    let world = world();
    for number in 1..=2 {
        world.ok(&format!("{COMBINE} --out set{number} --shard {number}/2"));
        world.ok(&format!("{PACK} --out pack{number} --shard {number}/2"));
    }
    let spoil = |name: &str| {
        let path = world.path(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    for name in ["set1/data/ant/0001.png", "set2/samples.csv", "set1/selection.csv", "pack2/train-000000.tar"]
    {
        let before = fs::read(world.path(name)).unwrap();
        spoil(name);
        let kind = &name[..name.len().min(4)].trim_end_matches(['1', '2', '/']).to_owned();
        let kind = if kind.starts_with("set") { "set" } else { "pack" };
        world.fails(&format!("merge {kind}1 {kind}2 --out out-{kind}"), 3, &[name]);
        fs::write(world.path(name), before).unwrap();
    }
    // An image that was changed after one of two shards read it is shown by no set.
    let shown = world.metadata("set2/data")[0]["tiles"][0]["source"].as_str().unwrap().to_owned();
    world.draw_one(&format!("data/{shown}"), 0, 99);
    world.ok(&format!("{COMBINE} --out later1 --shard 1/2"));
    world.fails("merge later1 set2 --out out", 2, &["other data or options", "source"]);
}
