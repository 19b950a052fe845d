//! `cargo xtask floors`: whether the crate's modules stand on one another as ARCHITECTURE.md says.
//!
//! Every folder of `src` has a floor and may name only those below it; no circle is left between folders, and none between
//! files but the listed ones. Paths are read from the syntax tree (`use` declarations and paths in expressions and types), and
//! a name that a `mod.rs` re-exports counts for the file that defines it. Code under `#[cfg(test)]` may name anything.
//!
//! It also follows the calls of a command from its first function on, in the order in which they are written, and counts how
//! often a reader climbs to a higher floor and returns to a file that was left.

mod calls;
mod graph;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use self::graph::{Edge, Graph, circles};
use self::source::Crate;
use crate::process;
use crate::workspace::Workspace;

/// The floors of the crate, the lowest first. Modules of one line do not know each other.
const FLOORS: &[&[&str]] = &[
    &["random", "parallel", "words", "fault", "dynamics", "quantity"],
    &["bounds"],
    &["data"],
    &["score"],
    &["prune"],
    &["combine"],
    &["augment"],
    &["device"],
    &["kernel"],
    &["model"],
    &["train"],
    &["evaluate"],
    &["report"],
    &["run"],
    &["pipeline"],
    &["fs", "ranks"],
    &["cli", "web"],
];

/// Files that know each other, and why they may.
const ALLOWED: &[(&[&str], &str)] = &[];

/// Options of `cargo xtask floors`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The `src` folder of another checkout, to compare with.
    #[arg(long)]
    src: Option<PathBuf>,
    /// Print every import between folders that goes upwards, and every circle's files.
    #[arg(long)]
    list: bool,
    /// The function at which the way through the crate begins.
    #[arg(long, default_value = "cli::command::compress::run")]
    way: String,
    /// Print the way, a line for each time the file changes.
    #[arg(long)]
    show_way: bool,
}

/// Measures the floors and prints a table.
///
/// # Errors
/// When a module names one above it, or files stand in a circle that is not listed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let src = match &options.src {
        Some(src) => src.clone(),
        None => Workspace::load()?.root.join("src"),
    };
    let crate_ = Crate::read(&src)?;
    let graph = Graph::of(&crate_);
    let upward = upward(&graph);
    let folders = circles(&graph.between_folders());
    let files = unlisted(circles(&graph.between_files()));
    let way = calls::way(&crate_, &options.way)?;
    process::heading("floors");
    println!("files                         {}", crate_.files.len());
    println!(
        "imports between files         {}",
        graph.between_files().values().map(|to| to.len()).sum::<usize>()
    );
    println!("imports upwards               {}", upward.len());
    println!("circles of folders            {} ({})", folders.len(), together(&folders));
    println!("circles of files              {} ({})", files.len(), together(&files));
    println!("way through {}", options.way);
    println!("  files entered               {}", way.files());
    println!("  climbs                      {}", way.climbs());
    println!("  returns                     {}", way.returns());
    if options.list || !upward.is_empty() {
        for Edge { from, to } in &upward {
            println!("upwards: {from} names {to}");
        }
    }
    if options.list || !files.is_empty() {
        for circle in folders.iter().chain(&files) {
            println!("circle: {}", circle.join(", "));
        }
    }
    if options.show_way {
        way.print();
    }
    ensure!(upward.is_empty(), "{} imports go upwards", upward.len());
    ensure!(folders.is_empty() && files.is_empty(), "modules stand in circles");
    Ok(())
}

/// Members of all circles, in words.
fn together(circles: &[Vec<String>]) -> String {
    format!("{} members", circles.iter().map(Vec::len).sum::<usize>())
}

/// The floor of a file, from 0; `None` of the crate's root.
fn floor(file: &str) -> Option<usize> {
    let folder = folder(file);
    FLOORS.iter().position(|modules| modules.contains(&folder))
}

/// The top-level module a file belongs to.
fn folder(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Imports of a module on the same floor or above.
fn upward(graph: &Graph) -> Vec<Edge> {
    let goes_up = |edge: &&Edge| {
        let (from, to) = (folder(&edge.from), folder(&edge.to));
        match (floor(&edge.from), floor(&edge.to)) {
            (Some(own), Some(other)) => from != to && other >= own,
            // A folder that is not listed has no floor, which is a fault of the list.
            (None, _) => from != "lib" && from != "main",
            (_, None) => to != "lib",
        }
    };
    graph.edges().filter(goes_up).cloned().collect()
}

/// Circles without those whose members are all listed in [`ALLOWED`].
fn unlisted(circles: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let listed = |circle: &Vec<String>| {
        ALLOWED.iter().any(|(members, _)| circle.iter().all(|file| members.contains(&file.as_str())))
    };
    circles.into_iter().filter(|circle| !listed(circle)).collect()
}

/// A graph by names.
pub(crate) type Names = BTreeMap<String, std::collections::BTreeSet<String>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_module_names_one_above_it_and_none_stand_in_a_circle() {
        let crate_ = Crate::read(&Workspace::load().unwrap().root.join("src")).unwrap();
        let graph = Graph::of(&crate_);
        let upward: Vec<String> =
            upward(&graph).iter().map(|Edge { from, to }| format!("{from} names {to}")).collect();
        assert_eq!(upward, Vec::<String>::new());
        assert_eq!(circles(&graph.between_folders()), Vec::<Vec<String>>::new());
        assert_eq!(unlisted(circles(&graph.between_files())), Vec::<Vec<String>>::new());
    }

    #[test]
    fn every_listed_circle_is_there() {
        let crate_ = Crate::read(&Workspace::load().unwrap().root.join("src")).unwrap();
        let circles = circles(&Graph::of(&crate_).between_files());
        for (members, why) in ALLOWED {
            assert!(!why.is_empty());
            assert!(
                circles.iter().any(|circle| members.iter().all(|file| circle.iter().any(|own| own == file)))
            );
        }
    }
}
