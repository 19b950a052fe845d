//! One seed, one result.

use crate::world::{FAST, World, assert_same};

#[test]
fn one_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let world = World::with_data();
    let files = |threads: u32| {
        let out = format!("out{threads}");
        world.ok(&format!("compress --data data --out {out} --ipc 2 --seed 7 --runs 2 -j {threads} {FAST}"));
        let mut files = world.tree(&out);
        // Reports tell the date and the seconds.
        files.retain(|name, _| !name.starts_with("report."));
        files
    };
    let one = files(1);
    for name in ["scores.csv", "selection.csv", "manifest.json", "data/metadata.jsonl", "data/cow/0001.png"] {
        assert!(one.contains_key(name), "{name}");
    }
    assert_same(&one, &files(2));
    assert_same(&one, &files(3));
}

#[test]
fn another_seed_gives_other_scores() {
    let world = World::with_data();
    for seed in [0, 1] {
        world.ok(&format!("compress --data data --out out{seed} --ipc 1 --seed {seed} {FAST}"));
    }
    assert_ne!(world.read("out0/scores.csv"), world.read("out1/scores.csv"));
}
