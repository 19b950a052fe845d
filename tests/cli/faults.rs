//! Faults at any moment: kills, signals, and files that were changed while a run was stopped. Whatever happens, the same command
//! given again ends with the bytes of an undisturbed run, or it names the file that is wrong.
//!
//! A short form runs with all other tests. `cargo xtask faults` runs as many faults as it is asked for, by
//! `TILEPRESS_FAULTS`, and prints the table of `docs/reliability.md`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{World, assert_same};

/// Number of faults in the short form, which is a few for each command.
const SHORT: usize = 36;

/// A command that is disturbed.
struct Work {
    name: &'static str,
    arguments: &'static str,
}

/// All commands that write, so that the longest takes about two seconds: their trainings are saved at every occasion.
const WORKS: [Work; 6] = [
    Work {
        name: "compress",
        arguments: "compress --data data --out out --ipc 2 --image-size 16 --width 4 --score-epochs 60 --evaluate \
                    --steps 200 --repeats 2 --device cpu --checkpoint-minutes 0",
    },
    Work {
        name: "compare",
        arguments: "compare --data data --out out --ipc 1 --image-size 16 --width 4 --score-epochs 40 --steps 100 \
                    --methods random,pca --repeats 2 --device cpu --checkpoint-minutes 0",
    },
    Work {
        name: "score",
        arguments: "score --data data --out out --image-size 16 --width 4 --score-epochs 80 --runs 2 --device cpu \
                    --checkpoint-minutes 0",
    },
    Work {
        name: "evaluate",
        arguments: "evaluate --set set --data data --out out --width 4 --steps 300 --repeats 2 --save-student \
                    --device cpu --checkpoint-minutes 0",
    },
    Work { name: "prune", arguments: "prune --data data --out out --ipc 2 --scores scores/scores.csv" },
    Work {
        name: "combine",
        arguments: "combine --data data --out out --selection set/selection.csv --image-size 16",
    },
];

/// The command that takes longest, only in the long form: every so many faults one of it.
const DEMO: Work = Work { name: "demo", arguments: "demo --out out --repeats 1" };
const DEMO_EVERY: usize = 50;

/// A training of about half a minute that is saved every two seconds, for what a kill costs.
const TRAINING: Work = Work {
    name: "training",
    arguments: "evaluate --set set --data data --out out --width 32 --image-size 16 --steps 20000 --repeats 1 \
                --device cpu --checkpoint-minutes 0.03333",
};

/// A way in which a run is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    Terminate,
    Interrupt,
    /// Files that cannot grow beyond a size, as on a full disk.
    NoRoom,
    /// A kill, and then a file of the output cut short.
    CutShort,
    /// A kill, and then one bit of a file of the output changed.
    Flipped,
}

const FAULTS: [Fault; 6] =
    [Fault::Kill, Fault::Terminate, Fault::Interrupt, Fault::NoRoom, Fault::CutShort, Fault::Flipped];

/// Random numbers by a counter, as everywhere: fault number N is the same in every run.
struct Draw {
    seed: u64,
    count: u64,
}

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.count += 1;
        let mut x = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.count << 32 | self.count);
        for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            x = (x ^ (x >> 30)).wrapping_mul(factor);
        }
        (x ^ (x >> 31)) % end.max(1)
    }

    fn share(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }
}

/// An undisturbed run: its files, and how long it took.
struct Undisturbed {
    files: BTreeMap<String, Vec<u8>>,
    took: Duration,
}

/// A world in which all works can be done.
fn world() -> World {
    let world = World::with_data();
    world
        .ok("compress --data data --out set --ipc 2 --image-size 16 --width 4 --score-epochs 2 --device cpu");
    world.ok("score --data data --out scores --image-size 16 --width 4 --score-epochs 2 --device cpu");
    world
}

/// The files of a run, without what tells times.
fn files(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut tree = world.tree("out");
    tree.retain(|name, _| !name.ends_with("report.html"));
    for (name, bytes) in &mut tree {
        // A kept outcome has a line before it that seals its bytes, times among them.
        let outcome = name.contains("students/") && name.ends_with(".json");
        if outcome || name.ends_with("report.json") {
            let text = if outcome {
                &bytes[bytes.iter().position(|&b| b == b'\n').unwrap() + 1..]
            } else {
                &bytes[..]
            };
            let mut value: Value = serde_json::from_slice(text).unwrap();
            without_times(&mut value);
            *bytes = value.to_string().into_bytes();
        }
    }
    tree
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.contains("seconds") && name != "created" && name != "device");
            fields.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// The command once without a fault. What it depends on was there before, so this is one fault's way without its fault.
