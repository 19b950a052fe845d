//! An option that would do nothing is refused with a sentence: it, what takes its effect away, what to do.

use crate::world::{FAST_UNSCORED, World};

const COMPRESS: &str = "compress --data data --out out --ipc 1";
const COMPARE: &str = "compare --data data --out out --ipc 1";
const EVALUATE: &str = "evaluate --set data --data data --out out";

#[test]
fn an_option_without_effect_ends_with_2_and_is_named_with_the_reason_and_a_remedy() {
    let world = World::with_data();
    world.write("scores.csv", "path,el2n\n");
    let scored = "--scores scores.csv";
    let random = "--methods random,random-composites";
    let whole = "--methods random,el2n";
    let resnet = "--model resnet18";
    let proxy = [
        ("--runs 1", "--runs"),
        ("--score-epochs 10", "--score-epochs"),
        ("--window 1..2", "--window"),
        ("--when train", "--when"),
        ("--score-lr 0.1", "--score-lr"),
        ("--score-batch-size 8", "--score-batch-size"),
        ("--score-min-scale 0.5", "--score-min-scale"),
    ];
    let mut cases: Vec<(String, &str, &str)> = Vec::new();
    for (option, name) in proxy {
        cases.push((format!("{COMPRESS} {scored} {option}"), name, "with --scores"));
        cases.push((format!("{COMPARE} {scored} {option}"), name, "with --scores"));
    }
    for option in ["--model convnet", "--width 4", "--device cpu", "--precision full"] {
        let name = option.split(' ').next().unwrap();
        cases.push((format!("{COMPRESS} {scored} {option}"), name, "with --scores and without --evaluate"));
    }
    for command in [COMPRESS, COMPARE, EVALUATE, "score --data data --out out"] {
        cases.push((format!("{command} {resnet} --width 4"), "--width", resnet));
        cases.push((
            format!("{command} --preset rethinkdc-sgd --width 4"),
            "--width",
            "--preset rethinkdc-sgd",
        ));
        cases.push((format!("{command} --model convnet-d --stem small"), "--stem", "--model convnet-d"));
        cases.push((format!("{command} --stem small"), "--stem", "--preset small"));
    }
    for (command, option, by) in [
        (&*format!("{COMPRESS} --window-start 0.5"), "--window-start", "--rule easy"),
        (&*format!("{COMPRESS} --rule hard --window-start 0.1"), "--window-start", "--rule hard"),
        (
            "prune --data data --out out --ipc 1 --rule random --window-start 0.5",
            "--window-start",
            "--rule random",
        ),
        (&*format!("{COMPRESS} --quality 80"), "--quality", "--format png"),
        (&*format!("{COMPARE} --format png --quality 80"), "--quality", "--format png"),
        ("combine --data data --selection s.csv --out out --quality 80", "--quality", "--format png"),
        (&*format!("{COMPRESS} --augment global"), "--augment global", "without --evaluate"),
        (&*format!("{COMPRESS} --augment none"), "--augment none", "without --evaluate"),
        (&*format!("{EVALUATE} --augment shuffle --min-scale 0.5"), "--min-scale", "--augment shuffle"),
        (&*format!("{EVALUATE} --augment none --min-scale 0.5"), "--min-scale", "--augment none"),
        (
            &*format!("{COMPARE} --methods pca --augment shuffle --min-scale 0.5"),
            "--min-scale",
            "--augment shuffle",
        ),
        (&*format!("{COMPARE} {random} {scored}"), "--scores", random),
        (&*format!("{COMPARE} {whole} --grid 3"), "--grid", whole),
        (&*format!("{COMPARE} {whole} --augment extract:0.5"), "--augment", "--min-scale"),
        (&*format!("{COMPARE} --grid 1 --augment shuffle"), "--augment", "--grid 1"),
        (&*format!("{COMPARE} --preset dc --no-flip"), "--no-flip", "--preset dc"),
        (&*format!("{COMPRESS} {scored} --crop-from image"), "--crop-from", "with --scores"),
        (&*format!("{COMPRESS} {scored} --evaluate --crop-from image"), "--crop-from", "with --scores"),
        (
            &*format!("{COMPARE} --methods pca,random-composites {scored} --crop-from image"),
            "--crop-from",
            "whole images",
        ),
        (&*format!("{COMPARE} --methods random-composites --crop-from image"), "--crop-from", "whole images"),
        ("profile --model resnet18 --width 8", "--width", resnet),
        ("profile --stem small", "--stem", "--model convnet"),
        ("inspect data --tile ant/0000.png --sheet sheet.png", "--sheet", "--tile"),
        ("completions bash --json", "--json", "completions"),
    ] {
        cases.push((command.to_owned(), option, by));
    }
    for (command, option, by) in cases {
        let run = world.fails(&command, 2, &[&format!("{option} has no effect"), by]);
        assert!(run.out.is_empty(), "{command}: {run:#?}");
        let sentence = run.err.trim();
        assert!(["leave ", "give ", "add "].iter().any(|remedy| sentence.contains(remedy)), "{sentence}");
    }
    assert!(!world.path("out").exists());
}

