//! What the options do to the set.

use std::collections::BTreeSet;

use crate::world::{FAST, FAST_STUDENTS, FAST_UNSCORED, World, size};

fn compress(world: &World, out: &str, more: &str) {
    world.ok(&format!("compress --data data --out {out} {FAST} {more}"));
}

#[test]
fn every_grid_covers_a_composite_of_any_size() {
    let world = World::with_data();
    for (grid, tiles) in [("1", 1), ("2", 4), ("3", 9), ("1x2", 2)] {
        for side in [16, 17] {
            let out = format!("out-{grid}-{side}");
            compress(&world, &out, &format!("--ipc 1 --grid {grid} --image-size {side}"));
            let records = world.metadata(&format!("{out}/data"));
            assert_eq!(records.len(), 3);
            for record in records {
                let file = world.path(&out).join("data").join(record["file_name"].as_str().unwrap());
                assert_eq!(size(&file), (side, side));
                let boxes = record["tiles"].as_array().unwrap();
                assert_eq!(boxes.len(), tiles);
                let area: u64 = boxes
                    .iter()
                    .map(|tile| tile["box"][2].as_u64().unwrap() * tile["box"][3].as_u64().unwrap())
                    .sum();
                assert_eq!(area, u64::from(side * side));
            }
        }
    }
}

#[test]
fn a_whole_image_at_its_own_size_is_stored_as_it_is() {
    let world = World::new();
    for (hue, class) in ["ant", "bee"].into_iter().enumerate() {
        for image in 0..4 {
            world.draw_one(&format!("drawn/{class}/{image}.png"), hue, image);
            let drawn = image::open(world.path(&format!("drawn/{class}/{image}.png"))).unwrap();
            std::fs::create_dir_all(world.path("data").join(class)).unwrap();
            let path = world.path(&format!("data/{class}/{image}.png"));
            drawn.crop_imm(0, 0, 16, 16).save(path).unwrap();
        }
    }
    compress(&world, "out", "--ipc 2 --grid 1");
    for record in world.metadata("out/data") {
        let stored = world.path("out/data").join(record["file_name"].as_str().unwrap());
        let source = world.path("data").join(record["tiles"][0]["source"].as_str().unwrap());
        assert_eq!(image::open(stored).unwrap().to_rgb8(), image::open(source).unwrap().to_rgb8());
    }
}

#[test]
fn jpeg_files_are_jpeg_and_smaller_at_a_lower_quality() {
    let world = World::with_data();
    let bytes = |quality: u32| -> usize {
        let out = format!("out{quality}");
        compress(&world, &out, &format!("--ipc 2 --format jpeg --quality {quality}"));
        let files = world.tree(&format!("{out}/data"));
        let images: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(".jpg")).collect();
        assert_eq!(images.len(), 6);
        assert!(images.iter().all(|(_, bytes)| bytes.starts_with(&[0xff, 0xd8])));
        images.iter().map(|(_, bytes)| bytes.len()).sum()
    };
    assert!(bytes(20) < bytes(80));
}

#[test]
fn ipc_can_count_sources() {
    let world = World::with_data();
    compress(&world, "out", "--ipc 8 --ipc-counts sources");
    assert_eq!(world.metadata("out/data").len(), 6);
    assert_eq!(world.csv("out/selection.csv").len(), 24);
}

#[test]
fn a_class_that_is_too_small_can_be_filled() {
    let world = World::new();
    world.draw("data", &["ant", "bee"], 15);
    for image in 3..15 {
        std::fs::remove_file(world.path(&format!("data/bee/{image:02}.png"))).unwrap();
    }
    let run = world.ok(&format!("compress --data data --out out --ipc 1 --fill cycle {FAST}"));
    assert!(run.err.contains("warning: ") && run.err.contains("--fill cycle"), "{}", run.err);
    let bees: Vec<_> =
        world.csv("out/selection.csv").into_iter().filter(|row| row["class"] == "bee").collect();
    assert_eq!(bees.len(), 4);
    assert!(bees.iter().map(|row| &row["path"]).collect::<BTreeSet<_>>().len() < 4);
}

