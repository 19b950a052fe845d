//! Checkpoints that a disk has spoilt while a run was stopped: it goes on from the one before.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{FAST, World, assert_same};

const SCORE: &str =
    "score --data data --image-size 16 --width 4 --score-epochs 600 --device cpu --checkpoint-minutes 0";
const EVALUATE: &str =
    "evaluate --set set --data data --width 4 --steps 600 --save-student --device cpu --checkpoint-minutes 0";

/// Starts a command and kills it once the folder has two checkpoints. Gives the newer and the older one.
fn killed(world: &World, command: &str, out: &str, folder: &str) -> [PathBuf; 2] {
    let mut run = world.command(&format!("{command} --out {out}"));
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(120);
    let folder = world.path(out).join(folder);
    let found = loop {
        let names = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let found: Vec<_> = names.filter(|path| path.to_string_lossy().ends_with(".checkpoint")).collect();
        if found.len() == 2 {
            break found;
        }
        assert!(
            Instant::now() < until && run.try_wait().unwrap().is_none(),
            "no two checkpoints in {folder:?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    };
    run.kill().unwrap();
    run.wait().unwrap();
    let mut found: Vec<_> = found.into_iter().map(|path| (turn(&path), path)).collect();
    found.sort();
    let [(_, older), (_, newer)] = found.try_into().unwrap();
    [newer, older]
}

/// Number of the writing, in the line before a checkpoint.
fn turn(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap();
    serde_json::from_slice::<Value>(line).unwrap()["turn"].as_u64().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

type Damage = fn(&mut Vec<u8>);

/// Ways to spoil a file.
const DAMAGES: [(&str, Damage); 6] = [
    ("empty", Vec::clear),
    ("half", |bytes| bytes.truncate(bytes.len() / 2)),
    ("first", |bytes| bytes.truncate(40)),
    ("bit", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 16;
    }),
    ("zeros", |bytes| bytes.fill(0)),
    ("longer", |bytes| bytes.extend_from_slice(b"\n\n")),
];

#[test]
fn a_run_whose_newest_checkpoint_is_spoilt_goes_on_from_the_one_before_to_the_same_bytes() {
    let world = World::with_data();
    world.ok(&format!("{SCORE} --out whole"));
    let [newer, older] = killed(&world, SCORE, "stopped", "training-logs");
    for (name, damage) in DAMAGES {
        for (spoilt, other) in [(&newer, &older), (&older, &newer)] {
            copy(&world.path("stopped"), &world.path(name));
            let there =
                |path: &Path| world.path(name).join(path.strip_prefix(world.path("stopped")).unwrap());
            let mut bytes = fs::read(there(spoilt)).unwrap();
            damage(&mut bytes);
            fs::write(there(spoilt), bytes).unwrap();
            let run = world.ok(&format!("{SCORE} --out {name}"));
            let named = |path: &Path| {
                format!("'{name}/training-logs/{}'", path.file_name().unwrap().to_str().unwrap())
            };
            assert!(
                run.err.contains(&format!("warning: {} was changed or cut off", named(spoilt))),
                "{}",
                run.err
            );
            assert!(
                run.err.contains(&format!("goes on from the checkpoint {}", named(other))),
                "{}",
                run.err
            );
            assert_same(&world.tree("whole"), &world.tree(name));
            fs::remove_dir_all(world.path(name)).unwrap();
        }
    }
    // Both of them: the run ends and names both.
    for path in [&newer, &older] {
        fs::write(path, "").unwrap();
    }
    let run = world.fails(&format!("{SCORE} --out stopped"), 3, &["0.checkpoint'", "0.2.checkpoint'"]);
    assert!(run.err.contains("delete it"), "{}", run.err);
    for path in [&newer, &older] {
        fs::remove_file(path).unwrap();
    }
    world.ok(&format!("{SCORE} --out stopped"));
    assert_same(&world.tree("whole"), &world.tree("stopped"));
}

#[test]
fn a_student_goes_on_from_the_checkpoint_before_too_and_a_strangers_file_is_kept() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out set --ipc 2 {FAST}"));
    world.ok(&format!("{EVALUATE} --out whole"));
    let [newer, _] = killed(&world, EVALUATE, "out", "students");
    fs::write(&newer, "my notes\n").unwrap();
    let run = world.ok(&format!("{EVALUATE} --out out"));
    assert!(run.err.contains("is no checkpoint of tilepress, and was renamed to"), "{}", run.err);
    let (whole, mut out) = (world.tree("whole"), world.tree("out"));
    assert_eq!(whole["student.safetensors"], out["student.safetensors"]);
    assert_eq!(whole["answers.csv"], out["answers.csv"]);
    let name = format!("students/{}.not-tilepress", newer.file_name().unwrap().to_str().unwrap());
    assert_eq!(out.remove(&name).unwrap(), b"my notes\n");
    assert_eq!(whole.keys().collect::<Vec<_>>(), out.keys().collect::<Vec<_>>());
}
