//! What is printed, and the commands that look at something.

use crate::world::{FAST, FAST_STUDENTS, World, size};

#[test]
fn json_is_one_document_on_standard_output() {
    let world = World::with_data();
    let score = "--image-size 16 --width 4 --score-epochs 2 --device cpu";
    let commands = [
        format!("compress --data data --out planned --ipc 2 --dry-run {FAST}"),
        format!("compress --data data --out set --ipc 2 {FAST}"),
        format!("compress --data data --out set --ipc 2 {FAST}"),
        format!("score --data data --out scored {score}"),
        "prune --data data --scores scored/scores.csv --out pruned --ipc 2".to_owned(),
        "combine --data data --selection pruned/selection.csv --out combined --image-size 16".to_owned(),
        "evaluate --set combined --data data --out evaluated --width 4 --steps 4 --device cpu".to_owned(),
        format!(
            "compare --data data --out compared --ipc 1 --methods random,pca --repeats 1 {FAST_STUDENTS}"
        ),
        "inspect data".to_owned(),
        "inspect set".to_owned(),
        "inspect set --tile bee/0001.png".to_owned(),
        "doctor --device cpu".to_owned(),
    ];
    for command in commands {
        let run = world.ok(&format!("{command} --json"));
        let value: Result<serde_json::Value, _> = serde_json::from_str(&run.out);
        assert!(value.is_ok_and(|value| !value.is_null()), "{command}: {run:#?}");
        let quiet = world.run(&format!("{command} --json --quiet --force"));
        // `inspect` and `doctor` have nothing to force.
        if quiet.code == Some(0) {
            assert!(serde_json::from_str::<serde_json::Value>(&quiet.out).is_ok(), "{command}: {quiet:#?}");
            assert_eq!(quiet.err, "", "{command}");
        }
    }
}

#[test]
fn quiet_prints_nothing_but_errors() {
    let world = World::with_data();
    world.write("data/ant/broken.png", "no image");
    let run = world.ok(&format!("compress --data data --out out --ipc 2 --quiet {FAST}"));
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    let run =
        world.fails(&format!("compress --data data --out out --ipc 1 --quiet {FAST}"), 3, &["ipc was 2"]);
    assert_eq!(run.out, "");
}

#[test]
fn a_dry_run_tells_the_cost_and_writes_nothing() {
    let world = World::with_data();
    let run = world.ok_silently("compress --data data --out out --ipc 2 --dry-run");
    for word in ["24 source images", "6 composites of 64 x 64 px", "scoring: 10 steps", " kB of memory"] {
        assert!(run.out.contains(word), "'{word}' is not in {}", run.out);
    }
    let run = world.ok_silently("compress --data data --out out --ipc 2 --crop-from image --dry-run");
    assert!(run.out.contains(" kB of memory for the images' files, or none (--memory)"), "{}", run.out);
    assert!(!world.path("out").exists());
}

#[test]
fn inspect_counts_a_folder() {
    let world = World::with_data();
    world.draw("split/train", &["ant", "bee"], 3);
    world.draw("split/val", &["ant", "bee"], 1);
    world.write("split/README.txt", "x");
    let run = world.ok_silently("inspect data");
    assert!(run.out.contains("data: 3 classes, 45 images\n"), "{}", run.out);
    assert!(run.out.contains("0 ant: 15\n") && run.out.ends_with("2 cow: 15\n"), "{}", run.out);
    let run = world.ok_silently("inspect split");
    assert!(run.out.contains("2 classes, 6 images, 2 in val\n"), "{}", run.out);
    assert!(run.out.contains("0 ant: 3 + 1\n"), "{}", run.out);
    assert!(run.out.ends_with("1 other file is no image of a class\n"), "{}", run.out);
}

#[test]
fn inspect_tells_where_a_tile_came_from() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out out --ipc 2 {FAST}"));
    let run = world.ok_silently("inspect out");
    assert!(run.out.contains("6 composites of 24 tiles\n") && !run.out.contains("other"), "{}", run.out);
    let record = &world.metadata("out/data")[0];
    for folder in ["out", "out/data"] {
        let run = world.ok_silently(&format!("inspect {folder} --tile ant/0000.png"));
        assert!(run.out.starts_with("ant/0000.png: class ant\n"), "{}", run.out);
        for tile in record["tiles"].as_array().unwrap() {
            assert!(run.out.contains(tile["source"].as_str().unwrap()), "{}", run.out);
        }
        assert!(run.out.contains("  8,8 8x8: "), "{}", run.out);
    }
    world.fails("inspect out --tile ant/9999.png", 2, &["--tile ant/9999.png", "ant/0000.png"]);
    world.fails("inspect data --tile ant/00.png", 3, &["metadata.jsonl"]);
}

#[test]
fn a_contact_sheet_has_a_row_for_each_class_and_replaces_nothing() {
    let world = World::with_data();
    world.ok("inspect data --sheet sheet.png");
    assert_eq!(size(&world.path("sheet.png")), (12 * 64, 3 * 64));
    world.fails("inspect data --sheet sheet.png", 3, &["--sheet sheet.png"]);
}

#[test]
fn doctor_finds_the_numbers_of_the_cpu_right() {
    let world = World::new();
    let run = world.ok_silently("doctor --device cpu");
    assert!(run.out.contains("CPU (Flex)\n") && run.out.contains("ok: worst error"), "{}", run.out);
    assert!(run.out.contains("a training step of a small ConvNet: "), "{}", run.out);
}

