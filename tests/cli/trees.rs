//! Trees as people have them: what is taken for what, what is left out, and what ends a run.

use crate::world::{FAST, FAST_STUDENTS, World};

const HEIC: &[u8] = b"\0\0\0\x24ftypheic\0\0\0\0mif1heic";

fn fill(world: &World, class: &str, name: &str, files: u32, bytes: &[u8]) {
    std::fs::create_dir_all(world.path(class)).unwrap();
    for file in 0..files {
        std::fs::write(world.path(&format!("{class}/{name}{file}")), bytes).unwrap();
    }
}

#[test]
fn a_test_split_alone_is_measured_on_aloud_unless_a_share_is_named() {
    let world = World::new();
    world.draw("data/archive/Training", &["ant", "bee"], 8);
    world.draw_others("data/archive/Testing", &["ant", "bee"], 3);
    let compress = format!("compress --data data --ipc 1 --grid 1 {FAST}");
    let run = world.ok(&format!("{compress} --out one"));
    assert!(run.err.contains("warning: archive/Testing/ is measured on"), "{}", run.err);
    let report = world.json("one/report.json");
    assert_eq!((&report["data"]["val"], &report["data"]["val_origin"]), (&6.into(), &"given".into()));
    assert_eq!(report["data"]["layout"]["val"], "archive/Testing");
    assert!(report["warnings"][0].as_str().unwrap().contains("Testing/"), "{}", report["warnings"]);

    world.ok(&format!("{compress} --out two --val-fraction 0.25"));
    let report = world.json("two/report.json");
    assert_eq!((&report["data"]["train"], &report["data"]["val"]), (&12.into(), &4.into()));
    assert!(world.read("two/problems.csv").contains("archive/Testing/ant/00.png"));
}

#[test]
fn classes_whose_files_are_all_left_out_are_named_with_the_reason_and_listed() {
    let world = World::with_data();
    fill(&world, "data/dog", "IMG_", 5, HEIC);
    fill(&world, "data/elk", "IMG_", 9, b"");
    let words = ["'dog'", "5 files were left out, the first, dog/IMG_0", "'elk'", "9 files"];
    for command in ["compress", "compare"] {
        world.fails(&format!("{command} --data data --out {command} --ipc 1 {FAST}"), 3, &words);
        assert_eq!(world.csv(&format!("{command}/problems.csv")).len(), 14);
    }
    // Nothing is written beside what is the user's, and the list is in nobody's way.
    world.write("mine/holiday.txt", "sun");
    world.fails(&format!("compress --data data --out mine --ipc 1 {FAST}"), 3, &words);
    assert_eq!(world.names("mine"), ["holiday.txt"]);
    for class in ["dog", "elk"] {
        std::fs::remove_dir_all(world.path(&format!("data/{class}"))).unwrap();
    }
    world.ok(&format!("compress --data data --out compress --ipc 1 {FAST}"));
}

#[test]
fn a_class_that_is_too_small_as_files_were_left_out_says_so() {
    let world = World::with_data();
    fill(&world, "data/dog", "IMG_", 9, HEIC);
    world.draw_one("data/dog/1.png", 1, 99);
    let words = ["'dog'", "1 image to choose", "9 files were left out, the first, dog/IMG_0"];
    world.fails(&format!("compress --data data --out out --ipc 1 {FAST}"), 3, &words);
    assert_eq!(world.csv("out/problems.csv").len(), 9);
}

#[test]
fn what_is_held_out_is_drawn_from_files_that_can_be_read() {
    let world = World::with_data();
    world.draw_one("data/dog/0.png", 0, 77);
    std::fs::write(world.path("data/dog/1.png"), b"").unwrap();
    for seed in 0..4 {
        world.ok(&format!("compress --data data --out {seed} --ipc 1 --grid 1 --seed {seed} {FAST}"));
    }
}

#[test]
fn without_images_to_measure_on_nothing_trains() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 6);
    fill(&world, "data/val/ant", "x", 1, b"xx");
    fill(&world, "data/val/bee", "x", 1, b"xx");
    world.ok(&format!("compress --data data --out set --ipc 1 --grid 1 {FAST}"));
    for command in ["compress --evaluate --ipc 1 --grid 1", "compare --ipc 1 --grid 1", "evaluate --set set"]
    {
        let fast =
            if command.starts_with("evaluate") { "--width 4 --steps 4 --device cpu" } else { FAST_STUDENTS };
        let run = world.fails(
            &format!("{command} --data data --out out {fast}"),
            3,
            &["none of the validation images in val/ can be read", "val/ant/x0"],
        );
        assert!(!run.err.contains("--val-fraction") && !run.out.contains("scored"), "{run:#?}");
    }
}

