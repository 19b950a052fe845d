//! `cargo xtask page` and `cargo xtask serve`: the page, from www/ and the package in pkg/web into www/dist.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, ensure};

use crate::browser;
use crate::process;
use crate::server::Server;
use crate::tally::Tally;
use crate::wasm;
use crate::workspace::Workspace;

const OUT: &str = "www/dist";
/// What a first visit loads; the sets of the demo and their recordings come when they are asked for.
const FIRST_LOAD: [&str; 4] = ["wasm", "js", "css", "html"];

/// Options of `cargo xtask page`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// For development: do without the size budget, which a package without wasm-opt exceeds.
    #[arg(long)]
    pub(crate) dev: bool,
}

/// Options of `cargo xtask serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeOptions {
    /// Port on localhost; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// Builds the page.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let package = workspace.root.join("pkg/web/tilepress_bg.wasm");
    ensure!(
        package.is_file(),
        "there is no pkg/web for the page to stand on: `cargo xtask wasm --only web` makes it"
    );
    let budget = wasm::read_manifest(&workspace.root)?.page.budget_gzip;
    browser::install_modules(&workspace.root)?;
    process::run(&mut npm(&workspace, "build"))?;

    let out = workspace.root.join(OUT);
    let size = first_load(&out)?;
    println!("{OUT}: a first visit loads {size} bytes gzipped (budget {budget})");
    ensure!(
        options.dev || size <= budget,
        "above the size budget of wasm-pack.toml: {size} bytes of at most {budget}. Make it smaller, or raise the \
         budget there; after `cargo xtask wasm --dev`, `--dev` does without it here too"
    );
    Ok(())
}

/// Checks the page's types and runs its own tests.
pub(crate) fn check() -> Result<Tally> {
    let workspace = Workspace::load()?;
    process::run(&mut npm(&workspace, "check"))?;
    let summary = tempfile::NamedTempFile::new()?;
    let mut command = npm(&workspace, "test");
    command
        .args(["--", "--reporter=default", "--reporter=json"])
        .arg(format!("--outputFile.json={}", summary.path().display()));
    let outcome = process::run(&mut command);
    let mut tally = Tally::from_vitest(&fs::read_to_string(summary.path())?);
    if outcome.is_err() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Builds the page and serves it until it is interrupted.
pub(crate) fn serve(options: &ServeOptions) -> Result<()> {
    run(&Options { dev: true })?;
    let server = Server::start_at(&Workspace::load()?.root.join(OUT), options.port)?;
    println!("the page: {}/ (Ctrl-C ends it)", server.url());
    loop {
        thread::park();
    }
}

fn npm(workspace: &Workspace, script: &str) -> Command {
    let mut command = Command::new("npm");
    command.args(["run", "--silent", script]).current_dir(workspace.root.join("www"));
    command
}

/// Bytes of the files of a first visit, each after `gzip -9`.
fn first_load(folder: &Path) -> Result<usize> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            sum += first_load(&path)?;
        } else if FIRST_LOAD.contains(&extension) {
            sum += wasm::gzipped_len(&fs::read(&path)?)?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_visit_counts_every_folder_but_no_image_and_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let text = "tilepress ".repeat(1000);
        for name in ["index.html", "assets/a.js", "sets/fashion.png", "sets/fashion.tilepress-run"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &text).unwrap();
        }
        let one = wasm::gzipped_len(text.as_bytes()).unwrap();
        assert_eq!(first_load(folder.path()).unwrap(), 2 * one);
    }
}
