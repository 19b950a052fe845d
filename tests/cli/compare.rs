//! `compare`: the report that others script against.

use crate::world::{FAST_STUDENTS, FAST_UNSCORED, World};

const METHODS: [&str; 4] = ["random", "el2n", "pca", "random-composites"];

#[test]
fn compare_leaves_the_report_that_others_script_against() {
    let world = World::with_data();
    let run = world.ok_silently(&format!(
        "compare --data data --out out --ipc 2 --methods {} --grid 2 --repeats 2 --seed 3 {FAST_STUDENTS}",
        METHODS.join(",")
    ));
    let report = world.json("out/report.json");
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    for (result, method) in results.iter().zip(METHODS) {
        assert_eq!(result["method"], method);
        assert_eq!(result["ipc"], 2);
        let composites = method.contains("pca") || method.contains("composites");
        assert_eq!(result["grid"], if composites { "2" } else { "1" });
        assert_eq!(result["augment"].as_str().unwrap().starts_with("extract"), composites);
        assert_eq!(result["model"], "convnet-d");
        assert_eq!(result["labels"], "hard");
        assert_eq!(result["images"], 6);
        assert!(result["bytes"].as_u64().unwrap() > 0);
        let runs: Vec<f64> =
            result["top1"]["runs"].as_array().unwrap().iter().map(|run| run.as_f64().unwrap()).collect();
        assert_eq!(runs.len(), 2);
        // Composites are among those compared, so all are asked about soft images, too.
        assert_eq!(result["top1_at_tile_size"]["runs"].as_array().unwrap().len(), 2);
        // Percent of nine held-out images.
        assert!(runs.iter().all(|run| (0.0..=100.0).contains(run) && (run * 0.09).fract().abs() < 1e-6
            || (run * 0.09).fract() > 1.0 - 1e-6));
        let mean = result["top1"]["mean"].as_f64().unwrap();
        assert!((mean - (runs[0] + runs[1]) / 2.0).abs() < 1e-9);
        let sd = result["top1"]["sd"].as_f64().unwrap();
        assert!((sd - (runs[0] - runs[1]).abs() / 2f64.sqrt()).abs() < 1e-9);
        assert!(run.out.contains(method), "{}", run.out);
    }
    assert!(world.path("out/report.csv").is_file() && world.path("out/report.html").is_file());
    // Every answer is kept, and the accuracies are those of the answers.
    let answers = world.read("out/answers.csv");
    let rows: Vec<Vec<&str>> = answers.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[0][..3], ["path", "random-3", "random-4"]);
    let right = rows[1..].iter().filter(|row| row[6] == "1").count() as f64;
    assert_eq!(rows[0][6], "pca-4");
    let pca = &results[2];
    assert!((pca["top1"]["runs"][1].as_f64().unwrap() - right / 0.09).abs() < 1e-9);
    // Classes of the same size: macro and micro agree.
    assert!(
        (pca["macro_top1"]["mean"].as_f64().unwrap() - pca["top1"]["mean"].as_f64().unwrap()).abs() < 1e-9
    );
    assert!(!run.out.contains("macro"), "{}", run.out);
    assert_eq!(pca["top1_interval_of"], "both");
    // All six pairs are judged together: each verdict follows the interval shown, which is no narrower than its own.
    let comparisons = report["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 6);
    for of in comparisons {
        let ends = |name: &str| [0, 1].map(|end| of[name][end].as_f64().unwrap());
        let ([low, high], [alone_low, alone_high]) = (ends("adjusted_interval"), ends("interval"));
        assert!(low <= alone_low && alone_high <= high, "{of}");
        assert!(of["adjusted_p"].as_f64() >= of["p"].as_f64(), "{of}");
        let decided = of["verdict"] == "better" || of["verdict"] == "worse";
        assert_eq!(decided, low > 0.0 || high < 0.0, "{of}");
        assert!(of["noise"]["images"].as_f64().unwrap() >= 0.0, "{of}");
    }
    assert!(run.out.contains("judged together (Holm)"), "{}", run.out);
}

#[test]
fn one_repeat_is_untested() {
    let world = World::with_data();
    let run = world.ok(&format!(
        "compare --data data --out out --ipc 1 --methods random,pca --repeats 1 {FAST_STUDENTS}"
    ));
    let comparison = &world.json("out/report.json")["comparisons"][0];
    assert_eq!(
        (&comparison["verdict"], &comparison["interval"]),
        (&"untested".into(), &serde_json::Value::Null)
    );
    assert!(run.out.contains("untested") && !run.out.contains("indistinguishable"), "{}", run.out);
}