#[test]
fn a_class_without_validation_images_is_not_measured() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 6);
    world.draw_others("data/val", &["ant"], 3);
    let run =
        world.ok(&format!("compress --evaluate --data data --out out --ipc 1 --grid 1 {FAST_STUDENTS}"));
    assert!(run.err.contains("not measured: class 'bee'"), "{}", run.err);
    let classes = &world.json("out/report.json")["results"][0]["per_class"];
    assert!(classes[0]["top1"].is_number() && classes[1]["top1"].is_null(), "{classes}");
    assert!(world.read("out/report.html").contains("not measured"));
}

#[cfg(unix)]
#[test]
fn an_error_of_reading_ends_the_run_and_a_pipe_does_not_hang_it() {
    use std::os::unix::fs::symlink;

    let world = World::with_data();
    let compress = |out: &str| format!("compress --data data --out {out} --ipc 1 {FAST}");
    symlink("/nowhere/at/all", world.path("data/dog")).unwrap();
    world.fails(&compress("a"), 3, &["data/dog", "/nowhere/at/all"]);
    std::fs::remove_file(world.path("data/dog")).unwrap();
    if cfg!(target_os = "linux") {
        symlink("/proc/self/mem", world.path("data/ant/x.png")).unwrap();
        world.fails(&compress("b"), 1, &["data/ant/x.png"]);
        std::fs::remove_file(world.path("data/ant/x.png")).unwrap();
    }
    let pipe = std::process::Command::new("mkfifo").arg(world.path("data/ant/pipe.png")).status();
    assert!(pipe.unwrap().success());
    let run = world.ok(&compress("c"));
    assert!(run.err.contains("ant/pipe.png (not a regular file)"), "{}", run.err);
    world.fails(&format!("{} --on-error fail", compress("d")), 3, &["ant/pipe.png"]);
}

#[test]
fn copies_in_another_class_or_among_the_validation_images_are_told_of_all_images() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 8);
    world.draw_others("data/val", &["ant", "bee"], 3);
    std::fs::copy(world.path("data/train/ant/01.png"), world.path("data/train/bee/copy.png")).unwrap();
    world.copy_as_jpeg("data/train/ant/02.png", "data/val/ant/copy.jpg");
    let run = world.ok(&format!("compress --data data --out out --ipc 1 --grid 1 {FAST}"));
    assert!(
        run.err.contains("1 file lies in two classes: train/ant/01.png and train/bee/copy.png"),
        "{}",
        run.err
    );
    assert!(run.err.contains("train/ant/02.png and val/ant/copy.jpg are the same picture"), "{}", run.err);
    assert!(world.json("out/report.json")["warnings"].as_array().unwrap().len() >= 2);
}

#[test]
fn a_table_may_be_written_with_other_folders_in_front() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 3);
    world.draw_others("data/val", &["ant", "bee"], 1);
    let absolute = format!("{}/", world.path("data").display());
    for (number, front) in ["train\\", &absolute, "data/", ""].into_iter().enumerate() {
        let row = |class: &str, image: u32| {
            let path = format!("train/{class}/{image:02}.png");
            let path = if front == "train\\" { path.replace('/', "\\") } else { format!("{front}{path}") };
            format!("{path},{image}\n")
        };
        let rows: String =
            ["ant", "bee"].iter().flat_map(|class| (0..3).map(|image| row(class, image))).collect();
        world.write("s.csv", &format!("path,score\n{rows}"));
        world.ok(&format!("prune --data data --out {number} --ipc 1 --grid 1 --scores s.csv"));
        let kept = world.csv(&format!("{number}/selection.csv"));
        assert_eq!(kept[0]["path"], "train/ant/00.png");
    }
    world.write("s.csv", "path,score\nx/ant/00.png,1\n");
    let prune = "prune --data data --out no --ipc 1 --grid 1 --scores s.csv";
    world.fails(prune, 3, &["lacks 6 of 6", "'x/ant/00.png'", "train/ant/00.png"]);
    world.write("s.csv", "path,score\na/0.png,1\na/0.png,2\n");
    let run = world.fails(prune, 3, &["'a/0.png' stands in line 2 already"]);
    assert_eq!(run.err.matches("stands in line 2").count(), 1, "{}", run.err);
}
