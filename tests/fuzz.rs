//! The short run of the fuzz targets: every seed, and a fixed number of mutations of each target's seeds, the same on every
//! machine. libFuzzer's long run is described in docs/reliability.md.
//!
//! `TILEPRESS_FUZZ=1000000` sets the number of mutations a target, `TILEPRESS_FUZZ_SEED=1` tries others.

#[expect(unreachable_pub, reason = "it is a library of its own, in fuzz/")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tilepress::random::{Purpose, Stream};

use targets::{TARGETS, Target};

/// Mutations a target, unless the environment says otherwise.
const EXECUTIONS: u64 = 20_000;
/// An input that a mutation makes longer than this is cut.
const LONGEST: usize = 16 << 10;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, no number")))
}

/// The inputs that a target starts from, in the order of their names.
fn seeds(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let own = root().join("fuzz/seeds").join(target.name);
    let mut files = match target.name {
        "decode" => files_of(&root().join("tests/data/decode")),
        "training_log" => vec![root().join("tests/golden/training-log-1.bin")],
        "network" => ["model_convnet.safetensors", "model_convnet-d.safetensors"]
            .map(|name| root().join("tests/golden").join(name))
            .into(),
        _ => Vec::new(),
    };
    files.retain(|path| path.extension().is_none_or(|extension| extension != "rgb"));
    if own.is_dir() {
        files.extend(files_of(&own));
    }
    files.sort();
    let read = |path: PathBuf| {
        (path.clone(), fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    files.into_iter().map(read).collect()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a folder that can be listed").path())
        .filter(|path| path.is_file())
        .collect()
}

/// An input made of a seed by a few of the changes that libFuzzer makes.
fn mutated(seeds: &[(PathBuf, Vec<u8>)], words: &[&str], draw: &mut Stream) -> Vec<u8> {
    let below = |draw: &mut Stream, n: usize| draw.below(n as u32) as usize;
    let pick = |draw: &mut Stream| seeds[below(draw, seeds.len())].1.as_slice();
    let mut bytes = pick(draw).to_vec();
    for _ in 0..=below(draw, 5) {
        let at = below(draw, bytes.len() + 1);
        let length = below(draw, 1 + (bytes.len() - at).min(64));
        match below(draw, 9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << below(draw, 8),
            1 if at < bytes.len() => {
                bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b',', b'\n', b'-'][below(draw, 9)];
            }
            2 if at < bytes.len() => bytes[at] = below(draw, 256) as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..at + length)),
            5 => {
                let copy = bytes[at..at + length].to_vec();
                let to = below(draw, bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            6 => {
                let other = pick(draw);
                let from = below(draw, other.len() + 1);
                let until = from + below(draw, other.len() - from + 1);
                bytes.splice(at..at + length, other[from..until].iter().copied());
            }
            7 if !words.is_empty() => {
                let word = words[below(draw, words.len())].bytes();
                bytes.splice(at..at + length, word);
            }
            _ => {
                let number = [0, 1, u32::MAX, 1 << 31, u32::from(u16::MAX), draw.next_u32()][below(draw, 6)];
                let number = if draw.chance(0.5) { number.to_le_bytes() } else { number.to_be_bytes() };
                let size = [1, 2, 4][below(draw, 3)].min(bytes.len() - at);
                bytes[at..at + size].copy_from_slice(&number[..size]);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// Runs a target; where what must hold does not, the input is kept.
fn attempt(target: &Target, bytes: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| targets::run(target.name, bytes))).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
        fs::write(&kept, bytes).expect("a folder for findings");
        panic!("{}, {what}: the input is kept as {}", target.name, kept.display());
    }
}

fn short_run(target: &Target) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    for (path, bytes) in &seeds {
        attempt(target, bytes, &path.display().to_string());
    }
    for execution in 0..setting("TILEPRESS_FUZZ", EXECUTIONS) {
        let mut draw = Stream::new(setting("TILEPRESS_FUZZ_SEED", 0), Purpose::Test, 0, execution);
        let bytes = mutated(&seeds, target.words, &mut draw);
        attempt(target, &bytes, &format!("mutation {execution}"));
    }
}

/// A test for each target, so that they run side by side and one finding does not hide another's.
macro_rules! targets {
    ($($(#[$cfg:meta])? $test:ident $name:literal),+ $(,)?) => {
        $(
            $(#[$cfg])?
            #[test]
            fn $test() {
                short_run(TARGETS.iter().find(|target| target.name == $name).expect("a target's name"));
            }
        )+

        #[test]
        fn every_target_has_a_test_here_a_program_and_seeds() {
            let tested = [$($(#[$cfg])? $name),+];
            assert!(TARGETS.iter().map(|target| target.name).eq(tested));
            let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("the manifest of fuzz/");
            for target in TARGETS {
                let program = format!("fuzz_targets/{}.rs", target.name);
                assert!(manifest.contains(&format!("path = \"{program}\"")), "{program} is not listed");
                let text = fs::read_to_string(root().join("fuzz").join(&program)).expect(&program);
                assert!(text.contains(&format!("run(\"{}\", bytes)", target.name)), "{program} runs another target");
                assert!(!seeds(target).is_empty());
            }
        }
    };
}

targets! {
    no_image_file_panics_exceeds_its_limits_or_differs_when_decoded_again "decode",
    no_exif_makes_a_picture_unreadable_or_changes_its_pixels "orientation",
    no_list_of_paths_is_read_in_two_ways_or_loses_an_image "folder",
    every_score_table_that_is_read_is_written_the_same "scores",
    every_selection_that_is_read_is_written_the_same "selection",
    no_name_or_number_is_changed_by_a_table "csv_writers",
    every_training_log_that_is_read_is_written_the_same "training_log",
    every_manifest_that_is_read_is_written_the_same "manifest",
    every_record_of_a_composite_that_is_read_is_written_the_same "metadata",
    every_report_that_is_read_is_written_the_same "report",
    no_policy_gives_a_view_outside_its_image_or_tile "policy",
    no_numbers_of_a_set_leave_a_pick_without_its_tile "plan",
    every_word_that_is_read_is_written_the_same "words",
    #[cfg(feature = "flex")]
    no_file_of_weights_leaves_a_network_half_loaded "network",
}
