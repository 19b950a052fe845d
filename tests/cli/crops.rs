//! What views of whole images are cut out of: their square copies, or the images themselves.

use serde_json::Value;

use crate::world::{FAST, FAST_STUDENTS, FAST_UNSCORED, World, assert_same};

/// Memory for images, and what is then kept of 36 images of some hundred bytes each.
const MEMORY: [(&str, &str); 2] = [("1GB", "files"), ("5kB", "nothing")];

/// A world of three classes of 15 images, four times as wide as high and larger than what networks see.
fn wide() -> World {
    let world = World::new();
    for (hue, class) in ["ant", "bee", "cow"].into_iter().enumerate() {
        for number in 0..15 {
            world.draw_sized(&format!("data/{class}/{number:02}.png"), hue, number, (80, 20));
        }
    }
    world
}

/// The results of a report by method, without seconds.
fn results(report: &Value) -> Vec<Value> {
    let mut results = report["results"].as_array().unwrap().clone();
    for result in &mut results {
        assert!(result["seconds"].take().is_number());
    }
    results
}

#[test]
fn scores_of_views_of_the_images_themselves_are_others_and_do_not_depend_on_memory_or_threads() {
    let world = wide();
    for (out, option) in [("default", ""), ("square", "--crop-from square")] {
        world.ok(&format!("score --data data --out {out} {FAST} {option}"));
    }
    // What was the only way is the default, byte for byte.
    assert_same(&world.tree("default"), &world.tree("square"));
    assert!(!world.read("default/run.json").contains("crop_from"));
    let mut first = None;
    for (memory, kept) in MEMORY {
        for threads in [1, 4] {
            let out = format!("{kept}{threads}");
            let run = world.ok(&format!(
                "score --data data --out {out} {FAST} --crop-from image --memory {memory} -j {threads}"
            ));
            assert!(
                run.out.contains("views are cut out of the images themselves (--crop-from image)"),
                "{}",
                run.out
            );
            assert_eq!(run.out.contains("are kept in memory"), kept == "files", "{}", run.out);
            // Two epochs of 36 images: each was decoded once a step.
            assert!(run.out.contains("images were decoded 72 times"), "{}", run.out);
            let files = world.tree(&out);
            assert_same(first.get_or_insert_with(|| files.clone()), &files);
        }
    }
    assert_ne!(world.read("files1/scores.csv"), world.read("square/scores.csv"));
    assert_eq!(world.json("files1/run.json")["options"]["crop_from"], "image");
}

#[test]
fn a_run_does_not_go_on_with_another_source_of_crops() {
    let world = wide();
    for command in [
        format!("score --data data {FAST}"),
        format!("compress --data data --ipc 2 {FAST}"),
        format!("compare --data data --ipc 1 --methods random,pca --repeats 1 {FAST_STUDENTS}"),
        format!("evaluate --set few --data data {FAST_UNSCORED}"),
    ] {
        world.draw_others("few", &["ant", "bee", "cow"], 2);
        for (first, second) in [("image", "square"), ("square", "image")] {
            let out = format!("{}-{first}", command.split(' ').next().unwrap());
            world.ok(&format!("{command} --out {out} --crop-from {first}"));
            let before = world.tree(&out);
            world.fails(&format!("{command} --out {out} --crop-from {second}"), 3, &["crop_from", "--force"]);
            assert_same(&before, &world.tree(&out));
            // The same again goes on.
            world.ok(&format!("{command} --out {out} --crop-from {first}"));
        }
    }
    let manifest = world.json("compress-image/manifest.json");
    assert_eq!(manifest["options"]["settings"]["crop_from"], "image", "{manifest:#}");
    let report = world.json("compare-image/report.json");
    assert_eq!(report["options"]["settings"]["crop_from"], "image");
    assert_eq!(report["cost"]["loading"]["kept"], "files");
    assert_eq!(world.json("evaluate-image/report.json")["options"]["settings"]["crop_from"], "image");
}

#[test]
fn a_comparison_cuts_whole_images_in_their_own_pixels_and_composites_as_before() {
    let world = wide();
    let compare =
        format!("compare --data data --ipc 2 --methods random,random-composites --repeats 2 {FAST_UNSCORED}");
    let run = world.ok_silently(&format!("{compare} --out square"));
    assert!(!run.out.contains("crop-from"), "{}", run.out);
    let square = world.json("square/report.json");
    let mut first = None;
    for (memory, kept) in MEMORY {
        // Of the validation images, too: 45 files.
        let run = world.ok(&format!("{compare} --out {kept} --crop-from image --memory {memory}"));
        assert!(run.err.contains("warning: pixels differ in more than the method"), "{}", run.err);
        let report = world.json(&format!("{kept}/report.json"));
        assert_eq!(report["cost"]["loading"]["kept"], kept);
        let results = results(&report);
        assert_eq!(first.get_or_insert_with(|| results.clone()), &results);
        assert!(report["warnings"][0].as_str().unwrap().contains("--crop-from"), "{}", report["warnings"]);
    }
    let (square, image) = (results(&square), first.unwrap());
    assert_eq!(square[1], image[1], "composites are stored images");
    assert!(image[0]["curves"].is_array() && square[0]["curves"] != image[0]["curves"]);
    assert_eq!(square[0]["images"], image[0]["images"]);
    // What its students read are the files themselves.
    let files: u64 = ["ant", "bee", "cow"]
        .iter()
        .flat_map(|class| (0..15).map(move |number| format!("data/{class}/{number:02}.png")))
        .map(|file| std::fs::metadata(world.path(&file)).unwrap().len())
        .sum();
    let bytes = image[0]["bytes"].as_u64().unwrap();
    assert!(bytes * 45 / 6 < files * 2 && bytes * 45 / 6 > files / 2, "{bytes} of {files}");
}

#[test]
fn whole_images_are_evaluated_in_their_own_pixels_and_composites_are_refused() {
    let world = wide();
    world.draw_others("few", &["ant", "bee", "cow"], 2);
    let mut ends = Vec::new();
    for crop_from in ["square", "image"] {
        let evaluate = "evaluate --set few --data data";
        world.ok(&format!(
            "{evaluate} --out {crop_from} --crop-from {crop_from} --save-student {FAST_UNSCORED}"
        ));
        ends.push(world.tree(crop_from).remove("student.safetensors").unwrap());
    }
    assert_ne!(ends[0], ends[1]);
    world.ok(&format!("compress --data data --out set --ipc 1 {FAST}"));
    let evaluate = format!("evaluate --set set --data data --out out {FAST_UNSCORED}");
    world.fails(&format!("{evaluate} --crop-from image"), 2, &["--crop-from", "composites", "leave it out"]);
    assert!(!world.path("out").exists());
    world.ok(&format!("{evaluate} --crop-from square"));
    for wrong in ["photo", "Image"] {
        let run = format!("score --data data --out out2 --crop-from={wrong} {FAST}");
        world.fails(&run, 2, &["--crop-from", "square, image"]);
    }
}
