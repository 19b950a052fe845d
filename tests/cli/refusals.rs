//! What cannot be done is said with its exit code, the flag or file, and what to do.

use crate::world::{FAST, World};

#[test]
fn wrong_usage_ends_with_2_and_names_the_flag() {
    let world = World::with_data();
    let compress = "compress --data data --out out --ipc 1";
    let cases = [
        ("", "Usage"),
        ("comprss", "comprss"),
        (&format!("{compress} --gird 2"), "--gird"),
        (&format!("{compress} --grid two"), "--grid"),
        (&format!("{compress} --grid 0"), "--grid"),
        (&format!("{compress} --grid 9"), "--grid"),
        (&format!("{compress} --image-size 4"), "--image-size"),
        (&format!("{compress} --val-fraction 1.5"), "--val-fraction"),
        (&format!("{compress} --val-fraction 1"), "--val-fraction"),
        (&format!("{compress} --rule simple"), "--rule"),
        ("compare --data data --out out --ipc 1 --tune-fraction 1", "--tune-fraction"),
        (&format!("{compress} --format gif"), "--format"),
        (&format!("{compress} --quality 0"), "--quality"),
        (&format!("{compress} --device gpu"), "--device"),
        (&format!("{compress} --device cpu,cuda:0"), "mixes kinds"),
        (&format!("{compress} --device cuda:0,cuda:0"), "twice"),
        (&format!("{compress} --steps 3 --epochs 3"), "--epochs"),
        ("compress --data data --out out", "--ipc"),
        ("compress --out out --ipc 1", "--data"),
        ("compare --data data --out out --ipc 1 --methods random,easiest", "--methods"),
        ("completions tcl", "tcl"),
    ];
    for (arguments, word) in cases {
        let run = world.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments}: {run:#?}");
        assert!(run.err.contains(word) && run.out.is_empty(), "{arguments}: {run:#?}");
    }
    assert!(!world.path("out").exists());
}

#[test]
fn options_that_do_not_fit_each_other_end_with_2_before_anything_is_made() {
    let world = World::with_data();
    let sources = "compress --data data --out out --ipc 6 --ipc-counts sources --grid 2";
    world.fails(sources, 2, &["--ipc 6", "--grid"]);
    world.fails("prune --data data --out out --ipc 1", 2, &["--rule easy", "--scores"]);
    assert!(!world.path("out").exists());
}

#[test]
fn a_window_outside_the_scored_epochs_ends_with_2() {
    let world = World::with_data();
    for window in ["2..9", "0..1", "x"] {
        world.fails(&format!("score --data data --out out --window {window} {FAST}"), 2, &["--window"]);
    }
}

#[test]
fn data_that_is_not_there_ends_with_3_and_is_named() {
    let world = World::new();
    world.write("file", "");
    std::fs::create_dir(world.path("empty")).unwrap();
    for command in ["compress", "compare"] {
        let run = |data: &str| format!("{command} --data {data} --out out --ipc 1 {FAST}");
        world.fails(&run("nowhere"), 3, &["'nowhere'"]);
        world.fails(&run("file"), 3, &["'file' is a file"]);
        world.fails(&run("empty"), 3, &["no class found", "<class>/"]);
    }
    world.fails("inspect nowhere", 3, &["'nowhere'"]);
    assert!(!world.path("out").exists());
}

#[test]
fn a_single_class_ends_with_3_and_is_named() {
    let world = World::new();
    world.draw("data", &["ant"], 5);
    world.fails(&format!("compress --data data --out out --ipc 1 {FAST}"), 3, &["'ant' is the only class"]);
}

#[test]
fn a_class_that_is_too_small_is_named_with_the_remedy_before_anything_is_scored() {
    let world = World::with_data();
    for image in 4..15 {
        std::fs::remove_file(world.path(&format!("data/bee/{image:02}.png"))).unwrap();
    }
    let run = world.fails(
        &format!("compress --data data --out out --ipc 1 {FAST}"),
        3,
        &["class 'bee' has 3 images to choose from and needs 4", "--ipc", "--grid", "--fill cycle"],
    );
    assert!(!run.out.contains("scored"), "{}", run.out);
    assert!(!world.path("out").exists());
    world.fails("compress --data data --out out --ipc 1 --dry-run", 3, &["class 'bee'"]);
    // In a window there are fewer to choose from.
    let window = "--rule window --window-start 0.5";
    let compress = "compress --data data --out out --grid 1 --score-epochs 2 --device cpu";
    world.fails(&format!("{compress} --ipc 3 {window}"), 3, &["class 'bee'", "--window-start"]);
    assert!(!world.path("out").exists());
}

