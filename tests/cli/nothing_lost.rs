//! Whatever is tried, nothing of the user's is lost, and no result is made of files that are not what they were.

use std::fs;

use crate::world::{FAST, FAST_STUDENTS, FAST_UNSCORED, World, assert_same};

/// The commands that write a folder `out`, with `--force`; `scores.csv` and `list.csv` lie beside the data.
fn commands(world: &World) -> Vec<String> {
    world.ok(&format!("score --data data --out scored {FAST}"));
    world.ok("prune --data data --out pruned --scores scored/scores.csv --ipc 1");
    world.ok("combine --data data --selection pruned/selection.csv --out set --image-size 16");
    vec![
        format!("compress --data data --out out --force --ipc 1 {FAST}"),
        format!("compare --data data --out out --force --ipc 1 --methods random --repeats 1 {FAST_UNSCORED}"),
        format!("score --data data --out out --force {FAST}"),
        "prune --data data --out out --force --scores scored/scores.csv --ipc 1".to_owned(),
        "combine --data data --selection pruned/selection.csv --out out --force --image-size 16".to_owned(),
        format!("evaluate --set set --data data --out out --force {FAST_UNSCORED}"),
    ]
}

#[test]
fn force_deletes_no_file_that_tilepress_did_not_write_and_names_it() {
    let world = World::with_data();
    let commands = commands(&world);
    // The folders of ours are those of every command, in turns, so that each meets one of another.
    for (place, command) in commands.iter().enumerate() {
        world.ok(command);
        for mine in [".git/HEAD", "notes.txt", "data/ant/holiday.png", "students/notes.json"] {
            world.write(&format!("out/{mine}"), "mine");
            let before = world.tree("out");
            let next = &commands[(place + 1) % commands.len()];
            let named = mine.split('/').next().unwrap();
            world.fails(next, 3, &["--out out", named, "nothing was deleted"]);
            assert_same(&before, &world.tree("out"));
            fs::remove_file(world.path(&format!("out/{mine}"))).unwrap();
        }
    }
    // With nobody's files in it every folder is replaced, whatever wrote it, and nothing of the last is left.
    for command in commands.iter().chain(commands.first()) {
        world.ok(command);
    }
    assert!(!world.path("out/run.json").exists() && !world.path("out/answers.csv").exists());
}

#[test]
fn force_deletes_nothing_when_the_run_cannot_be_made() {
    let world = World::with_data();
    let commands = commands(&world);
    world.ok(&commands[0]);
    let before = world.tree("out");
    let wrong: [(&str, &str, i32); 9] = [
        ("compress", "--precision mixed", 4),
        ("compare", "--precision mixed", 4),
        ("score", "--precision mixed", 4),
        ("evaluate", "--precision mixed", 4),
        ("compress", "--window 2..99", 2),
        ("compare", "--window 2..99 --methods el2n", 2),
        ("score", "--window 2..99", 2),
        ("prune", "--ipc 500", 3),
        ("combine", "--grid 3", 3),
    ];
    for (name, more, code) in wrong {
        let command = commands.iter().find(|command| command.starts_with(name)).unwrap();
        world.fails(&format!("{command} {more}"), code, &[]);
        assert_same(&before, &world.tree("out"));
    }
    world.write("scores.csv", "path,el2n\nant/00.png,1\n");
    let scores = "--scores scores.csv --image-size 16";
    world.fails(&format!("compress --data data --out out --force --ipc 1 {scores}"), 3, &["training images"]);
    let compare = "compare --data data --out out --force --ipc 1 --methods el2n --device cpu";
    world.fails(&format!("{compare} {scores}"), 3, &["training images"]);
    assert_same(&before, &world.tree("out"));
}

#[test]
fn inputs_that_lie_in_the_output_stay() {
    let world = World::with_data();
    let commands = commands(&world);
    world.ok(&commands[0]);
    let copy = |from: &str, to: &str| assert!(fs::copy(world.path(from), world.path(to)).is_ok());
    copy("out/scores.csv", "out/problems.csv");
    copy("pruned/selection.csv", "out/classes.json");
    world.write("out/report.csv", "ipc = 1\n");
    let before = world.tree("out");
    let runs = [
        ("compress --data data --out out --force --ipc 1 --scores out/problems.csv", "problems.csv"),
        ("compare --data data --out out --force --ipc 1 --scores out/problems.csv", "problems.csv"),
        ("prune --data data --out out --force --ipc 1 --scores out/../out/scores.csv", "scores.csv"),
        ("combine --data data --out out --force --selection out/classes.json", "classes.json"),
        ("compress --data data --out out --force --config out/report.csv", "report.csv"),
        ("evaluate --set out --data data --out out --force", "'out'"),
        ("evaluate --set out/data --data data --out out --force", "'out/data'"),
    ];
    for (run, named) in runs {
        world.fails(run, 3, &["out", named]);
        assert_same(&before, &world.tree("out"));
    }
}

