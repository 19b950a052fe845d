//! What the benchmarks share: arguments, medians, and passes taken in turns.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use tilepress::data::Folder;
use tilepress::fs::scan;

/// Options of the form `--name value`. What is not asked for is not looked at: cargo adds `--bench`.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn from_env() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument == name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let place = self.0.iter().position(|argument| argument == name)?;
        self.0.get(place + 1).map(String::as_str)
    }

    /// A number, or `default` where it is not given.
    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        self.value(name).map_or(default, |text| parse(name, text))
    }

    /// Values separated by commas, of the option or of `default`.
    pub(crate) fn list<T: FromStr>(&self, name: &str, default: &str) -> Vec<T> {
        self.value(name).unwrap_or(default).split(',').map(|text| parse(name, text)).collect()
    }

    /// The training files of the folder `--data`, with their full paths; `None`, after saying so, where it
    /// is not given.
    pub(crate) fn files(&self) -> Option<Vec<PathBuf>> {
        let Some(root) = self.value("--data") else {
            println!("nothing measured: give a folder of class folders, -- --data FOLDER");
            return None;
        };
        let root = PathBuf::from(root);
        let found = scan(&root).expect("the data folder can be read");
        let folder = Folder::from_paths(found.paths).expect("a folder of class folders");
        Some(folder.train.iter().map(|entry| root.join(&entry.path)).collect())
    }
}

fn parse<T: FromStr>(name: &str, text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{name}: '{text}' is not valid"))
}

/// A pool of so many threads; work inside `install` uses no others.
pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool")
}

/// The middle value; of an even number, the upper one of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The name of a pass, and what it does.
pub(crate) type Pass<'a> = (&'a str, Box<dyn FnMut() + Send + 'a>);

/// Runs every pass once, unmeasured, and then all of them in turns, `rounds` times. The median seconds of
/// each: turns, so that whatever slows the machine for a while slows all of them.
pub(crate) fn in_turns(rounds: usize, passes: &mut [Pass<'_>]) -> Vec<f64> {
    passes.iter_mut().for_each(|(_, pass)| pass());
    let mut seconds = vec![Vec::with_capacity(rounds); passes.len()];
    for _ in 0..rounds {
        for ((_, pass), seconds) in passes.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            pass();
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.iter().map(|seconds| median(seconds)).collect()
}
