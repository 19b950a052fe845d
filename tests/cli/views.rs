//! How students see images: what was asked is what runs, and the same for all.

use crate::world::{FAST_STUDENTS, FAST_UNSCORED, World};

const COMPARE: &str = "compare --data data --ipc 1 --methods random,random-composites --repeats 1";

/// The views of random whole images and of random composites, and the warnings.
fn views(world: &World, out: &str, options: &str) -> (String, String, String) {
    let run = world.ok(&format!("{COMPARE} --out {out} {options} {FAST_UNSCORED}"));
    let report = world.json(&format!("{out}/report.json"));
    let view = |result: usize| report["results"][result]["augment"].as_str().unwrap().to_owned();
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().all(|warning| run.err.contains(warning.as_str().unwrap())), "{}", run.err);
    (view(0), view(1), run.err)
}

#[test]
fn the_smallest_crop_that_was_asked_for_runs_and_is_the_same_for_all() {
    let world = World::with_data();
    for (place, (options, whole, composites)) in [
        ("", "global:0.5", "extract:0.5"),
        ("--min-scale 0.7", "global:0.7", "extract:0.7"),
        ("--augment global:0.08", "global:0.08", "global:0.08"),
        ("--augment extract:0.3", "global:0.3", "extract:0.3"),
        ("--augment extract:0.25 --min-scale 0.25", "global:0.25", "extract:0.25"),
        ("--augment global --min-scale 0.7", "global:0.7", "global:0.7"),
        // The range of two by two tiles is that of shuffling.
        ("--augment shuffle --min-scale 0.5", "global:0.5", "shuffle"),
        ("--preset rethinkdc-hard --model convnet", "global:0.08", "extract:0.08"),
    ]
    .into_iter()
    .enumerate()
    {
        let (of_whole, of_composites, warnings) = views(&world, &format!("out{place}"), options);
        assert_eq!((&*of_whole, &*of_composites, &*warnings), (whole, composites, ""), "{options}");
    }
}

#[test]
fn two_smallest_crops_contradict_each_other() {
    let world = World::with_data();
    for crop in ["extract:0.25", "global:0.08"] {
        for command in [
            format!("{COMPARE} --out out"),
            "compress --data data --out out --ipc 1 --evaluate".to_owned(),
            "evaluate --set data --data data --out out".to_owned(),
        ] {
            let words = [&*format!("--augment {crop}"), "--min-scale 0.7", "leave"];
            world.fails(&format!("{command} --augment {crop} --min-scale 0.7"), 2, &words);
        }
    }
    let compress = "compress --data data --out out --ipc 1 --augment extract:0.25 --min-scale 0.7";
    world.fails(compress, 2, &["--augment extract:0.25", "--min-scale 0.7"]);
}

#[test]
fn a_comparison_whose_views_differ_in_more_than_the_method_says_so() {
    let world = World::with_data();
    // Shuffling two by two tiles has the range of a half.
    for (out, crop, options, cut) in
        [("one", "shuffle", "--min-scale 0.25", "global:0.25"), ("two", "none", "", "global:0.5")]
    {
        let (whole, composites, warnings) = views(&world, out, &format!("--augment {crop} {options}"));
        assert_eq!((&*whole, &*composites), (cut, crop));
        assert!(warnings.contains("views differ in more than the method"), "{warnings}");
        assert!(world.read(&format!("{out}/report.html")).contains("views differ in more than the method"));
    }
    // All of them are cut alike.
    let alone = "--methods random-composites --augment none";
    assert_eq!(world.ok(&format!("{COMPARE} --out three {alone} {FAST_UNSCORED}")).err, "");
}

#[test]
fn whole_images_are_evaluated_by_the_views_that_were_asked_for() {
    let world = World::with_data();
    world.draw_others("few", &["ant", "bee", "cow"], 2);
    for (place, (crop, runs)) in
        [("none", "none"), ("extract:0.25", "global:0.25"), ("global", "global:0.5")].into_iter().enumerate()
    {
        let evaluate =
            format!("evaluate --set few --data data --out out{place} --augment {crop} {FAST_UNSCORED}");
        world.ok_silently(&evaluate);
        assert_eq!(world.json(&format!("out{place}/report.json"))["results"][0]["augment"], runs);
    }
}

#[test]
fn the_transform_of_a_set_takes_over_the_smallest_crop_of_its_run() {
    let world = World::with_data();
    let options = "--preset rethinkdc-hard --model convnet";
    world.ok(&format!("compress --data data --out out --ipc 1 --evaluate {options} {FAST_STUDENTS}"));
    let (manifest, report) = (world.json("out/manifest.json"), world.json("out/report.json"));
    assert_eq!(report["results"][0]["augment"], "extract:0.08");
    assert_eq!(manifest["min_scale"], 0.08, "{manifest:#}");
    assert!(world.read("out/tilepress_transform.py").contains(r#"manifest["min_scale"]"#));
    assert!(world.read("out/README.md").contains("(0.08 here)"));
}
