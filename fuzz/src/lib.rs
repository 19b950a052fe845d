//! What is fuzzed: one function for each door through which bytes of a stranger come in, and what must hold behind it.
//!
//! `fuzz_targets/` hands each to libFuzzer; `tests/fuzz.rs` includes this file and calls the same functions on the seeds and on a
//! fixed number of their mutations, with stable Rust alone. docs/reliability.md describes both.

mod bytes;
mod images;
#[cfg(feature = "flex")]
mod networks;
mod sets;
mod tables;
mod words;

/// A door, by its name.
pub struct Target {
    /// Name of the program in `fuzz_targets/` and of the folder in `seeds/`.
    pub name: &'static str,
    /// Tries one input; panics where something does not hold.
    pub run: fn(&[u8]),
    /// Texts that its inputs are made of, which a mutation puts in.
    pub words: &'static [&'static str],
}

/// Every door.
pub const TARGETS: &[Target] = &[
    Target {
        name: "decode",
        run: images::decode,
        words: &["Exif\0\0", "\u{ff}", "IHDR", "IDAT", "acTL", "VP8X"],
    },
    Target {
        name: "orientation",
        run: images::orientation,
        words: &["Exif\0\0", "II*\0", "MM\0*", "\u{12}\u{1}"],
    },
    Target {
        name: "folder",
        run: tables::folder,
        words: &["train/", "val/", "test/", "\n", "/", "..", ".png", "a/", "b/"],
    },
    Target { name: "scores", run: tables::scores, words: SCORES },
    Target { name: "selection", run: tables::selection, words: SCORES },
    Target {
        name: "csv_writers",
        run: tables::writers,
        words: &["\"", ",", "\n", "\r", "=1+1", "+", "-", "@", "\t", "'"],
    },
    Target {
        name: "training_log",
        run: tables::training_log,
        words: &["TPLG", "data_offsets", "shape", "F32", "[0,0]"],
    },
    Target { name: "manifest", run: sets::manifest, words: JSON },
    Target { name: "metadata", run: sets::metadata, words: JSON },
    Target { name: "report", run: sets::report, words: JSON },
    Target { name: "policy", run: sets::policy, words: JSON },
    Target { name: "plan", run: sets::plan, words: &[] },
    Target { name: "words", run: words::words, words: WORDS },
    #[cfg(feature = "flex")]
    Target {
        name: "network",
        run: networks::network,
        words: &["data_offsets", "shape", "F32", "F16", "[0,0]", "null"],
    },
];

const SCORES: &[&str] =
    &["path", "value", "el2n", "\n", ",", "\"", "0", "-0.0", "1e308", "NaN", "inf", "1..2", "rank", "hash"];
const JSON: &[&str] =
    &["null", "true", "[]", "{}", "-1", "0", "1e999", "18446744073709551616", "\"\"", "\\u0000", ",", ":"];
const WORDS: &[&str] = &[
    "el2n",
    "random",
    "window",
    "-composites",
    "-hard",
    "global:",
    "extract:",
    "..",
    "x",
    "NaN",
    "1e-400",
    "8",
    "0.5",
];

/// Runs the target of this name.
///
/// # Panics
/// When there is none, or what must hold does not.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target's name");
    (target.run)(bytes);
}