#[test]
fn a_profile_accounts_for_the_work_of_every_operator() {
    let world = World::new();
    let run = world.ok("profile --model convnet --width 8 --image-size 16 --batch 4 --steps 2 --json");
    let json: serde_json::Value = serde_json::from_str(&run.out).expect("one JSON object");
    let step = |key: &str| json["train_step_ms"][key].as_f64().expect("milliseconds");
    assert!(0.0 < step("min") && step("min") <= step("median") && step("median") <= step("max"));
    assert!(
        json["ceilings"]["gflops"].as_f64() > Some(0.0) && json["ceilings"]["gb_per_s"].as_f64() > Some(0.0)
    );
    let operators = json["operators"].as_array().expect("operators");
    let find = |name: &str, shape: &str| {
        let found = operators.iter().find(|row| row["operator"] == name && row["shape"] == shape);
        found.unwrap_or_else(|| panic!("no {name} {shape} in {}", run.out))
    };
    // Two blocks: 16 px from 3 to 8 channels, 8 px from 8 to 8; the first one's images need no gradient.
    for (name, shape, pixels, input) in [
        ("convolution", "16x16x3 -> 8, 3x3", 256.0, 3.0),
        ("weight gradient", "16x16x3 -> 8, 3x3", 256.0, 3.0),
        ("convolution", "8x8x8 -> 8, 3x3", 64.0, 8.0),
        ("input gradient", "8x8x8 -> 8, 3x3", 64.0, 8.0),
        ("weight gradient", "8x8x8 -> 8, 3x3", 64.0, 8.0),
    ] {
        let row = find(name, shape);
        assert_eq!(row["calls"], 1.0, "{row}");
        assert_eq!(row["gflop"].as_f64(), Some(2.0 * 4.0 * pixels * 8.0 * input * 9.0 / 1e9), "{row}");
    }
    assert!(
        !operators
            .iter()
            .any(|row| row["operator"] == "input gradient" && row["shape"] == "16x16x3 -> 8, 3x3")
    );
    let sum: f64 = operators.iter().map(|row| row["share"].as_f64().expect("a share")).sum();
    assert!((sum - 1.0).abs() < 0.5, "{sum}");
    // The default network's blocks are one operation each.
    let run = world.ok("profile --width 8 --image-size 16 --batch 4 --steps 2 --json");
    for block in ["16x16x3 -> 8, 3x3, ReLU, average 2x2", "8x8x8 -> 8, 3x3, ReLU, average 2x2"] {
        assert!(run.out.contains(block), "no {block} in {}", run.out);
    }
    world.fails("profile --image-size 7", 2, &["--image-size"]);
    // The CPU has kernels of ours only, and most builds have none of burn's.
    world.fails("profile --beside-burn", 2, &["--beside-burn"]);
}

#[test]
fn a_profile_of_a_proxy_holds_what_scoring_takes() {
    let world = World::new();
    let run = world.ok("profile --width 4 --image-size 8 --batch 2 --steps 1 --proxy --json");
    let json: serde_json::Value = serde_json::from_str(&run.out).expect("one JSON object");
    let operators = json["operators"].as_array().expect("operators");
    assert!(operators.iter().any(|row| row["operator"] == "dynamics"), "{operators:?}");
    world.fails("profile --proxy --students 2", 2, &["--proxy", "--students"]);
}

#[test]
fn a_profile_of_a_cohort_has_no_table() {
    let world = World::new();
    let run = world.ok("profile --width 4 --image-size 8 --batch 2 --steps 1 --students 3");
    assert!(run.out.contains("3 students") && !run.out.contains("weight gradient"), "{}", run.out);
}

#[test]
fn completions_name_every_command() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = world.ok_silently(&format!("completions {shell}"));
        for command in ["demo", "compress", "score", "prune", "combine", "evaluate", "compare", "inspect"] {
            assert!(run.out.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn every_command_has_a_page_of_the_manual_and_no_page_has_a_date() {
    let world = World::new();
    let program = world.ok_silently("man").out;
    assert!(program.contains(".TH tilepress 1"), "{program}");
    for command in
        ["demo", "compress", "score", "prune", "combine", "evaluate", "compare", "inspect", "doctor"]
    {
        assert!(program.contains(&format!("tilepress\\-{command}(1)")), "{command} in {program}");
        let page = world.ok_silently(&format!("man {command}")).out;
        assert!(page.contains(&format!(".TH tilepress-{command} 1")), "{page}");
        assert_eq!(page, world.ok_silently(&format!("man {command}")).out);
    }
    world.fails("man nothing", 2, &["there is no command 'nothing'"]);
}

#[test]
fn help_shows_the_exit_codes_and_no_option_is_undocumented() {
    let world = World::new();
    let run = world.ok_silently("--help");
    assert!(run.out.contains("130 interrupted"), "{}", run.out);
    assert_eq!(world.ok_silently("--version").out, concat!("tilepress ", env!("CARGO_PKG_VERSION"), "\n"));
    for command in [
        "demo", "compress", "score", "prune", "combine", "evaluate", "compare", "inspect", "doctor",
        "profile",
    ] {
        let help = world.ok_silently(&format!("{command} --help")).out;
        let mut lines = help.lines().peekable();
        while let Some(line) = lines.next() {
            if line.trim_start().starts_with("--") {
                // The description stands in the next line.
                let next = lines.peek().copied().unwrap_or_default();
                assert!(!next.trim().is_empty() || line.trim().contains("  "), "{command}: {line}");
            }
        }
    }
}
