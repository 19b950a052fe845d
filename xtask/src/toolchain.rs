//! Finding a compiler for `wasm32-unknown-unknown`.
//!
//! In order of preference: the Rust that runs this task, where it has the target or rustup can add it;
//! otherwise the distribution's Rust with its sources, which builds the standard library itself.
//! `TILEPRESS_WASM_RUST=rustup` or `=distribution` insists on one of them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;
use crate::workspace::{self, Workspace};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const CHOICE: &str = "TILEPRESS_WASM_RUST";

/// The distribution's compiler; rustup's proxies come before it in PATH, so it is named in full.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LINKER: &str = "/usr/bin/rust-lld";
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

/// Long enough for 20 MB over a slow line, short enough for a task that can go on without.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(120);

/// A way to build for the browser.
#[derive(Debug)]
pub(crate) enum WasmToolchain {
    /// The Rust that runs this task; its artefacts lie in the ordinary target folder.
    Rustup,
    /// The distribution's Rust with `-Zbuild-std`; another compiler, so another target folder.
    Distribution {
        /// Where its artefacts lie.
        target: PathBuf,
    },
}

impl WasmToolchain {
    /// Finds a way, and installs what it lacks.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let choice = env::var(CHOICE).unwrap_or_default();
        match choice.as_str() {
            "rustup" => rustup(),
            "distribution" => distribution(workspace),
            "" => rustup().or_else(|no_rustup| {
                println!("note: {no_rustup:#}; trying the distribution's Rust");
                distribution(workspace).with_context(|| {
                    format!(
                        "nothing here builds for {TARGET} ({no_rustup:#}). With a network, \
                         `rustup target add {TARGET}` is all that it takes"
                    )
                })
            }),
            other => bail!("{CHOICE} is {other:?}; it takes rustup or distribution"),
        }
    }

    /// A `cargo rustc` for the target, to be given features, a profile and flags for our crate alone.
    pub(crate) fn cargo_rustc(&self) -> Command {
        let mut command = match self {
            Self::Rustup => Command::new(workspace::cargo()),
            Self::Distribution { target } => {
                let mut command = Command::new(CARGO);
                command
                    .env("RUSTC", RUSTC)
                    // build-std is unstable; the distribution's compiler is a stable one.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_DIR", target)
                    // Set by `cargo run`, for the other compiler's libraries.
                    .env_remove("LD_LIBRARY_PATH")
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("RUSTC_WRAPPER");
                command
            }
        };
        // They would replace the flags that .cargo/config.toml gives this target, not add to them.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.args(["rustc", "--target", TARGET]);
        if let Self::Distribution { .. } = self {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command
    }
}

impl WasmToolchain {
    /// Compiler flags that keep the places of this machine (checkout, registry, sources of the standard library) out of the
    /// module: panics name the files they happen in. Builds by one compiler are then equal wherever they are made.
    pub(crate) fn remapped(&self, root: &Path) -> Vec<String> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
        let rustc = match self {
            Self::Rustup => "rustc",
            Self::Distribution { .. } => RUSTC,
        };
        let sysroot = process::probe(rustc, &["--print", "sysroot"])
            .map(|path| PathBuf::from(path).join("lib/rustlib/src/rust"));
        // The last that fits wins, so the checkout comes after what may hold it.
        let places = [
            (home.map(|home| home.join("registry").join("src")), "registry"),
            // Some distributions link their sources here.
            (sysroot.as_deref().and_then(|path| fs::canonicalize(path).ok()), "rust"),
            (sysroot, "rust"),
            (Some(root.to_owned()), "tilepress"),
        ];
        let flag = |(from, to): (Option<PathBuf>, &str)| {
            Some(format!("--remap-path-prefix={}=/{to}", from?.display()))
        };
        places.into_iter().filter_map(flag).collect()
    }
}

fn rustup() -> Result<WasmToolchain> {
    if has_target() {
        return Ok(WasmToolchain::Rustup);
    }
    ensure!(
        process::find("rustup").is_some(),
        "this Rust has no {TARGET} target, and there is no rustup to add it"
    );
    process::run_within(Command::new("rustup").args(["target", "add", TARGET]), DOWNLOAD_LIMIT)?;
    ensure!(has_target(), "rustup added {TARGET}, but to another toolchain than the one in use");
    Ok(WasmToolchain::Rustup)
}

/// Whether the compiler in use carries the target's standard library.
fn has_target() -> bool {
    let Some(folder) = process::probe("rustc", &["--print", "target-libdir", "--target", TARGET]) else {
        return false;
    };
    fs::read_dir(folder).is_ok_and(|files| {
        files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn distribution(workspace: &Workspace) -> Result<WasmToolchain> {
    if let Err(reason) = check_distribution(workspace.rust_version) {
        println!("note: {reason:#}");
        process::apt_install(&PACKAGES)?;
        // The compiler calls rust-lld, a link to the numbered linker of a package of that very name.
        if let Some(linker) = missing_linker(Path::new(LINKER))? {
            process::apt_install(&[&linker])?;
        }
        check_distribution(workspace.rust_version)?;
    }
    Ok(WasmToolchain::Distribution { target: workspace.target.join("wasm-dist") })
}

/// Says what the distribution's Rust lacks, if anything.
fn check_distribution((major, minor): (u32, u32)) -> Result<()> {
    let printed = process::probe(RUSTC, &["--version"]).with_context(|| format!("there is no {RUSTC}"))?;
    let version = workspace::parse_version(&printed);
    ensure!(
        version >= Some((major, minor)),
        "{RUSTC} is {printed}; tilepress needs {major}.{minor} or newer"
    );
    ensure!(Path::new(CARGO).exists(), "there is no {CARGO}");
    let sysroot = process::probe(RUSTC, &["--print", "sysroot"]).unwrap_or_default();
    let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    ensure!(sources.is_file(), "{RUSTC} has no sources of the standard library");
    // A link to a file that does not exist is not a linker.
    ensure!(Path::new(LINKER).exists(), "{LINKER} is missing, or links to a linker that is");
    Ok(())
}

/// The package of the linker that `link` points to, when that linker is not there.
fn missing_linker(link: &Path) -> Result<Option<String>> {
    if link.exists() {
        return Ok(None);
    }
    let points_to = fs::read_link(link).with_context(|| format!("{} is not a link", link.display()))?;
    let name = points_to.file_name().context("a link to nothing")?.to_string_lossy().into_owned();
    Ok(Some(name))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_linkers_package_is_read_off_the_link() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("rust-lld");
        std::os::unix::fs::symlink("lld-31", &link).unwrap();
        assert_eq!(missing_linker(&link).unwrap().as_deref(), Some("lld-31"));
        fs::write(folder.path().join("lld-31"), "").unwrap();
        assert_eq!(missing_linker(&link).unwrap(), None);
    }

    #[test]
    fn no_place_of_the_machine_is_left_to_the_compiler() {
        let flags = WasmToolchain::Rustup.remapped(Path::new("/some/where/tilepress"));
        assert!(flags.iter().all(|flag| flag.starts_with("--remap-path-prefix=/")), "{flags:?}");
        assert_eq!(flags.last().unwrap(), "--remap-path-prefix=/some/where/tilepress=/tilepress");
        assert!(flags.iter().any(|flag| flag.ends_with("=/registry")), "{flags:?}");
    }

    #[test]
    fn a_distribution_too_old_is_refused_by_name() {
        let reason = check_distribution((999, 0)).unwrap_err().to_string();
        assert!(reason.contains(RUSTC), "{reason}");
    }
}
