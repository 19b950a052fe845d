//! Nothing escapes, nothing crashes: numbers out of range, a stranger's sets, names that act, and output that nobody reads.

use std::fs;
use std::time::{Duration, Instant};

use crate::world::{FAST, FAST_UNSCORED, World};

#[test]
fn a_number_out_of_range_ends_with_2_names_its_flag_and_says_what_it_would_cost() {
    let world = World::with_data();
    let compress = "compress --data data --out out --ipc 1";
    for (arguments, words) in [
        ("--width 100000", &["--width", "1 to 4,096", "1.4 TB"][..]),
        ("--width 0", &["--width", "out of range"]),
        ("--evaluate --repeats 4294967296", &["--repeats", "1 to 10,000", "days"]),
        ("--score-epochs 4294967299", &["--score-epochs", "1 to 10,000", "77.3 TB"]),
        ("--score-epochs 18446744073709551616", &["--score-epochs"]),
        ("--threads 100000", &["--threads", "1 to 1,024", "GB"]),
        ("-j 100000", &["--threads"]),
        ("--image-size 100000", &["--image-size", "4096"]),
        ("--runs 4294967297", &["--runs", "1 to 1,000"]),
        ("--evaluate --steps 99999999999", &["--steps", "days"]),
        ("--evaluate --epochs 4294967299", &["--epochs", "days"]),
        ("--evaluate --batch-size 4294967296", &["--batch-size", "TB"]),
        ("--score-batch-size 1e3", &["--score-batch-size", "whole number"]),
        ("--score-lr NaN", &["--score-lr", "above 0"]),
        ("--score-lr inf", &["--score-lr", "above 0"]),
        ("--score-lr=-0.1", &["--score-lr", "above 0"]),
        ("--score-lr 0", &["--score-lr", "above 0"]),
        ("--score-lr 1e400", &["--score-lr", "above 0"]),
        ("--score-lr 1e-400", &["--score-lr", "above 0"]),
        ("--evaluate --lr nan", &["--lr", "above 0"]),
        ("--evaluate --weight-decay=-1", &["--weight-decay", "from 0"]),
        ("--evaluate --weight-decay inf", &["--weight-decay", "from 0"]),
        ("--evaluate --mix mixup:0", &["--mix", "alpha"]),
        ("--evaluate --mix cutmix:NaN", &["--mix", "alpha"]),
        ("--evaluate --cutout nan", &["--cutout"]),
        ("--evaluate --min-scale nan", &["--min-scale"]),
        ("--val-fraction nan", &["--val-fraction"]),
        ("--grid 4294967297", &["--grid"]),
        ("--window 1..4294967297", &["--window"]),
        ("--window 1..99", &["--window", "10 epochs"]),
        ("--device wgpu:99999999999999999999", &["--device"]),
    ] {
        let begun = Instant::now();
        world.fails(&format!("{compress} {arguments}"), 2, words);
        assert!(begun.elapsed() < Duration::from_secs(20), "{arguments}");
    }
    world.fails("compress --data data --out out --ipc 4294967295 --fill cycle", 2, &["--ipc", "TB"]);
    world.fails("compare --data data --out out --ipc 1 --repeats 4294967296", 2, &["--repeats"]);
    world.fails("profile --batch 99999999 --device cpu", 2, &["--batch"]);
    world.fails("profile --width 99999999 --device cpu", 2, &["--width"]);
    world.fails("profile --students 99999999 --device cpu", 2, &["--students"]);
    world.fails("profile --batch 65536 --image-size 4096 --device cpu", 2, &["--image-size", "are free"]);
    world.write("run.toml", "score-epochs = 4294967299\n");
    world.fails(&format!("{compress} --config run.toml"), 2, &["--score-epochs"]);
    world.write("run.toml", "score-lr = nan\n");
    world.fails(&format!("{compress} --config run.toml"), 2, &["--score-lr"]);
    let output = world.command("inspect data").env("RAYON_NUM_THREADS", "100000").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("RAYON_NUM_THREADS"), "{output:?}");
    assert!(!world.path("out").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn training_that_does_not_fit_in_memory_ends_with_2_and_an_estimate_and_images_need_not_fit() {
    let world = World::with_data();
    let run = |arguments: &str| {
        let program = env!("CARGO_BIN_EXE_tilepress");
        let script = format!("ulimit -v 2000000; exec '{program}' {arguments}");
        let output = world.shell(&script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    // 45 images of 50 MB each, of which the files are kept.
    let (code, out, err) = run("compress --data data --out out --ipc 1 --image-size 4096 --device cpu");
    assert_eq!(code, Some(2), "{err}");
    assert!(out.contains("would take 1.8 GB") && out.contains("files are kept"), "{out}");
    assert!(err.contains("training takes at least") && err.contains("--image-size"), "{err}");
    // The images fit, the training does not.
    let (code, _, err) = run("compress --data data --out out --ipc 1 --image-size 1536 --device cpu");
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("training takes at least") && err.contains("--score-batch-size"), "{err}");
    assert!(!world.path("out").exists());
}

/// A folder that `compress` wrote, with one change to one of its files.
fn changed(world: &World, out: &str, file: &str, from: &str, to: &str) {
    for (name, bytes) in world.tree("set") {
        let path = world.path(&format!("{out}/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let text = world.read(&format!("set/{file}"));
    assert!(text.contains(from), "{from} in {text}");
    world.write(&format!("{out}/{file}"), &text.replacen(from, to, 1));
}

#[test]
fn a_strangers_set_with_values_that_no_set_has_ends_with_3_and_names_them() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out set --ipc 1 {FAST}"));
    let metadata = "data/metadata.jsonl";
    for (number, (file, from, to, word)) in [
        ("manifest.json", "\"side\": 16", "\"side\": 0", "side"),
        ("manifest.json", "\"side\": 16", "\"side\": 65535", "side"),
        ("manifest.json", "\"side\": 16", "\"side\": -1", "manifest"),
        ("manifest.json", "\"grid\": \"2\"", "\"grid\": \"4000000000\"", "grid"),
        ("manifest.json", "\"ipc\": 1", "\"ipc\": 0", "ipc"),
        ("manifest.json", "\"data/ant/0000.png\"", "\"../../etc/passwd\"", "../../etc/passwd"),
        ("manifest.json", "{", "[", "manifest"),
        (metadata, "ant/0000.png", "/etc/passwd", "/etc/passwd"),
        (metadata, "ant/0000.png", "ant/../../../secret", "secret"),
        (metadata, "ant/0000.png", "C:\\\\x", "relative"),
        (metadata, "\"label\":0", "\"label\":99", "99"),
        (metadata, "\"label\":0", "\"label\":1", "label"),
        (metadata, "[0,0,8,8]", "[0,0,0,8]", "box"),
        (metadata, "[0,0,8,8]", "[4294967295,0,8,8]", "box"),
        (metadata, "[0,0,8,8]", "[12,0,8,8]", "tiles"),
        (metadata, "\"rank\":0", "\"rank\":1e99", "line 1"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("changed-{number}");
        changed(&world, &out, file, from, to);
        if file == metadata {
            // A stranger's manifest agrees with his metadata.
            let mut manifest = world.json(&format!("{out}/manifest.json"));
            let text = world.read(&format!("{out}/{metadata}"));
            manifest["files"][metadata] =
                tilepress::data::ContentHash::of(text.as_bytes()).to_string().into();
            world.write(&format!("{out}/manifest.json"), &manifest.to_string());
        }
        let evaluate = format!("evaluate --set {out} --data data --out measured {FAST_UNSCORED}");
        world.fails(&evaluate, 3, &[word]);
        let inspect = world.fails(&format!("inspect {out}"), 3, &[word]);
        assert!(!inspect.err.contains("root:"), "{}", inspect.err);
        let again = format!("compress --data data --out {out} --ipc 1 {FAST}");
        world.fails(&again, 3, &[if file == metadata { word } else { "manifest.json" }]);
    }
    assert!(!world.path("measured").exists(), "nothing is measured");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_and_never_waited_for() {
    let world = World::with_data();
    world.ok(&format!("compress --data data --out set --ipc 1 {FAST}"));
    let pipe = |path: &str| {
        fs::remove_file(world.path(path)).ok();
        assert!(world.shell(&format!("mkfifo '{path}'")).status.success());
    };
    for file in ["manifest.json", "data/metadata.jsonl"] {
        let kept = world.read(&format!("set/{file}"));
        pipe(&format!("set/{file}"));
        let evaluate = format!("evaluate --set set --data data --out measured {FAST_UNSCORED}");
        world.fails(&evaluate, 3, &["pipe"]);
        fs::remove_file(world.path(&format!("set/{file}"))).unwrap();
        world.write(&format!("set/{file}"), &kept);
    }
    pipe("set/data/metadata.jsonl");
    world.fails("inspect set/data", 3, &["metadata.jsonl", "pipe"]);
    pipe("pipe.csv");
    world.fails("compress --data data --out out --ipc 1 --scores pipe.csv", 3, &["pipe.csv", "pipe"]);
    world.fails("compress --data data --out out --ipc 1 --scores data", 3, &["data", "folder"]);
    world.fails("compress --data data --out out --ipc 1 --scores /dev/zero", 3, &["/dev/zero", "device"]);
    world.fails("combine --data data --out out --selection pipe.csv", 3, &["pipe.csv", "pipe"]);
    world.fails("compress --data data --out out --ipc 1 --config pipe.csv", 2, &["pipe.csv", "pipe"]);
    // What a shell makes is read.
    let program = env!("CARGO_BIN_EXE_tilepress");
    let scores = "set/scores.csv";
    let output = world.shell(&format!(
        "cat {scores} | '{program}' compress --data data --out piped --ipc 1 --image-size 16 --scores /dev/stdin"
    ));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn rows_of_other_files_in_a_score_table_show_nothing_of_them() {
    let world = World::with_data();
    world.draw_one("elsewhere/secret.png", 1, 77);
    world.ok(&format!("score --data data --out scored {FAST}"));
    let secret = world.path("elsewhere/secret.png");
    let mut table = "path,el2n\n".to_owned();
    for row in world.csv("scored/scores.csv") {
        table += &format!("{},{}\n", row["path"], row["value"]);
    }
    for (path, score) in
        [(secret.to_str().unwrap(), -9), ("../elsewhere/secret.png", -8), ("/etc/passwd", 99)]
    {
        table += &format!("\"{path}\",{score}\n");
    }
    world.write("given.csv", &table);
    world.ok("compress --data data --out out --ipc 1 --image-size 16 --scores given.csv");
    let page = world.read("out/report.html");
    assert!(!page.contains("secret") && !page.contains("passwd"));
    assert!(page.contains("ant/0"), "the images of the data are shown");
}

#[cfg(unix)]
#[test]
fn output_that_nobody_reads_or_that_is_full_is_never_a_panic() {
    let world = World::with_data();
    let program = env!("CARGO_BIN_EXE_tilepress");
    let compress = format!("compress --data data --ipc 1 {FAST}");
    for (number, (arguments, closed, full)) in [
        ("inspect data", 0, 1),
        ("inspect data --json", 0, 1),
        ("--help", 0, 1),
        ("--version", 0, 1),
        ("compress --help", 0, 1),
        ("completions bash", 0, 1),
        ("compress --data data --out none --ipc 1 --dry-run", 0, 1),
        (&*format!("{compress} --json --out"), 0, 1),
        (&*format!("{compress} --out"), 0, 0),
        ("inspect nowhere", 3, 3),
        ("comprss", 2, 2),
    ]
    .into_iter()
    .enumerate()
    {
        for (kind, (to, code)) in [
            (">&-", closed),
            (">&- 2>&-", closed),
            ("2>/dev/full", closed),
            ("</dev/null | true", 0),
            ("2>&1 | head -1", 0),
            (">/dev/full", full),
        ]
        .into_iter()
        .enumerate()
        {
            let out =
                if arguments.ends_with("--out") { format!(" out-{number}-{kind}") } else { String::new() };
            let output = world.shell(&format!("'{program}' {arguments}{out} {to}"));
            let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
            assert!(!said.contains("panicked"), "{arguments} {to}: {said}");
            assert_eq!(output.status.code(), Some(code), "{arguments} {to}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn names_that_act_are_only_text_wherever_they_are_shown_and_come_back_from_tables() {
    let world = World::new();
    let classes = [
        "<script>alert(1)<!--",
        "a|b`c`",
        "\"x\",y",
        "# h",
        "=cmd|' ",
        "-1",
        "\u{1b}[31mred\u{7}",
        "0two\nlines",
        "\u{202e}gpj",
        "'@sum",
        "CON",
        &"n".repeat(240),
    ];
    for (hue, class) in classes.iter().enumerate() {
        for image in 0..6 {
            world.draw_one(&format!("=d\u{1b}<b>/{class}/{image}.png"), hue, image + 100 * hue as u32);
        }
        world.write(&format!("=d\u{1b}<b>/{class}/\u{1b}[2J\nbroken.png"), "no image");
    }
    let data = "=d\u{1b}<b>".to_owned();
    let run = |arguments: &str| {
        let output = world.command(arguments).arg("--data").arg(&data).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{arguments}: {said:?}");
        said
    };
    let said = run(&format!("compress --out out --ipc 1 {FAST}"));
    assert!(said.contains("\\u{1b}[31mred") && said.contains("0two\\nlines"), "{said}");
    run(&format!("compress --out json --json --ipc 1 {FAST}"));
    let page = world.read("out/report.html");
    assert!(!page.contains(['\u{1b}', '\u{7}', '\u{202e}']) && !page.contains("<script>"));
    let card = world.read("out/README.md");
    assert!(card.contains("\n# =d\\\\u{1b}\\<b\\>\n"), "{card}");
    for table in ["scores.csv", "selection.csv", "problems.csv"] {
        let text = world.read(&format!("out/{table}"));
        assert!(!text.lines().any(|line| line.starts_with(['=', '+', '-', '@'])), "{text}");
        assert!(text.contains("'=cmd|' /") && text.contains("'-1/"), "{text}");
    }
    // The same images again, from either table.
    run("compress --out again --ipc 1 --image-size 16 --scores out/scores.csv");
    assert_eq!(world.tree("out/data"), world.tree("again/data"));
    let combine = world.command("combine --out combined --image-size 16 --selection out/selection.csv");
    let output = { combine }.arg("--data").arg(&data).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.tree("out/data"), world.tree("combined/data"));
    let inspected = world.ok("inspect out");
    assert!(!inspected.out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", inspected.out);
    let json = world.ok("inspect out --json");
    assert!(!json.out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", json.out);
    let told: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let names: Vec<_> =
        told["classes"].as_array().unwrap().iter().map(|class| class["class"].as_str()).collect();
    assert!(names.contains(&Some("\u{1b}[31mred\u{7}")) && names.contains(&Some("\u{202e}gpj")), "{names:?}");
    // An error is one line, whatever names it holds.
    let failed = world.command(&format!("compress --out fails --on-error fail --ipc 1 {FAST}"));
    let output = { failed }.arg("--data").arg(&data).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.ends_with('\n') && said.matches('\n').count() == 1 && !said.contains('\u{1b}'), "{said:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_program_within_a_second_also_in_the_middle_of_a_long_step() {
    let world = World::with_data();
    // One step of this takes many seconds.
    let long = "profile --model resnet18 --image-size 448 --batch 48 --device cpu -j 1";
    let mut child = world.command(long).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "it is at work");
    let begun = Instant::now();
    assert!(world.shell(&format!("kill -INT {}", child.id())).status.success());
    let status = child.wait().unwrap();
    // A second, and some room for a busy machine.
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert_eq!(status.code(), Some(130));
}
