//! Runs that are watched: events, TensorBoard's files, and metrics.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{FAST, FAST_STUDENTS, World, assert_same};

const SCORE: &str = "score --data data --image-size 16 --width 4 --device cpu --checkpoint-minutes 0";

/// The lines of a file of events, each of which must be an object.
fn events(world: &World, out: &str) -> Vec<Value> {
    let text = world.read(&format!("{out}/events.jsonl"));
    assert!(text.ends_with('\n'), "{text}");
    let lines = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        assert!(event["time"].as_str().unwrap().ends_with('Z') && event["event"].is_string(), "{line}");
        event
    });
    lines.collect()
}

fn of<'a>(events: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["event"] == name)
}

#[test]
fn every_command_that_trains_writes_its_events_and_the_rest_is_the_same_bytes() {
    let world = World::with_data();
    world.ok(&format!("{SCORE} --score-epochs 40 --runs 2 --out plain"));
    world.ok(&format!("{SCORE} --score-epochs 40 --runs 2 --out score --events"));
    let score = events(&world, "score");
    assert_eq!((&score[0]["event"], &score[0]["command"]), (&"start".into(), &"score".into()));
    assert_eq!(score.last().unwrap()["how"], "done");
    let steps: Vec<&Value> = of(&score, "step").collect();
    for run in ["0", "1"] {
        let steps: Vec<u64> = steps
            .iter()
            .filter(|event| event["run"] == run)
            .map(|event| event["step"].as_u64().unwrap())
            .collect();
        assert_eq!(steps, [16, 32, 40], "run {run}");
    }
    for event in &steps {
        assert!(event["loss"].as_f64().unwrap() > 0.0 && event["learning_rate"].is_number(), "{event}");
        assert!(event["images_per_second"].as_f64().unwrap() > 0.0, "{event}");
        assert!((0.0..=1.0).contains(&event["waiting"].as_f64().unwrap()), "{event}");
        assert_eq!(
            (&event["stage"], &event["steps"], &event["epoch"]),
            (&"score".into(), &40.into(), &event["step"])
        );
        assert!(cfg!(not(target_os = "linux")) || event["memory"].as_u64().unwrap() > 1 << 20, "{event}");
    }
    assert!(of(&score, "checkpoint").count() >= 4);
    let ends: Vec<&Value> = of(&score, "stage_end").collect();
    assert!(
        ends.iter().any(|end| end["stage"] == "score" && end["done"] == 80 && end["total"] == 80),
        "{ends:?}"
    );
    assert!(
        of(&score, "message").any(|event| event["text"].as_str().unwrap().starts_with("scored 36 images"))
    );
    fs::remove_file(world.path("score/events.jsonl")).unwrap();
    assert_same(&world.tree("plain"), &world.tree("score"));

    world.ok(&format!("compress --data data --out set --ipc 2 --evaluate --events {FAST_STUDENTS}"));
    world.ok("evaluate --set set --data data --out evaluated --events --width 4 --steps 4 --device cpu");
    let compare = "compare --data data --out compared --ipc 1 --methods random,pca --repeats 1 --events";
    world.ok(&format!("{compare} {FAST_STUDENTS}"));
    for (out, stages, run) in [
        ("set", &["score", "train"][..], "-0"),
        ("evaluated", &["train"], "-0"),
        ("compared", &["score", "train"], "pca-0"),
    ] {
        let events = events(&world, out);
        let found: BTreeSet<&str> =
            of(&events, "step").map(|event| event["stage"].as_str().unwrap()).collect();
        assert_eq!(found, stages.iter().copied().collect(), "{out}");
        assert!(of(&events, "step").any(|event| event["run"].as_str().unwrap().ends_with(run)), "{out}");
    }
    // A set with events is whole, and read as one.
    world.ok_silently("inspect set");
}

