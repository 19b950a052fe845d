//! Runs that were interrupted, and folders that are there already.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::world::{FAST, FAST_STUDENTS, FAST_UNSCORED, World, assert_same};

/// `compress` whose proxy trains for so long that there is time to stop it.
const LONG: &str =
    "compress --data data --out out --ipc 2 --image-size 16 --width 4 --score-epochs 1500 --device cpu";

#[test]
fn a_finished_set_is_left_as_it_is_and_not_scored_again() {
    let world = World::with_data();
    let compress = format!("compress --data data --out out --ipc 2 {FAST}");
    let first = world.ok(&compress);
    assert!(first.out.contains("scored 36 images"), "{}", first.out);
    let before = world.tree("out");
    let second = world.ok_silently(&compress);
    assert!(second.out.contains("going on with what is in out"), "{}", second.out);
    assert!(!second.out.contains("scored 36 images"), "{}", second.out);
    let mut after = world.tree("out");
    for report in ["report.json", "report.html"] {
        // They tell the date.
        after.insert(report.to_owned(), before[report].clone());
    }
    assert_same(&before, &after);
}

#[test]
fn other_options_are_refused_and_the_difference_is_said() {
    let world = World::with_data();
    let compress = |more: &str| format!("compress --data data --out out --ipc 2 {FAST} {more}");
    world.ok(&compress(""));
    let before = world.tree("out");
    let cases = [
        ("--ipc 1", "ipc was 2 when the folder was made and is 1 now"),
        ("--seed 5", "seed was 0 when the folder was made and is 5 now"),
        ("--grid 1x2", "grid was \"2\" when the folder was made and is \"1x2\" now"),
        ("--rule hard", "rule"),
        ("--score-epochs 3", "epochs"),
        ("--format jpeg", "format"),
        ("--val-fraction 0.3", "val_fraction"),
    ];
    for (more, difference) in cases {
        world.fails(&compress(more), 3, &["--out out", difference, "--force"]);
    }
    // So is other data.
    world.draw_one("data/cow/new.png", 2, 99);
    world.fails(&compress(""), 3, &["source images"]);
    assert_same(&before, &world.tree("out"));
    world.ok(&compress("--ipc 1 --force"));
    assert!(!world.names("out").contains(&"data/ant/0001.png".to_owned()));
}

#[test]
fn what_is_missing_of_a_set_is_made_again() {
    let world = World::with_data();
    let compress = format!("compress --data data --out out --ipc 2 {FAST}");
    world.ok(&compress);
    let before = world.tree("out/data");
    let manifest = world.read("out/manifest.json");
    let redo = || {
        let run = world.ok(&compress);
        assert!(!run.out.contains("scored 36 images"), "{}", run.out);
        assert_same(&before, &world.tree("out/data"));
        assert_eq!(manifest, world.read("out/manifest.json"));
        assert!(world.path("out/report.html").is_file());
    };
    std::fs::remove_dir_all(world.path("out/data")).unwrap();
    for report in ["report.json", "report.csv", "report.html"] {
        std::fs::remove_file(world.path("out").join(report)).unwrap();
    }
    redo();
    std::fs::remove_file(world.path("out/data/bee/0001.png")).unwrap();
    std::fs::remove_file(world.path("out/selection.csv")).unwrap();
    redo();
}

#[test]
fn a_strangers_folder_is_replaced_by_nothing() {
    let world = World::with_data();
    world.write("out/mine.txt", "mine");
    let compress = format!("compress --data data --out out --ipc 1 {FAST}");
    world.fails(&compress, 3, &["--out out", "it is not empty", "--force"]);
    assert_eq!(world.names("out"), ["mine.txt"]);
    world.fails(&format!("{compress} --force"), 3, &["--out out", "mine.txt", "nothing was deleted"]);
    assert_eq!(world.read("out/mine.txt"), "mine");
}