#[cfg(unix)]
#[test]
fn originals_to_which_links_lead_stay() {
    use std::os::unix::fs::symlink;

    let world = World::with_data();
    // Classes of the data are links to a folder that a run of tilepress made once.
    world.ok(&format!("compress --data data --out out --ipc 1 {FAST}"));
    world.draw("linked", &["ant", "bee"], 15);
    fs::rename(world.path("data/cow"), world.path("out/cow")).unwrap();
    symlink(world.path("out/cow"), world.path("linked/cow")).unwrap();
    let before = world.tree("out");
    for command in ["compress --ipc 1", "compare --ipc 1", "score"] {
        let run = format!("{command} --data linked --out out --force --device cpu");
        world.fails(&run, 3, &["linked/cow", "is a link that leads to the output"]);
        assert_same(&before, &world.tree("out"));
    }
    fs::rename(world.path("out/cow"), world.path("data/cow")).unwrap();

    // A folder of ours whose `data` is a link to originals.
    fs::remove_dir_all(world.path("out/data")).unwrap();
    world.draw("originals", &["ant"], 2);
    symlink(world.path("originals"), world.path("out/data")).unwrap();
    let originals = world.tree("originals");
    for force in ["", "--force"] {
        world.fails(&format!("compress --data data --out out --ipc 1 {FAST} {force}"), 3, &["data"]);
        assert_same(&originals, &world.tree("originals"));
    }

    // The output itself is a link to the data.
    symlink(world.path("data"), world.path("new")).unwrap();
    let data = world.tree("data");
    world.fails(&format!("compress --data data --out new --force --ipc 1 {FAST}"), 3, &["--out"]);
    assert_same(&data, &world.tree("data"));
}

#[test]
fn going_on_removes_no_file_of_the_users() {
    let world = World::with_data();
    let compress = format!("compress --data data --out out --ipc 1 {FAST}");
    world.ok(&compress);
    world.write("out/notes.txt", "mine");
    world.ok(&compress);
    assert_eq!(world.read("out/notes.txt"), "mine");
    // An image beside the composites, and a composite that is to be made again.
    world.draw_one("out/data/ant/mine.png", 0, 77);
    fs::remove_file(world.path("out/data/bee/0000.png")).unwrap();
    let before = world.tree("out");
    world.fails(&compress, 3, &["data/ant/mine.png", "move what is yours"]);
    assert_same(&before, &world.tree("out"));
    fs::remove_file(world.path("out/data/ant/mine.png")).unwrap();
    // So is a card that its user has edited.
    let card = world.read("out/README.md");
    world.write("out/README.md", "my own card");
    world.fails(&compress, 3, &["README.md"]);
    assert_eq!(world.read("out/README.md"), "my own card");
    world.write("out/README.md", &card);
    world.ok(&compress);
}

#[test]
fn a_set_that_is_not_what_it_was_is_neither_continued_nor_evaluated_nor_shown() {
    let world = World::with_data();
    let compress = format!("compress --data data --out out --ipc 2 {FAST}");
    world.ok(&compress);
    let evaluate =
        |set: &str| format!("evaluate --set {set} --data data --out measured --force {FAST_UNSCORED}");
    world.ok(&evaluate("out"));
    let path = |name: &str| world.path("out").join(name);
    let (one, other) = ("data/ant/0000.png", "data/bee/0001.png");
    let whole = [fs::read(path(one)).unwrap(), fs::read(path(other)).unwrap()];
    let restore =
        || [one, other].iter().zip(&whole).for_each(|(name, bytes)| fs::write(path(name), bytes).unwrap());
    let swapped = || {
        fs::write(path(one), &whole[1]).unwrap();
        fs::write(path(other), &whole[0]).unwrap();
    };
    let truncated = || fs::write(path(one), &whole[0][..whole[0].len() / 2]).unwrap();
    for change in [&swapped as &dyn Fn(), &truncated] {
        change();
        for run in [&compress, &evaluate("out"), &evaluate("out/data"), "inspect out", "inspect out/data"] {
            world.fails(run, 3, &["0000.png", "changed or cut off"]);
        }
        restore();
    }
    world.draw_one("out/data/ant/mine.png", 0, 77);
    for run in [&evaluate("out"), "inspect out"] {
        world.fails(run, 3, &["data/ant/mine.png", "not belong"]);
    }
    fs::remove_file(path("data/ant/mine.png")).unwrap();
    fs::remove_file(path(one)).unwrap();
    for run in [&evaluate("out"), "inspect out"] {
        world.fails(run, 3, &[one, "missing"]);
    }
    // What is missing is made again, as it was.
    world.ok(&compress);
    assert_eq!(fs::read(path(one)).unwrap(), whole[0]);
    world.ok(&evaluate("out"));
    // Scores that were changed are no scores.
    let scores = world.read("out/scores.csv");
    world.write("out/scores.csv", &scores.replacen("0.", "1.", 1));
    world.fails(&compress, 3, &["scores.csv", "delete it"]);
    fs::remove_file(path("scores.csv")).unwrap();
    world.ok(&compress);
    assert_eq!(world.read("out/scores.csv"), scores);
}

