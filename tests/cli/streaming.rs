//! Images that do not fit into memory: what is kept of them changes no result.

use serde_json::Value;

use crate::world::{FAST, FAST_STUDENTS, World, assert_same};

/// Memory for images, and what is then kept of 45 images of 16 px: 34.6 kB of pixels, and files of some 300 bytes.
const MEMORY: [(&str, &str); 3] = [("1GB", "pixels"), ("30kB", "files"), ("0MB", "nothing")];

/// A report without what differs between two equal runs: the date, the seconds, and what was kept in memory.
fn numbers(mut report: Value) -> Value {
    report["created"] = Value::Null;
    report["cost"] = Value::Null;
    report["scoring"]["seconds"] = Value::Null;
    for result in report["results"].as_array_mut().unwrap() {
        assert!(result["seconds"].take().is_number());
    }
    report
}

#[test]
fn a_set_is_the_same_bytes_whatever_is_kept_in_memory_and_with_any_number_of_threads() {
    let world = World::with_data();
    let mut first = None;
    for (memory, kept) in MEMORY {
        for threads in [1, 4] {
            let out = format!("{kept}{threads}");
            let run = world.ok(&format!(
                "compress --data data --out {out} --ipc 2 --seed 7 --evaluate --repeats 2 --memory {memory} -j {threads} \
                 {FAST_STUDENTS}"
            ));
            let report = world.json(&format!("{out}/report.json"));
            assert_eq!(report["cost"]["loading"]["kept"], kept, "{}", run.out);
            assert!(run.out.contains("--memory") && run.out.contains("34.6 kB"), "{}", run.out);
            let mut files = world.tree(&out);
            files.retain(|name, _| !name.starts_with("report.") && !name.starts_with("students/"));
            for name in ["scores.csv", "selection.csv", "data/metadata.jsonl", "data/cow/0001.png"] {
                assert!(files.contains_key(name), "{name}");
            }
            let made = (files, numbers(report));
            let (files, report) = first.get_or_insert_with(|| made.clone());
            assert_same(files, &made.0);
            assert_eq!(*report, made.1, "{memory}, {threads} threads");
        }
    }
}

#[test]
fn comparisons_and_evaluations_are_the_same_whatever_is_kept_in_memory() {
    let world = World::with_data();
    world.draw_others("data/val", &["ant", "bee", "cow"], 4);
    world.draw("data/train", &["ant", "bee", "cow"], 15);
    for class in ["ant", "bee", "cow"] {
        std::fs::remove_dir_all(world.path(&format!("data/{class}"))).unwrap();
    }
    world.ok(&format!("compress --data data --out set --ipc 2 {FAST}"));
    let mut first = None;
    for (memory, kept) in MEMORY {
        // Of the validation images and the set, which are 12 images and 6.
        let less = if kept == "files" { "9kB" } else { memory };
        world.ok(&format!(
            "compare --data data --out compare-{kept} --ipc 2 --repeats 2 --when eval --memory {memory} {FAST_STUDENTS}"
        ));
        world.ok(&format!(
            "evaluate --set set --data data --out evaluate-{kept} --width 4 --steps 4 --device cpu --memory {less}"
        ));
        let reports = ["compare", "evaluate"].map(|command| {
            let report = world.json(&format!("{command}-{kept}/report.json"));
            assert_eq!(report["cost"]["loading"]["kept"], kept, "{command}");
            numbers(report)
        });
        assert_eq!(first.get_or_insert_with(|| reports.clone()), &reports, "{memory}");
    }
}

#[test]
fn sizes_of_memory_that_are_none_are_refused_and_a_config_file_names_them() {
    let world = World::with_data();
    for wrong in ["8", "lots", "-1GB", "nanGB", "9999999TB"] {
        world.fails(&format!("score --data data --out out --memory={wrong} {FAST}"), 2, &["--memory", wrong]);
    }
    world.write("run.toml", "memory = \"0MB\"\n");
    let run = world.ok(&format!("score --data data --out out --config run.toml {FAST}"));
    assert!(run.out.contains("read and decoded again whenever it is used"), "{}", run.out);
}

#[cfg(target_os = "linux")]
#[test]
fn too_few_open_files_end_the_run_with_the_remedy_and_never_count_as_bad_images() {
    let world = World::with_data();
    let command =
        |out: &str| format!("compress --data data --out {out} --ipc 2 --memory 0MB --on-error skip {FAST}");
    world.ok(&command("free"));
    let table = world.read("free/scores.csv");
    let mut refused = 0;
    // Standard streams and a few more: from not enough for anything up to enough.
    for files in 3..12 {
        let out = format!("out{files}");
        let program = env!("CARGO_BIN_EXE_tilepress");
        let run = world.shell(&format!("ulimit -n {files}; exec '{program}' {}", command(&out)));
        let err = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!err.contains("restore it"), "{files}: {err}");
        if run.status.code() == Some(0) {
            assert_eq!(world.read(&format!("{out}/scores.csv")), table, "{files}: {err}");
        } else {
            // Below 4 the system's own loader ends the program.
            assert!(err.contains("os error 24") || err.contains("Error 24"), "{files}: {err}");
            refused += 1;
        }
        assert!(!world.path(&format!("{out}/problems.csv")).exists(), "{files}: {err}");
        world.ok(&command(&out));
        assert_eq!(world.read(&format!("{out}/scores.csv")), table, "{files}");
    }
    assert!(refused > 0);
}
