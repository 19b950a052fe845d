//! Several processes that train one proxy together, as a launcher would start them.

use std::net::TcpListener;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use crate::world::{World, assert_same};

const SCORE: &str =
    "score --data data --image-size 16 --width 4 --device cpu --threads 1 --ranks env --checkpoint-minutes 0";

/// Starts `count` ranks with the variables of `torchrun`.
fn start(world: &World, arguments: &str, count: usize) -> Vec<Child> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = |rank: usize| {
        let mut command = world.command(arguments);
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", count.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    (0..count).map(start).collect()
}

fn end(ranks: Vec<Child>) -> Vec<Output> {
    ranks.into_iter().map(|rank| rank.wait_with_output().unwrap()).collect()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_two_and_four_processes_write_the_same_scores() {
    let world = World::with_data();
    let score = |out: &str, count: usize| {
        let arguments = format!("{SCORE} --score-epochs 3 --runs 2 --out {out}");
        let ends = end(start(&world, &arguments, count));
        assert!(ends.iter().all(|end| end.status.success()), "{ends:#?}");
        // The first rank speaks for all.
        assert!(ends[1..].iter().all(|end| end.stdout.is_empty() && end.stderr.is_empty()), "{ends:#?}");
    };
    score("one", 1);
    for count in [2, 4] {
        score("more", count);
        assert_same(&world.tree("one"), &world.tree("more"));
        std::fs::remove_dir_all(world.path("more")).unwrap();
    }
    // Without a launcher one process has all shards.
    world.ok(&format!("{SCORE} --score-epochs 3 --runs 2 --out alone"));
    assert_same(&world.tree("one"), &world.tree("alone"));
    // Shards have statistics of their own, so the numbers are others than without.
    world
        .ok("score --data data --image-size 16 --width 4 --device cpu --score-epochs 3 --runs 2 --out plain");
    assert_ne!(world.read("plain/scores.csv"), world.read("alone/scores.csv"));
}

#[cfg(unix)]
#[test]
fn a_killed_rank_ends_all_and_another_number_of_ranks_goes_on() {
    let world = World::with_data();
    let whole = format!("{SCORE} --score-epochs 300 --out whole");
    assert!(end(start(&world, &whole, 2)).iter().all(|end| end.status.success()));
    let arguments = format!("{SCORE} --score-epochs 300 --out out");
    let mut ranks = start(&world, &arguments, 4);
    let checkpoint = world.path("out/training-logs/0.checkpoint");
    let until = Instant::now() + Duration::from_secs(60);
    while !checkpoint.exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
    ranks[2].kill().unwrap();
    let ends = end(ranks);
    assert!(checkpoint.exists(), "it ended before it was killed: {ends:#?}");
    for (rank, end) in ends.iter().enumerate().filter(|(rank, _)| *rank != 2) {
        assert_eq!(end.status.code(), Some(1), "rank {rank}: {}", err(end));
        assert!(err(end).contains("lost rank"), "rank {rank}: {}", err(end));
    }
    let ends = end(start(&world, &arguments, 2));
    assert!(ends.iter().all(|end| end.status.success()), "{ends:#?}");
    assert!(String::from_utf8_lossy(&ends[0].stdout).contains("going on"), "{ends:#?}");
    assert_same(&world.tree("whole"), &world.tree("out"));
}

#[test]
fn what_a_launcher_must_set_is_named() {
    let world = World::with_data();
    for (variables, named) in [
        (&[("RANK", "0")][..], "WORLD_SIZE"),
        (&[("RANK", "0"), ("WORLD_SIZE", "2")][..], "MASTER_ADDR"),
        (&[("RANK", "4"), ("WORLD_SIZE", "2")][..], "RANK is 4"),
    ] {
        let mut command = world.command(&format!("{SCORE} --out out"));
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", err(&output));
        assert!(err(&output).contains(named), "{}", err(&output));
    }
    let mut command = world.command("score --data data --ranks mpi --out out");
    let output = command.env("TILEPRESS_MPI_LIBRARY", "nowhere.so").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("TILEPRESS_MPI_LIBRARY"), "{}", err(&output));
    assert!(!world.path("out").exists());
}
