//! `compress`: what it leaves, and what is in it.

use std::collections::BTreeMap;

use crate::world::{FAST, FAST_STUDENTS, World};

#[test]
fn compress_leaves_the_files_that_others_script_against() {
    let world = World::with_data();
    let run = world.ok_silently(&format!("compress --data data --out out --ipc 2 {FAST}"));
    let mut expected = vec!["README.md".to_owned(), "classes.json".to_owned()];
    for class in ["ant", "bee", "cow"] {
        expected.extend([0, 1].map(|image| format!("data/{class}/{image:04}.png")));
    }
    expected.extend(
        ["data/metadata.jsonl", "manifest.json", "report.csv", "report.html", "report.json", "scores.csv"]
            .map(str::to_owned),
    );
    expected
        .extend(["selection.csv", "tilepress_transform.py", "training-log.safetensors"].map(str::to_owned));
    assert_eq!(world.names("out"), expected);
    assert!(run.out.contains("36 training images and 9 held out"), "{}", run.out);
    assert!(run.out.contains("classes: 0 ant, 1 bee, 2 cow\n"), "{}", run.out);
    assert!(run.out.contains("36 images (") && run.out.contains("became 6 composites ("), "{}", run.out);
    assert!(!run.out.contains("\n\n"), "{}", run.out);

    let scores = world.csv("out/scores.csv");
    assert_eq!(scores.len(), 36);
    for column in
        ["path", "class", "metric", "window", "runs", "value", "rank", "el2n_epoch_1", "el2n_epoch_2"]
    {
        assert!(scores[0].contains_key(column), "{column}");
    }
    let selection = world.csv("out/selection.csv");
    assert_eq!(selection.len(), 3 * 2 * 4);
    assert_eq!(world.json("out/classes.json"), serde_json::json!(["ant", "bee", "cow"]));
}

#[test]
fn the_defaults_are_those_of_the_small_preset() {
    let world = World::with_data();
    world.ok("compress --data data --out out --ipc 1 --score-epochs 1 --device cpu");
    let manifest = world.json("out/manifest.json");
    assert_eq!(crate::world::size(&world.path("out/data/ant/0000.png")), (64, 64));
    assert_eq!(manifest["grid"], "2", "{manifest:#}");
    let settings = &manifest["options"]["settings"];
    assert_eq!(settings["architecture"], "convnet-d", "{settings:#}");
    assert_eq!(settings["width"], 32);
    assert_eq!(manifest["options"]["preset"], "small");
}

#[test]
fn the_easiest_of_each_class_are_kept_in_the_interleaved_order() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out out --ipc 2 {FAST}"));
    let mut by_class: BTreeMap<String, Vec<(f64, String)>> = BTreeMap::new();
    for row in world.csv("out/scores.csv") {
        let entry = (row["value"].parse().unwrap(), row["path"].clone());
        by_class.entry(row["class"].clone()).or_default().push(entry);
    }
    for scores in by_class.values_mut() {
        scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    for record in world.metadata("out/data") {
        let class = record["class"].as_str().unwrap();
        let composite: usize = record["file_name"].as_str().unwrap()[class.len() + 1..]
            .trim_end_matches(".png")
            .parse()
            .unwrap();
        let tiles = record["tiles"].as_array().unwrap();
        assert_eq!(tiles.len(), 4);
        for (place, tile) in tiles.iter().enumerate() {
            let rank = place * 2 + composite;
            assert_eq!(tile["rank"], rank as u64);
            let (score, path) = &by_class[class][rank];
            assert_eq!(tile["source"].as_str(), Some(path.as_str()));
            assert_eq!(tile["score"].as_f64(), Some(*score));
        }
    }
}

#[test]
fn a_report_says_that_images_were_held_out() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out out --ipc 1 --val-fraction 0.4 {FAST}"));
    let report = world.json("out/report.json");
    assert_eq!(report["data"]["val"], 18, "{:#}", report["data"]);
    assert_eq!(report["data"]["train"], 27);
    assert!(world.read("out/report.html").contains("held out"));
}

