//! `score`, `prune`, `combine` and `evaluate`, one after the other.

use crate::world::{FAST, World, assert_same};

const STUDENT: &str = "--width 4 --steps 4 --device cpu";

/// Scores, prunes and combines as `compress --ipc 2` does, into `scored`, `pruned` and `combined`.
fn stages(world: &World, seed: u32) {
    world.ok_silently(&format!("score --data data --out scored --seed {seed} {FAST}"));
    world.ok_silently(&format!(
        "prune --data data --scores scored/scores.csv --out pruned --ipc 2 --seed {seed}"
    ));
    world.ok_silently("combine --data data --selection pruned/selection.csv --out combined --image-size 16");
}

#[test]
fn the_stages_by_hand_make_what_compress_makes() {
    let world = World::with_data();
    for seed in [0, 3] {
        let world = if seed == 0 { &world } else { &World::with_data() };
        stages(world, seed);
        world.ok(&format!("compress --data data --out out --ipc 2 --seed {seed} {FAST}"));
        assert_eq!(world.read("scored/scores.csv"), world.read("out/scores.csv"));
        assert_eq!(world.read("pruned/selection.csv"), world.read("out/selection.csv"));
        assert_same(&world.tree("combined/data"), &world.tree("out/data"));
    }
}

#[test]
fn scores_depend_on_the_options_of_scoring_alone() {
    let world = World::with_data();
    let compress = |out: &str, more: &str| {
        world.ok(&format!("compress --data data --out {out} --ipc 1 {FAST} {more}"));
        world.read(&format!("{out}/scores.csv"))
    };
    let scores = compress("plain", "");
    // What students are, and how they are trained.
    assert_eq!(scores, compress("gentle", "--min-scale 0.9"));
    assert_eq!(
        scores,
        compress("other", "--evaluate --opt sgd --batch-size 3 --steps 2 --no-flip --cutout 0.5")
    );
    assert_ne!(scores, compress("own", "--score-min-scale 0.9"));
    let settings = &world.json("own/manifest.json")["options"]["settings"];
    assert_eq!((&settings["proxy_min_scale"], &settings["min_scale"]), (&0.9.into(), &0.5.into()));
}

#[test]
fn a_set_is_evaluated_at_its_own_size_and_grid() {
    let world = World::with_data();
    stages(&world, 0);
    for (set, out) in [("combined", "one"), ("combined/data", "two")] {
        let run = world.ok_silently(&format!("evaluate --set {set} --data data --out {out} {STUDENT}"));
        assert!(run.out.contains("device: CPU"), "{}", run.out);
        let report = world.json(&format!("{out}/report.json"));
        let result = &report["results"][0];
        assert_eq!(result["image_size"], 16, "{result:#}");
        assert_eq!(result["method"], "combined");
        assert_eq!(result["grid"], "2");
        assert_eq!(result["images"], 6);
        assert!(result["augment"].as_str().unwrap().starts_with("extract"));
    }
    world.ok(&format!("evaluate --set combined --data data --out three --save-student {STUDENT}"));
    assert!(world.path("three/student.safetensors").is_file());
}

#[test]
fn validation_images_are_prepared_for_the_side_of_the_set() {
    let world = World::with_data();
    world.ok_silently("prune --data data --out pruned --ipc 1 --grid 1 --rule random");
    let network = "--preset rethinkdc-hard --model convnet --width 4 --device cpu";
    // Smaller than the preset's 224 pixels, and larger than the 256 it resizes validation images to.
    for (side, resized) in [(16, 19), (264, 302)] {
        world.ok_silently(&format!(
            "combine --data data --selection pruned/selection.csv --out set{side} --grid 1 --image-size {side}"
        ));
        world.ok_silently(&format!(
            "evaluate --set set{side} --data data --out out{side} --epochs 1 --batch-size 3 {network}"
        ));
        let settings = &world.json(&format!("out{side}/report.json"))["options"]["settings"];
        assert_eq!((&settings["image_size"], &settings["val_resize"]), (&side.into(), &resized.into()));
    }
}

#[test]
fn any_folder_of_class_folders_can_be_evaluated() {
    let world = World::with_data();
    world.draw_others("few", &["ant", "bee", "cow"], 2);
    world.ok_silently(&format!("evaluate --set few --data data --out out --image-size 16 {STUDENT}"));
    assert_eq!(world.json("out/report.json")["results"][0]["grid"], "1");
}

#[test]
fn a_set_is_never_measured_on_its_own_sources() {
    let world = World::with_data();
    stages(&world, 3);
    let evaluate = |set: &str, more: &str| {
        format!("evaluate --set {set} --data data --out out --force {STUDENT} {more}")
    };
    world.fails(&evaluate("combined", ""), 3, &["--seed", "--val-fraction"]);
    world.ok_silently(&evaluate("combined", "--seed 3"));
    // What compress wrote says what was held out.
    world.ok(&format!("compress --data data --out set --ipc 2 --seed 3 {FAST}"));
    world.ok_silently(&evaluate("set", ""));
    world.ok_silently(&evaluate("set", "--seed 8"));
    world.fails(&evaluate("set", "--val-fraction 0.5"), 3, &["--val-fraction"]);
}

