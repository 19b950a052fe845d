//! What the browser tests stand on: Chromium, Node, the modules of www/, and the tests themselves.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};

use crate::process;
use crate::server::Server;
use crate::tally::Tally;
use crate::workspace::{self, Workspace};

/// A browser of one's own choice.
const CHOICE: &str = "TILEPRESS_CHROMIUM";
const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const CHROMIUM_PLACES: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
/// Where the tests find the native program.
const PROGRAM: &str = "TILEPRESS_PROGRAM";
const OLDEST_NODE: u32 = 20;
const TESTS: &str = "tests/browser";

/// Everything a browser test needs.
#[derive(Debug)]
pub(crate) struct Browser {
    chromium: PathBuf,
}

impl Browser {
    /// Finds the browser and Node, and installs what is missing.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let chromium = find_chromium().map_or_else(
            || {
                process::apt_install(&["chromium"]).context("there is no Chromium or Chrome")?;
                find_chromium().context("the package chromium brought no browser that runs")
            },
            Ok,
        )?;
        install_modules(&workspace.root)?;
        Ok(Self { chromium })
    }

    /// Serves the repository and runs every test of `tests/browser`.
    pub(crate) fn run_tests(&self, workspace: &Workspace) -> Result<Tally> {
        let server = Server::start(&workspace.root)?;
        let program = native_program(workspace)?;
        let summary = tempfile::NamedTempFile::new()?;
        let mut command = Command::new("node");
        command
            .arg("--test")
            .args(["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap"])
            .arg(format!("--test-reporter-destination={}", summary.path().display()))
            // One browser at a time: software WebGPU takes every core there is.
            .arg("--test-concurrency=1")
            .args(test_files(&workspace.root)?)
            .current_dir(&workspace.root)
            .env("TILEPRESS_URL", server.url())
            .env(PROGRAM, program)
            .env(CHOICE, &self.chromium);
        let outcome = process::run(&mut command);
        let mut tally = Tally::from_node_tap(&fs::read_to_string(summary.path())?);
        if outcome.is_err() && tally.failed == 0 {
            tally.failed += 1;
        }
        Ok(tally)
    }
}

/// The native program, which the browser's results are held against; built where it is not there yet.
fn native_program(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = Command::new(workspace::cargo());
    command.args(["build", "--release", "--bin", "tilepress"]).current_dir(&workspace.root);
    process::run(&mut command)?;
    Ok(workspace.target.join("release").join(format!("tilepress{}", env::consts::EXE_SUFFIX)))
}

/// How many files of browser tests there are; what is skipped without a browser.
pub(crate) fn test_files(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join(TESTS);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Installs the development dependencies of www/, unless they are there as the lock file has them.
pub(crate) fn install_modules(root: &Path) -> Result<()> {
    let node = process::probe("node", &["--version"]).and_then(|text| workspace::parse_version(&text));
    ensure!(
        node >= Some((OLDEST_NODE, 0)) && process::find("npm").is_some(),
        "there is no Node {OLDEST_NODE} or newer with npm; see https://nodejs.org"
    );
    let www = root.join("www");
    let changed = |file: &str| -> Option<SystemTime> { fs::metadata(www.join(file)).ok()?.modified().ok() };
    // npm writes the first of these after everything else.
    if changed("node_modules/.package-lock.json") >= changed("package-lock.json") {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .current_dir(www);
    process::run(&mut command)
}

/// Makes sure that native tests on wgpu have an adapter, if only a software one.
pub(crate) fn ensure_vulkan() -> bool {
    if !cfg!(target_os = "linux") {
        return false;
    }
    let has_driver = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .iter()
        .any(|folder| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()));
    if !has_driver && let Err(error) = process::apt_install(&["mesa-vulkan-drivers"]) {
        println!("note: no Vulkan driver, so tests on a native GPU have none to run on: {error:#}");
        return false;
    }
    true
}

fn find_chromium() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os(CHOICE) {
        return Some(chosen.into());
    }
    CHROMIUM_NAMES
        .iter()
        .filter_map(|name| process::find(name))
        .chain(CHROMIUM_PLACES.iter().map(PathBuf::from))
        // Some distributions put a script of this name that only says how to install the browser.
        .find(|path| process::probe(path, &["--version"]).is_some())
}