#[test]
fn options_of_a_stage_that_a_run_does_not_have_are_a_warning() {
    let world = World::with_data();
    for option in [
        "--steps 3",
        "--epochs 3",
        "--batch-size 3",
        "--lr 0.1",
        "--weight-decay 0",
        "--opt sgd",
        "--no-flip",
        "--cutout 0.5",
        "--mix mixup",
        "--repeats 1",
    ] {
        let name = option.split(' ').next().unwrap();
        let run = world.ok(&format!("{COMPRESS} {option} --dry-run"));
        let warning = format!("warning: {name} has no effect without --evaluate");
        assert!(run.err.contains(&warning), "{option}: {run:#?}");
        let quiet = world.ok(&format!("{COMPRESS} {option} --dry-run --quiet"));
        assert!(quiet.err.is_empty(), "{option}: {quiet:#?}");
    }
    let both = world.ok(&format!("{COMPRESS} --steps 3 --lr 0.1 --dry-run"));
    assert!(both.err.contains("--steps, --lr have no effect"), "{both:#?}");
    let scored = world.ok(
        "compare --data data --out out --ipc 1 --methods random --score-epochs 3 --image-size 16 --width 4 --steps 2 \
         --repeats 2 --device cpu",
    );
    let warning = "warning: --score-epochs has no effect with --methods random, which need no scores";
    assert!(scored.err.contains(warning), "{scored:#?}");
    let trained = world.ok(&format!("{COMPRESS} --steps 3 --evaluate --dry-run"));
    assert!(!trained.err.contains("no effect"), "{trained:#?}");
}

#[test]
fn an_entry_of_a_config_file_is_an_option_that_was_given() {
    let world = World::with_data();
    world.write("run.toml", "window_start = 0.5\n");
    let compress = format!("{COMPRESS} --config run.toml");
    world.fails(&compress, 2, &["--window-start has no effect with --rule easy"]);
    world.write("run.toml", "rule = \"window\"\nwindow_start = 0.5\n");
    world.ok_silently(&format!("{compress} --dry-run"));
}

#[test]
fn a_share_to_hold_out_beside_a_val_folder_is_refused() {
    let world = World::new();
    world.draw("data/train", &["ant", "bee"], 5);
    world.draw("data/val", &["ant", "bee"], 2);
    world.fails(
        &format!("{COMPRESS} --val-fraction 0.5"),
        2,
        &["--val-fraction has no effect", "val/", "leave"],
    );
    assert!(!world.path("out").exists());
}

#[test]
fn a_command_has_no_flag_that_can_do_nothing_there() {
    let world = World::with_data();
    // The methods say which images they keep; a list of images says what was held out.
    world.fails(&format!("{COMPARE} --rule hard"), 2, &["--rule"]);
    world.fails("score --data data --out out --scores scores.csv", 2, &["--scores"]);
    world.fails("combine --data data --selection s.csv --out out --val-fraction 0.5", 2, &["--val-fraction"]);
}

#[test]
fn options_that_have_an_effect_are_taken() {
    let world = World::with_data();
    for options in [
        "--augment extract:0.5",
        "--min-scale 0.5 --augment extract:0.5",
        "--rule window --window-start 0",
        "--format jpeg --quality 50",
        "--model resnet18 --stem small",
        "--rule random --score-epochs 2",
    ] {
        world.ok_silently(&format!("{COMPRESS} --dry-run {options}"));
    }
    // The grid says how many images are stored.
    let counted = "--methods random --ipc 4 --ipc-counts sources --grid 2 --repeats 1";
    world.ok(&format!("compare --data data --out out {counted} {FAST_UNSCORED}"));
    assert_eq!(world.json("out/report.json")["results"][0]["ipc"], 1);
}

#[test]
fn one_table_of_scores_for_all_seeds_is_said() {
    let world = World::with_data();
    let mut scores = "path,score\n".to_owned();
    for class in ["ant", "bee", "cow"] {
        (0..15).for_each(|image| scores += &format!("{class}/{image:02}.png,{image}\n"));
    }
    world.write("scores.csv", &scores);
    let compare = |out: &str, repeats: u32| {
        let methods = "--methods random,el2n,el2n-hard,pca,el2n-hard-composites";
        let run = format!(
            "compare --data data --out {out} --ipc 1 --scores scores.csv {methods} --repeats {repeats}"
        );
        world.ok(&format!("{run} {FAST_UNSCORED}"))
    };
    let run = compare("out", 2);
    assert!(run.err.contains("warning: --scores: one table of scores serves all seeds"), "{}", run.err);
    let report = world.json("out/report.json");
    assert!(report["warnings"][0].as_str().unwrap().contains("noise of scoring"), "{:#}", report["warnings"]);
    // And nothing is called EL2N that nobody says is.
    let names: Vec<&str> = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["method"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["random", "score", "score-hard", "score-composites", "score-hard-composites"]);
    assert!(!compare("one", 1).err.contains("noise of scoring"));
}