fn undisturbed(world: &World, work: &Work) -> Undisturbed {
    let begun = Instant::now();
    world.ok(work.arguments);
    let took = begun.elapsed();
    let files = files(world);
    std::fs::remove_dir_all(world.path("out")).unwrap();
    Undisturbed { files, took }
}

/// Starts the command, waits, and sends a signal. `None` where it had ended before.
fn stopped(world: &World, work: &Work, signal: &str, after: Duration) -> Option<(ExitStatus, String)> {
    let mut child: Child =
        world.command(work.arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(after);
    if child.try_wait().unwrap().is_some() {
        return None;
    }
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    // It may end in the meantime: then there is nobody to send it to.
    sent.unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Runs the command where no file can grow beyond `blocks` of 512 bytes. `None` where that was enough.
fn without_room(world: &World, work: &Work, blocks: u64) -> Option<(ExitStatus, String)> {
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let whole = world.command(work.arguments);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &limited]).arg(whole.get_program()).args(whole.get_args());
    let output = command.current_dir(world.path("")).stdin(Stdio::null()).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!err.contains("panicked"), "{}, {blocks} blocks: {err}", work.name);
    if output.status.success() {
        std::fs::remove_dir_all(world.path("out")).unwrap();
        return None;
    }
    assert!(matches!(output.status.code(), Some(1 | 3)), "{}: {} {err}", work.name, output.status);
    assert!(err.contains("error: "), "{}: {err}", work.name);
    Some((output.status, err))
}

/// One fault, and what became of it: `true` where there was something to disturb.
fn disturb(world: &World, work: &Work, whole: &Undisturbed, fault: Fault, draw: &mut Draw) -> bool {
    let out = world.path("out");
    let signal = match fault {
        Fault::Terminate => "-TERM",
        Fault::Interrupt => "-INT",
        Fault::Kill | Fault::NoRoom | Fault::CutShort | Fault::Flipped => "-KILL",
    };
    let mut happened = false;
    // Up to three in a row: what a run goes on from was left by one that went on itself.
    for _ in 0..=draw.below(3) {
        let after = whole.took.mul_f64(draw.share());
        let before = out.exists().then(|| world.tree("out"));
        let stopped = match fault {
            Fault::NoRoom => without_room(world, work, draw.below(60)),
            _ => stopped(world, work, signal, after),
        };
        let Some((status, err)) = stopped else { break };
        happened = true;
        if signal != "-KILL" && !status.success() {
            // A signal that comes before the program listens ends it as it ends any other.
            let early = status.code().is_none() && before == out.exists().then(|| world.tree("out"));
            assert!(early || status.code() == Some(130), "{}, {fault:?}: {status} {err}", work.name);
        }
    }
    let spoilt = match fault {
        Fault::CutShort | Fault::Flipped => spoil(&out, fault, draw),
        _ => None,
    };
    let run = world.run(work.arguments);
    if run.code != Some(0) {
        let name = spoilt.as_deref().unwrap_or_else(|| panic!("{}, {fault:?}: {run:#?}", work.name));
        let file = name.rsplit('/').next().unwrap();
        assert_eq!(run.code, Some(3), "{}, {fault:?} of {name}: {run:#?}", work.name);
        assert!(run.err.contains(file), "{}, {fault:?} of {name}: {run:#?}", work.name);
        // As the message says: without that file it goes on; without a mark, or the list of a set, it begins anew.
        std::fs::remove_file(out.join(name)).unwrap();
        let again = world.run(work.arguments);
        // A finished set is not scored again for its log, so the log stays away.
        let unscored = file == "training-log.safetensors" && !out.join(name).exists();
        if again.code != Some(0) || unscored {
            let marks = ["manifest.json", "run.json", "metadata.jsonl"];
            assert!(unscored || marks.contains(&file), "{}, {name}: {again:#?}", work.name);
            std::fs::remove_dir_all(&out).unwrap();
            world.ok(work.arguments);
        }
    }
    assert_same(&whole.files, &files(world));
    std::fs::remove_dir_all(&out).unwrap();
    happened
}