#[test]
fn what_compare_keeps_is_used_only_as_it_was_kept() {
    let world = World::with_data();
    let compare = |out: &str, more: &str| {
        format!(
            "compare --data data --out {out} --ipc 1 --methods random,el2n --repeats 1 {FAST_STUDENTS} {more}"
        )
    };
    world.ok(&compare("out", ""));
    world.ok(&compare("other", "--seed 1"));
    world.ok(&compare("cropped", "--min-scale 0.9"));
    let path = |name: &str| world.path("out").join(name);
    for name in ["students/random-0.json", "students/el2n-0.json", "training-logs/0.safetensors"] {
        let whole = fs::read(path(name)).unwrap();
        let mut changed = whole.clone();
        let last = changed.len() - 9;
        changed[last] ^= 1;
        let from = |folder: &str, name: &str| fs::read(world.path(folder).join(name)).unwrap();
        let with: [Vec<u8>; 4] =
            [changed, whole[..whole.len() / 2].to_vec(), from("cropped", name), b"{\"seed\": 0}".to_vec()];
        for bytes in with {
            fs::write(path(name), bytes).unwrap();
            world.fails(&compare("out", ""), 3, &[name.rsplit('/').next().unwrap(), "delete it"]);
        }
        fs::remove_file(path(name)).unwrap();
        world.ok(&compare("out", ""));
        if name.ends_with(".safetensors") {
            assert_eq!(fs::read(path(name)).unwrap(), whole, "the same proxy is trained again");
        }
    }
    fs::copy(path("students/random-0.json"), path("students/el2n-0.json")).unwrap();
    world.fails(&compare("out", ""), 3, &["el2n-0.json", "written as 'students/random-0.json'"]);
}

#[test]
fn temporary_files_of_a_killed_run_are_nothing_and_go() {
    let world = World::with_data();
    world.write("out/.tilepress-a1B2c3", "half");
    world.write("out/students/.tilepress-xyzabc", "half");
    world.write("out/.tilepress-d4E5f6/data/ant/0000.png", "half");
    world.write("out/.tilepress-lock", "1");
    world.ok(&format!("compare --data data --out out --ipc 1 --methods random --repeats 1 {FAST_UNSCORED}"));
    let left: Vec<String> =
        world.names("out").into_iter().filter(|name| name.contains(".tilepress")).collect();
    assert_eq!(left, Vec::<String>::new());
    // A kill between the two renames by which a set is replaced.
    let compress = format!("compress --data data --out set --ipc 1 {FAST}");
    world.ok(&compress);
    let set = world.tree("set/data");
    fs::rename(world.path("set/data"), world.path("set/.tilepress-old-data")).unwrap();
    let run = world.ok(&compress);
    assert!(!run.out.contains("combine"), "{}", run.out);
    assert_same(&set, &world.tree("set/data"));
    assert!(!world.path("set/.tilepress-old-data").exists());
}

#[cfg(unix)]
mod processes {
    use std::process::{Child, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// Long enough to be met while it trains.
    const LONG: &str =
        "compress --data data --out out --ipc 2 --image-size 16 --width 4 --score-epochs 1500 --device cpu";

    fn begun(world: &World) -> Child {
        let child = world.command(LONG).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while !world.path("out/classes.json").exists() {
            assert!(start.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(1));
        }
        child
    }

    fn signal(child: &Child, name: &str) {
        let sent = std::process::Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    #[test]
    fn every_wish_to_end_is_heard_as_ctrl_c_is() {
        for name in ["-INT", "-TERM", "-HUP"] {
            let world = World::with_data();
            let child = begun(&world);
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(130), "{name}: {err}");
            assert!(err.contains("error: interrupted"), "{name}: {err}");
            assert!(world.names("out").iter().all(|name| !name.contains(".tilepress")));
        }
    }

    #[test]
    fn a_second_process_is_kept_out_until_the_first_is_gone() {
        let world = World::with_data();
        let mut child = begun(&world);
        for more in ["", "--force"] {
            let process = format!("process {}", child.id());
            world.fails(
                &format!("{LONG} {more}"),
                3,
                &["--out out", "in use by another tilepress", &process],
            );
        }
        let score = format!("score --data data --out out --force {FAST}");
        world.fails(&score, 3, &["in use by another tilepress"]);
        // Looking is allowed.
        world.ok("inspect data");
        child.kill().unwrap();
        child.wait().unwrap();
        world.ok(&score);
    }
}