#[test]
fn the_rules_take_what_they_say() {
    let world = World::with_data();
    let chosen = |out: &str, more: &str| -> (BTreeSet<String>, Vec<f64>) {
        compress(&world, out, &format!("--ipc 3 --grid 1 {more}"));
        let rows = world.csv(&format!("{out}/selection.csv"));
        let ants: Vec<_> = rows.into_iter().filter(|row| row["class"] == "ant").collect();
        let scores = ants.iter().filter_map(|row| row["score"].parse().ok()).collect();
        (ants.into_iter().map(|row| row["path"].clone()).collect(), scores)
    };
    let mut scores: Vec<f64> = {
        chosen("easy", "--rule easy");
        let rows = world.csv("easy/scores.csv");
        rows.iter().filter(|row| row["class"] == "ant").map(|row| row["value"].parse().unwrap()).collect()
    };
    scores.sort_by(f64::total_cmp);
    assert_eq!(scores.len(), 12);
    assert_eq!(chosen("easy2", "--rule easy").1, scores[..3]);
    let mut hard = chosen("hard", "--rule hard").1;
    hard.sort_by(f64::total_cmp);
    assert_eq!(hard, scores[9..]);
    assert_eq!(chosen("window", "--rule window --window-start 0.5").1, scores[6..9]);
    let random = chosen("random", "--rule random").0;
    assert_eq!(random, chosen("random2", "--rule random").0);
    assert_ne!(random, chosen("random3", "--rule random --seed 1").0);
    assert_eq!(random.len(), 3);
}

#[test]
fn duplicates_and_copies_shared_with_val_are_reported_or_left_out() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 6);
    for (hue, class) in ["ant", "bee"].into_iter().enumerate() {
        world.draw_one(&format!("data/val/{class}/0.png"), hue, 50);
    }
    let copy = |from: &str, to: &str| std::fs::copy(world.path(from), world.path(to)).unwrap();
    copy("data/train/ant/00.png", "data/train/ant/copy.png");
    copy("data/train/ant/01.png", "data/val/ant/shared.png");
    let all = "--ipc 7 --grid 1 --fill cycle";
    let run = world.ok(&format!("compress --data data --out out {all} {FAST}"));
    let alike = "--rule easy: 1 group of kept images look alike (report.html shows them);";
    assert!(run.err.contains(alike), "{}", run.err);
    assert!(run.err.contains("--rule easy: 1 kept image is also in the validation set"), "{}", run.err);
    let findings = &world.json("out/report.json")["findings"];
    assert_eq!(findings["near_duplicates"]["count"], 1, "{findings:#}");
    assert_eq!(findings["shared_with_val"]["examples"][0]["train"], "train/ant/01.png");
    assert_eq!(findings["shared_with_val"]["examples"][0]["val"], "val/ant/shared.png");
    // Without a report, and of several methods.
    let run = world.ok(&format!("prune --data data --out list --rule random {all}"));
    assert!(run.err.contains("--rule random: 1 group of kept images look alike;"), "{}", run.err);
    let methods = "--methods random,pca --repeats 1";
    let run = world.ok(&format!("compare --data data --out both {methods} {all} {FAST_STUDENTS}"));
    for alike in
        ["random: 1 group of kept images look alike;", "pca: 1 group of kept images look alike (report"]
    {
        assert!(run.err.contains(alike), "{}", run.err);
    }

    // Seven ants, less one of a pair and one that is in val.
    let run = world.ok(&format!("compress --data data --out clean --ipc 5 --grid 1 --dedup {FAST}"));
    assert!(!run.err.contains("warning"), "{}", run.err);
    let rows = world.csv("clean/selection.csv");
    let paths: BTreeSet<&str> = rows.iter().map(|row| row["path"].as_str()).collect();
    assert!(!paths.contains("train/ant/01.png"));
    assert!(paths.contains("train/ant/00.png") != paths.contains("train/ant/copy.png"));
    let more = format!("compress --data data --out more --ipc 6 --grid 1 --dedup {FAST}");
    world.fails(&more, 3, &["class 'ant'", "2 images left out by --dedup"]);
}