#[test]
fn a_val_folder_is_used_and_nothing_held_out() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 8);
    world.draw("data/val", &["ant", "bee"], 2);
    for hue in 0..2 {
        // Other pictures than those to learn from.
        for image in 0..2 {
            let class = ["ant", "bee"][hue];
            world.draw_one(&format!("data/val/{class}/{image:02}.png"), hue, 100 + image);
        }
    }
    let run = world.ok_silently(&format!("compress --data data --out out --ipc 2 {FAST}"));
    assert!(run.out.contains("16 training and 4 validation images"), "{}", run.out);
    assert!(!world.read("out/report.html").contains("held out"));
    assert!(world.csv("out/selection.csv").iter().all(|row| row["path"].starts_with("train/")));
}

#[test]
fn images_lie_as_deep_in_their_class_as_they_like() {
    let world = World::new();
    for (hue, class) in ["ant", "bee"].into_iter().enumerate() {
        for image in 0..6 {
            world.draw_one(&format!("data/{class}/{}/more/{image}.png", image % 2), hue, image);
        }
    }
    let run = world.ok(&format!("compress --data data --out out --ipc 1 {FAST}"));
    assert!(run.err.contains("the folders within a class folder belong to the class"), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    let selection = world.csv("out/selection.csv");
    assert!(selection.iter().all(|row| row["path"].split('/').count() == 4), "{selection:?}");
}

#[test]
fn evaluate_in_the_same_command_reports_students() {
    let world = World::with_data();
    let run = world.ok_silently(&format!(
        "compress --data data --out out --ipc 2 --evaluate --repeats 2 {FAST_STUDENTS}"
    ));
    assert!(run.out.contains("95 % interval"), "{}", run.out);
    let results = &world.json("out/report.json")["results"];
    assert_eq!(results[0]["method"], "pca");
    assert_eq!(results[0]["top1"]["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_set_is_called_by_what_was_done_to_make_it() {
    let world = World::with_data();
    for (options, name) in [
        ("--rule random", "random-composites"),
        ("--rule random --grid 1", "random"),
        ("--rule hard --grid 1", "el2n-hard"),
        ("--rule hard", "el2n-hard-composites"),
        ("--rule window", "el2n-window-composites"),
        ("--rule window --window-start 0.3 --grid 1", "el2n-window-0.3"),
        ("--grid 1", "el2n"),
        ("--grid 1x2", "pca"),
    ] {
        world.ok(&format!(
            "compress --data data --out out --force --ipc 1 --evaluate {options} {FAST_STUDENTS}"
        ));
        assert_eq!(world.json("out/report.json")["results"][0]["method"], name, "{options}");
    }
}

#[test]
fn a_set_by_a_score_made_elsewhere_is_not_said_to_be_by_el2n() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out first --ipc 1 {FAST}"));
    let scores = world.read("first/scores.csv").replace(",el2n,", ",score,");
    world.write("scores.csv", &scores);
    let compress = "compress --data data --out out --ipc 1 --scores scores.csv --image-size 16";
    world.ok(compress);
    assert!(world.read("out/README.md").contains("the easiest of each class by a score made elsewhere"));
    // The scores that the folder keeps say so, too.
    world.ok(&format!("{compress} --evaluate --width 4 --steps 4 --device cpu"));
    assert_eq!(world.json("out/report.json")["results"][0]["method"], "score-composites");
}

#[test]
fn a_set_that_stands_is_evaluated_later_without_scoring_again() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out out --ipc 2 {FAST}"));
    let before = world.tree("out/data");
    // How students are trained is no property of the set.
    let run = world.ok(&format!("compress --data data --out out --ipc 2 {FAST} --evaluate --steps 6"));
    assert!(run.out.contains("going on with what is in out"), "{}", run.out);
    assert!(!run.out.contains("scored "), "{}", run.out);
    crate::world::assert_same(&before, &world.tree("out/data"));
    let report = world.json("out/report.json");
    assert_eq!(report["results"].as_array().unwrap().len(), 1);
}

#[test]
fn a_proxy_that_has_hardly_learned_is_warned_about_with_a_remedy() {
    let world = World::with_data();
    let run = world.ok(&format!("compress --data data --out out --ipc 2 {FAST}"));
    assert!(run.proxy_warning.contains("chance: 33.3 %"), "{run:#?}");
    assert!(run.proxy_warning.contains("--score-epochs"), "{run:#?}");
    let report = std::fs::read_to_string(world.path("out/report.json")).unwrap();
    assert!(report.contains("the proxy got only"));
    // Scores made elsewhere come from no proxy of ours.
    let given = world.ok("compress --data data --out again --ipc 2 --scores out/scores.csv --image-size 16");
    assert_eq!(given.proxy_warning, "");
}
