//! The names of options on the command line: `image-size` in backticks is `--image-size`.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use clap::CommandFactory as _;

use super::args::Cli;
use crate::words::with_options;

/// A message of the core as this program says it.
pub(super) fn flags(text: &str) -> String {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let program = Cli::command();
        let commands = std::iter::once(&program).chain(program.get_subcommands());
        let options = commands.flat_map(clap::Command::get_arguments);
        options.filter_map(|option| option.get_long().map(str::to_owned)).collect()
    });
    with_options(text, |name| names.contains(name).then(|| format!("--{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_any_command_become_flags_and_commands_stay() {
        let text = "lower `ipc`, or `fill` cycle; `tilepress doctor` lists what there is; `look` is none";
        let told = "lower --ipc, or --fill cycle; `tilepress doctor` lists what there is; `look` is none";
        assert_eq!(flags(text), told);
    }

    /// Every option that a message of the core names is one of the program's. The dataset card is none: it speaks of Python.
    #[test]
    fn the_core_names_only_options_that_there_are() {
        let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = 0;
        for part in [
            "combine", "data", "device", "evaluate", "fs", "model", "pipeline", "prune", "report", "run",
            "score", "train",
        ] {
            for file in walkdir::WalkDir::new(src.join(part)).into_iter().filter_map(Result::ok) {
                if file.path().extension().is_none_or(|extension| extension != "rs")
                    || file.file_name() == "card.rs"
                {
                    continue;
                }
                let text = std::fs::read_to_string(file.path()).expect("a source file");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let messages = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                for word in messages.flat_map(|line| line.split('`').skip(1).step_by(2)) {
                    let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                    if is_name && !word.is_empty() {
                        assert_eq!(
                            flags(&format!("`{word}`")),
                            format!("--{word}"),
                            "{}",
                            file.path().display()
                        );
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 30, "{found} names");
    }
}