#[test]
fn copies_of_validation_images_in_another_encoding_are_reported_or_left_out() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 6);
    world.draw("data/val", &["ant", "bee"], 1);
    for (hue, class) in ["ant", "bee"].into_iter().enumerate() {
        world.draw_one(&format!("data/val/{class}/00.png"), hue, 50);
    }
    world.copy_as_jpeg("data/train/ant/01.png", "data/val/ant/copy.jpg");
    let methods = "--methods random,el2n --repeats 1";
    let run = world.ok(&format!("compare --data data --out out {methods} --ipc 6 {FAST_STUDENTS}"));
    let alike = "random: 1 kept image looks the same as one of the validation set in another encoding or size, such as \
                 train/ant/01.png and val/ant/copy.jpg, which flatters accuracy; --dedup leaves them out";
    assert!(run.err.contains(alike), "{}", run.err);
    let report = world.json("out/report.json");
    let shared = &report["findings"]["shared_with_val"];
    assert_eq!(shared["count"], 1, "{shared:#}");
    assert_eq!(shared["examples"][0]["same_file"], false);
    assert!(shared["examples"][0]["distance"].as_u64().unwrap() <= 6);
    assert!(world.read("out/report.html").contains("looks the same"));

    let clean = format!("compare --data data --out clean {methods} --ipc 5 --dedup {FAST_STUDENTS}");
    assert!(!world.ok(&clean).err.contains("warning"));
    let run = format!("compare --data data --out more {methods} --ipc 6 --dedup {FAST_STUDENTS}");
    world.fails(&run, 3, &["class 'ant'", "1 image left out by --dedup"]);
}

#[test]
fn copies_stay_on_one_side_of_a_hold_out() {
    let world = World::with_data();
    for class in ["ant", "bee", "cow"] {
        for image in 0..15 {
            let from = format!("data/{class}/{image:02}.png");
            if image % 2 == 0 {
                world.copy_as_jpeg(&from, &format!("data/{class}/again-{image}.jpg"));
            } else {
                std::fs::copy(world.path(&from), world.path(&format!("data/{class}/again-{image}.png")))
                    .unwrap();
            }
        }
    }
    for seed in 0..3 {
        let compare = format!(
            "compare --data data --out out --force --methods random --ipc 24 --repeats 1 {FAST_UNSCORED}"
        );
        let run = world.ok(&format!("{compare} --seed {seed}"));
        // 6 of 30, three pairs, of each class; all that is left is kept.
        assert_eq!(world.json("out/report.json")["data"]["val"], 18);
        assert!(run.err.contains("36 groups of kept images look alike"), "{}", run.err);
        assert!(!run.err.contains("validation"), "{}", run.err);
    }
}

#[test]
fn scores_made_elsewhere_decide_instead_of_a_proxy() {
    let world = World::with_data();
    let mut scores = "score,path\n".to_owned();
    for class in ["ant", "bee", "cow"] {
        for image in 0..15 {
            // The last image is the easiest.
            scores += &format!("{},{class}/{image:02}.png\n", 100 - image);
        }
    }
    world.write("scores.csv", &scores);
    let compress = "compress --data data --out out --ipc 1 --grid 1x2 --scores scores.csv --image-size 16";
    let run = world.ok_silently(compress);
    assert!(!run.out.contains("scored"), "{}", run.out);
    let train: BTreeSet<String> =
        world.csv("out/scores.csv").into_iter().map(|row| row["path"].clone()).collect();
    for class in ["ant", "bee", "cow"] {
        let rows = world.csv("out/selection.csv");
        let chosen: Vec<&str> =
            rows.iter().filter(|row| row["class"] == class).map(|row| row["path"].as_str()).collect();
        assert_eq!(chosen.len(), 2);
        assert!(chosen[0] > chosen[1] && train.contains(chosen[0]), "{chosen:?}");
    }
    world.ok(&format!("{compress} -q"));
    world.write("scores.csv", &scores.replace("100,", "1,"));
    world.fails(compress, 3, &["score.file"]);
}

#[test]
fn a_config_file_gives_options_and_the_command_line_wins() {
    let world = World::with_data();
    world.write(
        "run.toml",
        "data = \"data\"\nipc = 2\ngrid = 2\nimage-size = 16\nwidth = 4\nscore_epochs = 2\nseed = 4\n",
    );
    world.ok("compress --config run.toml --out out --seed 9 --grid 1x2 --device cpu");
    let manifest = world.json("out/manifest.json");
    assert_eq!((&manifest["ipc"], &manifest["grid"]), (&2.into(), &"1x2".into()), "{manifest:#}");
    assert_eq!((&manifest["seed"], &manifest["side"]), (&9.into(), &16.into()), "{manifest:#}");
    world.ok("--config run.toml compress --out out --seed 9 --grid 1x2 --device cpu");
}

#[test]
fn a_list_on_the_command_line_takes_the_place_of_that_in_the_config_file() {
    let world = World::with_data();
    world.write("run.toml", "methods = [\"random\", \"pca\"]\nrepeats = 1\n");
    world.ok(&format!(
        "compare --config run.toml --data data --out out --ipc 1 --methods random {FAST_UNSCORED}"
    ));
    assert_eq!(world.json("out/report.json")["results"].as_array().unwrap().len(), 1);
}
