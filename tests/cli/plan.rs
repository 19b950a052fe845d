//! What a compression would take is said before it is begun.

use serde_json::Value;

use crate::world::{FAST, FAST_STUDENTS, FAST_UNSCORED, World};

fn plan(world: &World, arguments: &str) -> Value {
    let run = world.ok(&format!("plan {arguments} --json"));
    serde_json::from_str(&run.out).unwrap()
}

fn stages(plan: &Value) -> Vec<&str> {
    plan["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect()
}

#[test]
fn a_plan_counts_what_compress_does_and_writes_nothing() {
    let world = World::with_data();
    let before = world.tree(".");
    let options = format!("--data data --ipc 2 --evaluate --repeats 2 --when eval --seed 3 {FAST_STUDENTS}");
    let made = plan(&world, &options);
    let text = world.ok(&format!("plan {options}"));
    assert_eq!(world.tree("."), before);
    assert_eq!(
        stages(&made),
        ["first pass", "proxy training", "eval passes", "prune", "combine", "students"]
    );
    assert_eq!((&made["train"], &made["val"], &made["classes"]), (&36.into(), &9.into(), &3.into()));
    let files: usize = world.tree("data").values().map(Vec::len).sum();
    assert_eq!(made["source_bytes"], files);
    assert_eq!(made["loading"]["kept"], "pixels");
    assert_eq!(made["loading"]["memory_bytes"], 45 * 16 * 16 * 3);
    let mut sum = 0.0;
    for stage in made["stages"].as_array().unwrap() {
        let seconds = stage["seconds"].as_f64().unwrap();
        assert!(seconds > 0.0 && seconds < 100.0, "{stage}");
        sum += seconds;
    }
    assert!((made["seconds"].as_f64().unwrap() - sum).abs() < 1e-9);
    for said in
        ["An estimate", "36 to learn from and 9 to measure on, in 3 classes", "6 composites of 24 images"]
    {
        assert!(text.out.contains(said), "{said} is not in {}", text.out);
    }
    assert!(
        text.out.contains("It rests on") && text.out.contains("drawn from all over the set"),
        "{}",
        text.out
    );
    // The same words with another first make the set, of as many steps as were counted.
    let run = world.ok(&format!("compress {options} --out out --json"));
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(report["data"]["train"], made["train"], "{report}");
}

#[test]
fn what_is_kept_follows_the_memory_and_what_is_not_trained_is_not_planned() {
    let world = World::with_data();
    for (memory, kept) in [("1GB", "pixels"), ("27kB", "files"), ("0MB", "nothing")] {
        let made = plan(&world, &format!("--data data --ipc 2 --memory {memory} {FAST}"));
        assert_eq!(made["loading"]["kept"], kept, "{memory}");
        let again = made["rates"]["again"].as_f64().unwrap();
        assert_eq!(again > 0.0, kept != "pixels", "{again}");
        assert_eq!(stages(&made), ["first pass", "proxy training", "prune", "combine"]);
    }
    world.ok(&format!("score --data data --out scored {FAST}"));
    let made = plan(&world, "--data data --ipc 2 --scores scored/scores.csv --image-size 16");
    assert_eq!((stages(&made), &made["device"]), (vec!["first pass", "prune", "combine"], &Value::Null));
    let made =
        plan(&world, &format!("--data data --ipc 2 --scores scored/scores.csv --evaluate {FAST_UNSCORED}"));
    assert_eq!(stages(&made), ["first pass", "prune", "combine", "students"]);
}

#[test]
fn what_cannot_be_is_refused_with_the_code_of_compress() {
    let world = World::with_data();
    world.fails(&format!("plan --data data --ipc 9 {FAST}"), 3, &["'ant'", "--ipc"]);
    world.fails("plan --data nowhere --ipc 2", 3, &["nowhere"]);
    world.fails(&format!("plan --data data --ipc 2 --force {FAST}"), 2, &["--force", "writes nothing"]);
    world.fails(&format!("plan --data data --ipc 2 --dry-run {FAST}"), 2, &["--dry-run"]);
    // Files that cannot be used end the run where compress would.
    std::fs::write(world.path("data/bee/99.png"), b"no image").unwrap();
    let made = plan(&world, &format!("--data data --ipc 2 {FAST}"));
    assert!(made["rests_on"][0].as_str().unwrap().contains("cannot be used"), "{made}");
    world.fails(
        &format!("plan --data data --ipc 2 --on-error fail {FAST}"),
        3,
        &["bee/99.png", "--on-error"],
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_does_not_fit_into_memory_is_refused_and_told_what_would() {
    let world = World::with_data();
    let options =
        "--data data --ipc 2 --model convnet --width 128 --image-size 4096 --score-epochs 1 --device cpu";
    // A step of 128 images of 4096 px would take far more than any machine that runs tests has.
    let run = world.fails(
        &format!("plan {options} --score-batch-size 36"),
        2,
        &["this does not fit", "What would fit: --"],
    );
    assert!(run.err.contains("of memory (") && run.err.contains("are free"), "{}", run.err);
    let said = run.err.split("What would fit: ").nth(1).unwrap().trim();
    assert!(said.starts_with("--score-batch-size") || said.starts_with("--image-size"), "{said}");
}