/// Cuts a file of the output short, or changes a bit of it, and gives its name.
fn spoil(out: &Path, fault: Fault, draw: &mut Draw) -> Option<String> {
    let mut names = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()? {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(out).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    // What a person may write into, and what is written anew each time whatever was there.
    names.retain(|name| !name.contains(".tilepress-") && name != "README.md");
    names.sort();
    let name = names.get(draw.below(names.len() as u64) as usize)?.clone();
    let mut bytes = std::fs::read(out.join(&name)).unwrap();
    if bytes.is_empty() {
        return None;
    }
    let place = draw.below(bytes.len() as u64) as usize;
    match fault {
        Fault::CutShort => bytes.truncate(place),
        _ => bytes[place] ^= 1 << draw.below(8),
    }
    std::fs::write(out.join(&name), bytes).unwrap();
    Some(name)
}

#[cfg(unix)]
#[test]
fn whatever_stops_a_run_the_same_command_ends_with_the_same_bytes() {
    let asked = std::env::var("TILEPRESS_FAULTS").ok().and_then(|count| count.parse().ok());
    let (count, told) = (asked.unwrap_or(SHORT), asked.is_some());
    let world = world();
    let demo = told.then_some(DEMO);
    let works: Vec<Work> = WORKS.into_iter().chain(demo).collect();
    let whole: Vec<Undisturbed> = works.iter().map(|work| undisturbed(&world, work)).collect();
    let mut happened: BTreeMap<(&str, Fault), usize> = BTreeMap::new();
    for number in 0..count {
        // The demo's place in the list exists in the long form alone.
        let of_demo = told && number % DEMO_EVERY == DEMO_EVERY - 1;
        let (place, turn) = if of_demo {
            (WORKS.len(), number / DEMO_EVERY)
        } else {
            (number % WORKS.len(), number / WORKS.len())
        };
        let (work, whole) = (&works[place], &whole[place]);
        let fault = FAULTS[turn % FAULTS.len()];
        let mut draw = Draw { seed: number as u64, count: 0 };
        if disturb(&world, work, whole, fault, &mut draw) {
            *happened.entry((work.name, fault)).or_default() += 1;
        }
        if told && (number + 1) % 100 == 0 {
            eprintln!("{} of {count} faults", number + 1);
        }
    }
    let sum: usize = happened.values().sum();
    assert!(sum * 3 > count, "only {sum} of {count} runs were still there to be disturbed");
    if told {
        println!("| command | {} |", FAULTS.map(|fault| format!("{fault:?}")).join(" | "));
        for work in &works {
            let counts =
                FAULTS.map(|fault| happened.get(&(work.name, fault)).copied().unwrap_or(0).to_string());
            println!("| `{}` | {} |", work.name, counts.join(" | "));
        }
        println!(
            "{sum} of {count} runs were disturbed before their end; every one came to the undisturbed bytes"
        );
    }
}

/// Seconds of work that a kill costs: those since the last checkpoint. A time, so it is told and not judged.
#[cfg(unix)]
#[test]
#[ignore = "takes minutes and tells times: `cargo xtask faults` runs it"]
fn what_a_kill_costs_is_told() {
    let world = world();
    let whole = undisturbed(&world, &TRAINING);
    let mut draw = Draw { seed: 7, count: 0 };
    let mut costs = Vec::new();
    for _ in 0..10 {
        let after = whole.took.mul_f64(draw.share());
        let begun = std::time::SystemTime::now();
        let Some(_) = stopped(&world, &TRAINING, "-KILL", after) else { continue };
        let killed = std::time::SystemTime::now();
        let students = world.path("out/students");
        let files = std::fs::read_dir(students).into_iter().flatten();
        let saved = files.map(|file| file.unwrap().metadata().unwrap().modified().unwrap()).max();
        costs.push(killed.duration_since(saved.unwrap_or(begun)).unwrap_or_default().as_secs_f64());
        world.ok(TRAINING.arguments);
        assert_same(&whole.files, &self::files(&world));
        std::fs::remove_dir_all(world.path("out")).unwrap();
    }
    costs.sort_by(f64::total_cmp);
    let told: Vec<String> = costs.iter().map(|seconds| format!("{seconds:.1}")).collect();
    println!(
        "a training of {:.0} s, saved every 2 s, killed at any moment: {} s of work are done again",
        whole.took.as_secs_f64(),
        told.join(", ")
    );
}
