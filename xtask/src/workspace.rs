//! Where things are: the repository's root, Cargo's target folder, the versions in Cargo.toml.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;

use crate::process;

/// The facts of the workspace that the tasks need.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the environment or a configuration file put it.
    pub(crate) target: PathBuf,
    /// The version of tilepress.
    pub(crate) version: String,
    /// The oldest Rust that builds it, as (major, minor).
    pub(crate) rust_version: (u32, u32),
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    rust_version: String,
}

impl Workspace {
    /// Asks Cargo, which alone knows where the target folder is.
    pub(crate) fn load() -> Result<Self> {
        let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let mut command = Command::new(cargo());
        command.args(["metadata", "--format-version", "1", "--no-deps"]).current_dir(here);
        let metadata: Metadata =
            serde_json::from_str(&process::output(&mut command)?).context("cannot read `cargo metadata`")?;
        let package = metadata
            .packages
            .into_iter()
            .find(|package| package.name == "tilepress")
            .context("`cargo metadata` lists no package named tilepress")?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            rust_version: parse_version(&package.rust_version)
                .ok_or_else(|| anyhow!("rust-version {:?} is not a version", package.rust_version))?,
            version: package.version,
        })
    }
}

/// The Cargo that runs this task, so that one compiler builds everything native.
pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// The first `major.minor` in a text such as `rustc 1.95.0 (59807616e 2026-04-14)`.
pub(crate) fn parse_version(text: &str) -> Option<(u32, u32)> {
    text.split(|character: char| !character.is_ascii_digit() && character != '.').find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_inside_what_tools_print() {
        assert_eq!(parse_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(parse_version("v20.20.2"), Some((20, 20)));
        assert_eq!(parse_version("1.95"), Some((1, 95)));
        assert_eq!(parse_version("wasm-opt version 132 (version_132)"), None);
        assert_eq!(parse_version("no number"), None);
    }

    #[test]
    fn the_workspace_knows_its_root_and_version() {
        let workspace = Workspace::load().unwrap();
        assert!(workspace.root.join("wasm-pack.toml").is_file());
        assert_eq!(workspace.version, env!("CARGO_PKG_VERSION"));
    }
}