#[test]
fn a_comparison_is_the_same_whatever_the_number_of_threads() {
    let world = World::with_data();
    for threads in [1, 2] {
        world.ok(&format!(
            "compare --data data --out out{threads} --ipc 1 --repeats 2 -j {threads} {FAST_STUDENTS}"
        ));
    }
    let runs = |folder: &str| -> Vec<serde_json::Value> {
        let report = world.json(&format!("{folder}/report.json"));
        report["results"].as_array().unwrap().iter().map(|result| result["top1"].clone()).collect()
    };
    assert_eq!(runs("out1"), runs("out2"));
}

#[test]
fn a_folder_that_holds_something_is_refused_and_an_equal_comparison_goes_on() {
    let world = World::with_data();
    world.write("out/mine.txt", "mine");
    let compare =
        format!("compare --data data --out out --ipc 1 --methods random --repeats 1 {FAST_UNSCORED}");
    world.fails(&compare, 3, &["--out out", "--force"]);
    // What cannot be done is said before anything is replaced.
    world.fails(&format!("{compare} --force --ipc 500"), 3, &["--ipc"]);
    world.fails(&format!("{compare} --force"), 3, &["--out out", "mine.txt"]);
    assert_eq!(world.names("out"), ["mine.txt"]);
    std::fs::remove_file(world.path("out/mine.txt")).unwrap();
    world.ok(&compare);
    let whole = [
        "answers.csv",
        "classes.json",
        "report.csv",
        "report.html",
        "report.json",
        "run.json",
        "students/random-0.json",
    ];
    assert_eq!(world.names("out"), whole);
    // A comparison of other options is as safe as anything else.
    world.fails(&format!("{compare} --seed 7"), 3, &["--out out", "--force", "other options"]);
    // As if it had been killed while it trained: what is finished is not trained again, and its answers are known.
    let (student, answers) = (world.read("out/students/random-0.json"), world.read("out/answers.csv"));
    for file in ["report.json", "answers.csv"] {
        std::fs::remove_file(world.path("out").join(file)).unwrap();
    }
    world.ok(&compare);
    assert_eq!(world.names("out"), whole);
    assert_eq!(world.read("out/students/random-0.json"), student);
    assert_eq!(world.read("out/answers.csv"), answers);
}

#[test]
fn a_comparison_to_tune_by_measures_on_training_images_and_leaves_val_unseen() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 10);
    for (hue, class) in ["ant", "bee"].into_iter().enumerate() {
        (50..53).for_each(|image| world.draw_one(&format!("data/val/{class}/{image}.png"), hue, image));
    }
    let compare = |out: &str, more: &str| {
        let options = "--ipc 1 --methods random,el2n,random-composites --repeats 1 --on-error fail";
        world.ok_silently(&format!("compare --data data --out {out} {options} {more} {FAST_STUDENTS}"))
    };
    let tuned = compare("tuned", "--tune-fraction 0.3");
    assert!(tuned.out.contains("6 training images held out to tune on"), "{}", tuned.out);
    assert!(tuned.out.contains("not on the 6 validation images"), "{}", tuned.out);
    let report = world.json("tuned/report.json");
    let tune = serde_json::json!({ "tune": { "fraction": 0.3, "seed": 0, "unseen": 6 } });
    assert_eq!(report["data"]["val_origin"], tune, "{:#}", report["data"]);
    assert_eq!((&report["data"]["train"], &report["data"]["val"]), (&14.into(), &6.into()));
    assert!(report["warnings"].to_string().contains("--tune-fraction 0.3"), "{:#}", report["warnings"]);
    assert!(world.read("tuned/report.html").contains("6 validation images stay unseen"));
    // What the proxy learned from is the rest.
    let log = std::fs::read(world.path("tuned/training-logs/0.safetensors")).unwrap();
    // Behind the line of its seal.
    let seal = log.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let log = safetensors::SafeTensors::deserialize(&log[seal..]).unwrap();
    assert_eq!(log.tensor("el2n").unwrap().shape()[1], 14);
    // The last comparison trains on all of them again.
    let last = compare("last", "");
    assert!(!last.out.contains("tune"), "{}", last.out);
    let report = world.json("last/report.json");
    assert_eq!((&report["data"]["train"], &report["data"]["val"]), (&20.into(), &6.into()));
    // A folder without val/ has both held out, and what the last comparison measures on is the same.
    world.draw("plain", &["ant", "bee"], 20);
    let plain = |out: &str, more: &str| {
        let compare = format!("compare --data plain --out {out} --ipc 1 --methods random --repeats 1 {more}");
        world.ok_silently(&format!("{compare} {FAST_UNSCORED}"));
        let data = &world.json(&format!("{out}/report.json"))["data"];
        (data["train"].as_u64().unwrap(), data["val"].as_u64().unwrap())
    };
    assert_eq!(plain("three", ""), (32, 8));
    assert_eq!(plain("four", "--tune-fraction 0.25"), (24, 8));
    assert_eq!(plain("five", "--tune-fraction 0.5 --seed 3"), (16, 16));
}