#[cfg(unix)]
#[test]
fn events_survive_kills_and_go_on_without_a_torn_line() {
    let world = World::with_data();
    let score = format!("{SCORE} --score-epochs 1500 --out out --events");
    let file = world.path("out/events.jsonl");
    for kills in 1..=3 {
        let mut run = world.command(&score).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let begun =
            |text: &str| text.matches("\"event\":\"start\"").count() == kills && text.ends_with("}\n");
        let steps =
            |text: &str| text.rsplit("\"event\":\"start\"").next().unwrap().contains("\"event\":\"step\"");
        while !fs::read_to_string(&file).is_ok_and(|text| begun(&text) && steps(&text)) {
            assert!(Instant::now() < until && run.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(2));
        }
        run.kill().unwrap();
        run.wait().unwrap();
        // A kill in the middle of a line.
        let mut text = fs::read_to_string(&file).unwrap();
        text.truncate(text.rfind('\n').unwrap() + 1);
        text.push_str(&r#"{"time":"2026-11-28T10:00:00.000Z","event":"step","st"#[..10 * kills]);
        fs::write(&file, text).unwrap();
    }
    let mut run = world.command(&score).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::read_to_string(&file).unwrap().matches("\"event\":\"start\"").count() < 4 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let stopped = world.shell(&format!("kill -TERM {}", run.id()));
    assert!(stopped.status.success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let events = events(&world, "out");
    assert_eq!(of(&events, "start").count(), 4);
    assert_eq!(events.last().unwrap()["how"], "stopped");
    // Every process goes on where a checkpoint was.
    let saved: BTreeSet<u64> =
        of(&events, "checkpoint").map(|event| event["step"].as_u64().unwrap()).collect();
    let mut before = None;
    for event in &events {
        if event["event"] == "start" {
            before = None;
        } else if event["event"] == "step" {
            let step = event["step"].as_u64().unwrap();
            assert!(before.is_some() || step <= 16 || saved.contains(&(step - 16)), "{event}");
            before = Some(step);
        }
    }
    // Nobody's file is in the way of --force, which begins a new one.
    world.ok(&format!("{SCORE} --score-epochs 2 --out out --force"));
    assert!(!file.exists());
}

#[test]
fn events_that_cannot_be_written_end_no_run_and_another_programs_file_stays() {
    let world = World::with_data();
    let score = format!("{SCORE} --score-epochs 2 --out out --events");
    world.ok(&score);
    world.write("out/events.jsonl", "{\"mine\": 1}\n");
    let run = world.ok(&score);
    assert!(
        run.err.contains("events.jsonl") && run.err.contains("the run goes on without it"),
        "{}",
        run.err
    );
    assert_eq!(world.read("out/events.jsonl"), "{\"mine\": 1}\n");
    // A run that is refused writes nothing.
    world.write("strange/mine.txt", "mine");
    world.fails(&format!("{SCORE} --out strange --events"), 3, &["strange"]);
    assert_eq!(world.names("strange"), ["mine.txt"]);
    world.fails(
        &format!("compress --data data --out new --ipc 2 --dry-run --events {FAST}"),
        2,
        &["--events", "--dry-run"],
    );
}

#[test]
fn tensorboard_has_a_folder_for_each_training() {
    let world = World::with_data();
    let compare =
        "compare --data data --out out --ipc 1 --methods random,pca --repeats 1 --tensorboard board";
    for files in 1..=2 {
        world.ok(&format!("{compare} --force {FAST_STUDENTS}"));
        for run in ["score/0", "train/random-0", "train/pca-0"] {
            let names = world.names(&format!("board/{run}"));
            assert_eq!(names.len(), files, "{names:?}");
            assert!(names.iter().all(|name| name.starts_with("events.out.tfevents.")), "{names:?}");
            for name in names {
                let bytes = fs::read(world.path(&format!("board/{run}/{name}"))).unwrap();
                // The first record: its length, and the version of the format.
                assert_eq!(bytes[..8], 24_u64.to_le_bytes());
                assert!(bytes.windows(13).any(|part| part == b"brain.Event:2"));
                assert!(bytes.windows(4).any(|part| part == b"loss"));
            }
        }
    }
    let score = format!("{SCORE} --score-epochs 2 --out new");
    for folder in ["new/board", "data/board", "data"] {
        world.fails(&format!("{score} --tensorboard {folder}"), 3, &["--tensorboard", folder]);
    }
    world.write("file", "");
    world.fails(&format!("{score} --tensorboard file"), 3, &["--tensorboard"]);
    assert!(!world.path("new").exists() && !world.path("data/board").exists());
}

fn asked(port: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_are_told_while_a_run_goes_on() {
    let world = World::with_data();
    let mut run = world
        .command(&format!("{SCORE} --score-epochs 4000 --out out --metrics 0"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(run.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let port = first
        .trim()
        .strip_prefix("metrics: http://127.0.0.1:")
        .and_then(|rest| rest.strip_suffix("/metrics"));
    let port = port.unwrap_or_else(|| panic!("{first}")).to_owned();
    // Others who are slow do not keep it from training.
    let silent = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let step = |text: &str| {
        let line =
            text.lines().find(|line| line.starts_with("tilepress_training_step{stage=\"score\",run=\"0\"} "));
        line.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
    };
    let until = Instant::now() + Duration::from_secs(60);
    let mut seen = BTreeSet::new();
    while seen.len() < 2 {
        let answer = asked(&port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("tilepress_info{version=") && answer.contains("command=\"score\""),
            "{answer}"
        );
        seen.extend(step(&answer));
        assert!(Instant::now() < until, "{answer}");
    }
    assert!(asked(&port, "GET /etc/passwd HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    drop(silent);
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_port_that_cannot_be_used_is_an_error_before_any_work() {
    let world = World::with_data();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    world.fails(
        &format!("{SCORE} --out out --metrics {port}"),
        2,
        &["--metrics", &port.to_string(), "another port"],
    );
    world.fails(
        &format!("{SCORE} --out out --metrics example.org:80"),
        2,
        &["example.org:80", "127.0.0.1:9464"],
    );
    assert!(!world.path("out").exists());
    let run = world.ok(&format!("{SCORE} --score-epochs 2 --out out --metrics 0.0.0.0:0"));
    assert!(run.err.contains("whoever reaches this address"), "{}", run.err);
}