#[test]
fn a_set_is_never_measured_on_copies_of_its_images() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 8);
    for (hue, class) in ["ant", "bee"].into_iter().enumerate() {
        world.draw_one(&format!("data/val/{class}/00.png"), hue, 50);
    }
    for grid in [1, 2] {
        world.ok(&format!("compress --data data --out set{grid} --force --ipc 2 --grid {grid} {FAST}"));
    }
    world.ok(&format!("compress --data data --out all --ipc 8 --grid 1 {FAST}"));
    world.draw("few", &["ant", "bee"], 2);
    let evaluate =
        |set: &str| format!("evaluate --set {set} --data data --out out --force --image-size 16 {STUDENT}");
    for set in ["set1", "set2", "all", "few"] {
        world.ok_silently(&evaluate(set));
    }
    // In another encoding it is a warning: it may only look the same.
    world.copy_as_jpeg("data/train/bee/01.png", "data/val/bee/other.jpg");
    for (set, copy) in [("all", "bee/01.png"), ("few", "bee/01.png")] {
        let run = world.ok(&evaluate(set));
        let alike = "1 image to measure on looks the same as one of the set in another encoding or size, such as \
                     val/bee/other.jpg and ";
        assert!(run.err.contains(alike) && run.err.contains(copy), "{}", run.err);
        let warnings = world.json("out/report.json")["warnings"].to_string();
        assert!(warnings.contains(alike), "{warnings}");
    }
    // The same file under another name is an error, whether the set has it whole, or in a composite.
    std::fs::copy(world.path("data/train/bee/01.png"), world.path("data/val/bee/other.png")).unwrap();
    for set in ["all", "few"] {
        world.fails(&evaluate(set), 3, &["1 of the images", "val/bee/other.png", "bee/01.png", "--dedup"]);
    }
    let source = world.metadata("set2/data")[0]["tiles"][0]["source"].as_str().unwrap().to_owned();
    std::fs::remove_file(world.path("data/val/bee/other.png")).unwrap();
    world.ok(&evaluate("all"));
    std::fs::copy(world.path(&format!("data/{source}")), world.path("data/val/ant/other.png")).unwrap();
    world.fails(&evaluate("set2"), 3, &["1 of the images", "val/ant/other.png", &source]);
}

#[test]
fn a_set_of_other_classes_is_refused() {
    let world = World::with_data();
    world.draw("other", &["ant", "bee", "dog"], 6);
    world.ok(&format!("compress --data other --out set --ipc 1 {FAST}"));
    let evaluate = format!("evaluate --set set --data data --out out {STUDENT}");
    world.fails(&evaluate, 3, &["classes", "'dog'", "'cow'"]);
}

#[test]
fn an_evaluation_never_replaces_the_set_it_reads() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out set --ipc 1 {FAST}"));
    let before = world.tree("set");
    for out in ["set", "set/data", "set/results"] {
        let run = format!("evaluate --set set --data data --out {out} --force {STUDENT}");
        world.fails(&run, 3, &["--out"]);
    }
    assert_same(&before, &world.tree("set"));
}

#[test]
fn a_selection_that_does_not_fill_the_tiles_is_refused() {
    let world = World::with_data();
    world.ok("prune --data data --out pruned --ipc 3 --grid 1 --rule random");
    let combine = "combine --data data --selection pruned/selection.csv --out out --image-size 16";
    world.fails(combine, 3, &["selection.csv", "3 images a class", "--grid 2"]);
    world.ok_silently(&format!("{combine} --grid 1"));
    assert_eq!(world.names("out/data").iter().filter(|name| name.ends_with(".png")).count(), 9);
}

#[test]
fn a_selection_needs_nothing_but_paths() {
    let world = World::with_data();
    let mut list = "path\n".to_owned();
    for class in ["cow", "ant", "bee"] {
        for image in [3, 1, 2, 0] {
            list += &format!("{class}/{image:02}.png\n");
        }
    }
    world.write("list.csv", &list);
    world.ok_silently("combine --data data --selection list.csv --out out --image-size 16");
    let sources: Vec<String> = world.metadata("out/data")[0]["tiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tile| tile["source"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sources, ["ant/03.png", "ant/01.png", "ant/02.png", "ant/00.png"]);
    world.write("list.csv", &format!("{list}ant/missing.png\n"));
    let combine = "combine --data data --selection list.csv --out other";
    world.fails(combine, 3, &["ant/missing.png", "--data"]);
    world.fails(&combine.replace("list.csv", "nowhere.csv"), 3, &["nowhere.csv"]);
}

#[test]
fn random_needs_no_scores() {
    let world = World::with_data();
    let run = world.ok_silently("prune --data data --out out --ipc 2 --rule random");
    assert!(run.out.contains("kept 24 images: "), "{}", run.out);
    assert_eq!(world.csv("out/selection.csv").len(), 24);
}