#[test]
fn force_never_touches_the_data() {
    let world = World::with_data();
    let before = world.tree("data");
    for out in ["data", "data/out", ".", "data/../data"] {
        let run = format!("compress --data data --out {out} --force --ipc 1 {FAST}");
        world.fails(&run, 3, &["--out"]);
        let run = format!("compare --data data --out {out} --force --ipc 1 --methods random {FAST_UNSCORED}");
        world.fails(&run, 3, &["--out"]);
        assert_same(&before, &world.tree("data"));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_with_130_and_goes_on_afterwards() {
    let world = World::with_data();
    // What is kept in memory is no part of a run: it may go on with more.
    let mut child = start(&world, &format!("{LONG} --memory 0MB"));
    wait_for(&mut child, &world.path("out/manifest.json"));
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("finishing the step in progress") && err.contains("error: interrupted"), "{err}");
    assert!(!world.path("out/scores.csv").exists());

    let run = world.ok(LONG);
    assert!(run.out.contains("going on with what is in out"), "{}", run.out);
    world.ok(&LONG.replace("--out out", "--out whole"));
    assert_same(&world.tree("whole/data"), &world.tree("out/data"));
    assert_eq!(world.read("whole/manifest.json"), world.read("out/manifest.json"));
}

#[test]
fn an_image_that_changes_under_a_run_that_reads_it_again_ends_it_with_3_and_its_name() {
    let world = World::with_data();
    world.ok(&LONG.replace("--out out", "--out whole"));
    // Images that the proxy learns from, and none that was held out.
    let scored = world.csv("whole/scores.csv");
    for (row, word) in [(3, "was changed while it was used"), (20, "was read before")] {
        let image = &scored[row]["path"];
        let path = world.path(&format!("data/{image}"));
        let before = std::fs::read(&path).unwrap();
        let mut child = start(&world, &format!("{LONG} --memory 0MB"));
        wait_for(&mut child, &world.path("out/manifest.json"));
        if word.contains("changed") {
            std::fs::write(&path, b"another file").unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{err}");
        assert!(err.contains(image.as_str()) && err.contains(word), "{err}");
        assert!(!world.path("out/scores.csv").exists());
        std::fs::write(&path, before).unwrap();
        world.ok(LONG);
        assert_same(&world.tree("whole/data"), &world.tree("out/data"));
        std::fs::remove_dir_all(world.path("out")).unwrap();
    }
}

#[test]
fn a_killed_run_leaves_a_folder_that_the_same_command_completes() {
    let world = World::with_data();
    let compress = |out: &str| format!("compress --data data --out {out} --ipc 2 {FAST}");
    world.ok(&compress("whole"));
    let mut whole = world.tree("whole");
    whole.retain(|name, _| !name.starts_with("report."));
    for stage in ["classes.json", "manifest.json", "scores.csv", "selection.csv", "data", "report.json"] {
        let out = format!("after-{stage}");
        let mut child = start(&world, &compress(&out));
        wait_for(&mut child, &world.path(&out).join(stage));
        child.kill().unwrap();
        child.wait().unwrap();
        world.ok(&compress(&out));
        let mut tree = world.tree(&out);
        tree.retain(|name, _| !name.starts_with("report."));
        assert_same(&whole, &tree);
    }
}

#[test]
fn a_run_killed_while_it_scores_is_completed() {
    let world = World::with_data();
    let mut child = start(&world, LONG);
    wait_for(&mut child, &world.path("out/classes.json"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!world.path("out/scores.csv").exists());
    world.ok(LONG);
    assert!(world.path("out/report.html").is_file());
}

#[test]
fn a_training_log_is_found_under_the_name_of_earlier_versions() {
    let world = World::with_data();
    let rename = |from: &str, to: &str| std::fs::rename(world.path(from), world.path(to)).unwrap();
    let compress = format!("compress --data data --out out --ipc 2 {FAST}");
    world.ok(&compress);
    rename("out/training-log.safetensors", "out/training-log.bin");
    std::fs::remove_file(world.path("out/report.json")).unwrap();
    world.ok(&compress);
    assert_eq!(world.json("out/report.json")["scoring"]["epochs"], 2);

    let compare =
        format!("compare --data data --out both --ipc 1 --methods el2n --repeats 1 {FAST_STUDENTS}");
    world.ok(&compare);
    // Those of a comparison have no seal that says what they belong to, and are refused by their name.
    std::fs::copy(world.path("out/training-log.bin"), world.path("both/training-logs/0.bin")).unwrap();
    std::fs::remove_file(world.path("both/training-logs/0.safetensors")).unwrap();
    world.fails(&compare, 3, &["training-logs/0.bin", "delete it"]);
}

fn start(world: &World, arguments: &str) -> Child {
    world.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `file` is there; a run that ends before has left it.
fn wait_for(child: &mut Child, file: &Path) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} does not come", file.display());
        if child.try_wait().unwrap().is_some() {
            assert!(file.exists(), "the run ended without {}", file.display());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