#[test]
fn a_file_that_cannot_be_decoded_is_skipped_with_a_warning_or_fails_the_run() {
    let world = World::with_data();
    world.write("data/ant/broken.png", "this is no PNG");
    let bytes = std::fs::read(world.path("data/cow/00.png")).unwrap();
    std::fs::write(world.path("data/cow/cut.png"), &bytes[..bytes.len() / 2]).unwrap();

    let fail = format!("compress --data data --out out --ipc 1 --on-error fail {FAST}");
    world.fails(&fail, 3, &["'ant/broken.png'", "--on-error skip"]);
    assert!(!world.path("out").exists());

    let run = world.ok(&format!("compress --data data --out out --ipc 1 {FAST}"));
    assert!(run.err.contains("warning: 2 files could not be read"), "{}", run.err);
    assert!(run.err.contains("ant/broken.png") && run.err.contains("problems.csv"), "{}", run.err);
    let problems = world.csv("out/problems.csv");
    let paths: Vec<&str> = problems.iter().map(|problem| problem["path"].as_str()).collect();
    assert_eq!(paths, ["ant/broken.png", "cow/cut.png"]);
    assert!(problems.iter().all(|problem| !problem["reason"].is_empty()), "{problems:?}");
    assert!(world.read("out/report.html").contains("ant/broken.png"));
}

#[test]
fn files_that_are_no_images_are_no_warning() {
    let world = World::with_data();
    world.write("data/LICENSE", "MIT");
    world.write("data/ant/SOURCE.txt", "somewhere");
    let compress = |out: &str| format!("compress --data data --out {out} --ipc 1 {FAST}");
    let run = world.ok_silently(&compress("out"));
    assert!(run.out.contains("2 files are no images of a class and left out: LICENSE"), "{}", run.out);
    let problems = world.csv("out/problems.csv");
    let paths: Vec<&str> = problems.iter().map(|problem| problem["path"].as_str()).collect();
    assert_eq!(paths, ["LICENSE", "ant/SOURCE.txt"]);
    let report = world.json("out/report.json");
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(run.proxy_warning.contains(warnings[0].as_str().unwrap()));
    std::fs::remove_file(world.path("data/LICENSE")).unwrap();
    let run = world.ok_silently(&compress("out2"));
    assert!(run.out.contains("1 file is no image of a class and left out: ant/SOURCE.txt"), "{}", run.out);
    // Even a run that tolerates nothing reads on.
    world.ok_silently(&format!("{} --on-error fail", compress("out3")));
}

#[test]
fn a_class_without_a_readable_image_is_named() {
    let world = World::with_data();
    world.write("data/dud/one.png", "nothing");
    world.write("data/dud/two.png", "nothing");
    let compress = format!("compress --data data --out out --ipc 1 {FAST} --fill cycle");
    world.fails(&compress, 3, &["class 'dud'"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_built_in_ends_with_4_and_leaves_nothing() {
    let world = World::with_data();
    world.fails("compress --data data --out out --ipc 1 --device cuda", 4, &["cuda"]);
    world.fails("compare --data data --out out --ipc 1 --device cuda:all", 4, &["cuda"]);
    world.fails("score --data data --out out --device cuda:0,cuda:1", 4, &["cuda:0"]);
    world.fails("doctor --device cuda", 4, &["cuda"]);
    assert!(!world.path("out").exists());
}

#[test]
fn a_precision_that_the_device_does_not_have_ends_with_4_and_leaves_nothing() {
    let world = World::with_data();
    let compress = "compress --data data --out out --ipc 1 --device cpu --precision";
    world.fails(&format!("{compress} mixed"), 4, &["--precision mixed", "--precision full", "doctor"]);
    world.fails(&format!("{compress} half"), 2, &["'half'", "full, mixed"]);
    world.fails("profile --device cpu --precision mixed", 4, &["matrix units"]);
    assert!(!world.path("out").exists());
}

#[test]
fn an_output_that_is_a_file_or_cannot_be_made_ends_with_3() {
    let world = World::with_data();
    world.write("file", "mine");
    for out in ["file", "file/out"] {
        world.fails(&format!("compress --data data --out {out} --ipc 1 --force {FAST}"), 3, &[out]);
        let score = format!("score --data data --out {out} --force {FAST}");
        world.fails(&score, 3, &[out]);
    }
    assert_eq!(world.read("file"), "mine");
}

#[test]
fn a_score_file_that_is_missing_or_lacks_a_column_is_named_before_anything_is_made() {
    let world = World::with_data();
    let compress = "compress --data data --out out --ipc 1 --scores scores.csv --image-size 16";
    world.fails(compress, 3, &["scores.csv"]);
    world.write("scores.csv", "file,el2n\nant/00.png,1\n");
    world.fails(compress, 3, &["scores.csv", "'path'"]);
    assert!(!world.path("out").exists());
    world.write("scores.csv", "path,el2n\nant/00.png,1\n");
    world.fails(compress, 3, &[" of 36 training images", "score this data folder"]);
    assert!(!world.path("out").exists());
}

#[test]
fn a_config_file_that_cannot_be_used_ends_with_2_and_is_named() {
    let world = World::with_data();
    let compress = "compress --config run.toml --data data --out out";
    world.fails(compress, 2, &["run.toml"]);
    world.write("run.toml", "ipc = [");
    world.fails(compress, 2, &["run.toml"]);
    world.write("run.toml", "no-such-option = 1\n");
    world.fails(compress, 2, &["--no-such-option"]);
}
