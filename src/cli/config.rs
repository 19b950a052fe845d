//! `--config FILE.toml`: options from a file.
//!
//! The file's entries become arguments right after the sub-command, before the user's own, which win
//! because the last one counts. So a file can say just what the command line can, with the same checks
//! and messages.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;

use super::args::Cli;
use super::exit::{Failure, Result};
use crate::fs::read_named;

/// The arguments with those of the config file put in, if one is named.
///
/// # Errors
/// A failure of usage when the file cannot be read or used.
pub(super) fn with_config_file(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(file) = config_argument(&arguments) else {
        return Ok(arguments);
    };
    let file = Path::new(&file);
    let wrong = |why: String| Failure::usage(format!("--config {}: {why}", file.display()));
    let bytes = read_named(file).map_err(|why| wrong(why.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let table: toml::Table = text.parse().map_err(|why: toml::de::Error| {
        let line = why.span().map_or(1, |at| 1 + text[..at.start.min(text.len())].matches('\n').count());
        wrong(format!("line {line}: {}", why.message()))
    })?;
    let more = flags(&table).map_err(|why| wrong(why.to_string()))?;
    let commands = Cli::command();
    let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
    let is_command = |argument: &OsString| argument.to_str().is_some_and(|text| names.contains(&text));
    let at = arguments.iter().skip(1).position(is_command).map_or(arguments.len(), |place| place + 2);
    let mut all = arguments;
    all.splice(at..at, more);
    Ok(all)
}

/// The value of `--config`, wherever it stands.
fn config_argument(arguments: &[OsString]) -> Option<OsString> {
    let mut arguments = arguments.iter().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => return arguments.next().cloned(),
            Some("--") => return None,
            Some(text) => {
                if let Some(value) = text.strip_prefix("--config=") {
                    return Some(value.into());
                }
            }
            None => {}
        }
    }
    None
}

/// `key = value` as `--key value`; `true` as the bare flag, `false` as nothing, lists joined by commas.
fn flags(table: &toml::Table) -> anyhow::Result<Vec<OsString>> {
    let mut flags = Vec::new();
    for (key, value) in table {
        let name = format!("--{}", key.replace('_', "-"));
        if name == "--config" {
            bail!("a config file cannot name another");
        }
        match value {
            toml::Value::Boolean(false) => {}
            toml::Value::Boolean(true) => flags.push(name.into()),
            toml::Value::Array(items) => {
                let items: Option<Vec<String>> = items.iter().map(scalar).collect();
                let items = items.with_context(|| format!("'{key}' is not a list of plain values"))?;
                flags.extend([name.into(), items.join(",").into()]);
            }
            other => {
                let value = scalar(other)
                    .with_context(|| format!("'{key}' is a table; write options as key = value"))?;
                flags.extend([name.into(), value.into()]);
            }
        }
    }
    Ok(flags)
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_flags_in_front_of_the_users_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("run.toml");
        std::fs::write(&file, "ipc = 10\nmethods = [\"random\", \"pca\"]\nforce = true\nquiet = false\n")
            .expect("a file");
        let file = file.into_os_string();
        let arguments: Vec<OsString> =
            ["tilepress".into(), "compare".into(), "--config".into(), file, "--ipc".into(), "5".into()]
                .into();
        let all = with_config_file(arguments).expect("a good file");
        let all: Vec<&str> = all.iter().filter_map(|a| a.to_str()).collect();
        assert_eq!(all[..7], ["tilepress", "compare", "--force", "--ipc", "10", "--methods", "random,pca"]);
        assert_eq!(all[all.len() - 2..], ["--ipc", "5"]);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_a_usage_error_that_names_it() {
        for text in ["a = {b = 1}", "not toml", "config = \"x\""] {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("bad.toml");
            std::fs::write(&file, text).expect("a file");
            let arguments = ["tilepress".into(), "--config".into(), file.into_os_string()].into();
            let error = with_config_file(arguments).expect_err("not usable");
            let text = format!("{error:?}");
            assert!(text.contains("bad.toml") && text.contains("Usage"), "{text}");
        }
    }
}
