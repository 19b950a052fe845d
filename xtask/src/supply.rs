//! `cargo xtask supply`: what the project lets in. Licences, sources and known faults of packages; scripts of npm packages;
//! unsafe code of our own.
//!
//! What needs no tool and no network are tests of this crate besides, and so run with `cargo xtask test`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// Folders of Rust code.
const CODE: [&str; 6] = ["src", "xtask/src", "tests", "benches", "examples", "fuzz"];
/// Where unsafe code may stand, and why. A folder ends with `/`.
const UNSAFE: [(&str, &str); 7] = [
    ("src/kernel/", "the kernels"),
    ("src/augment/execute.rs", "a function for vectors is called where the machine has them"),
    ("src/device/cuda.rs", "CUDA's driver"),
    ("src/ranks/mpi.rs", "MPI's library is opened at run time"),
    ("src/web/mod.rs", "the start of the WebAssembly module"),
    ("benches/augment.rs", "an allocator that counts"),
    ("xtask/src/supply.rs", "the word is looked for"),
];
/// Folders whose npm packages are locked.
const NPM: [&str; 2] = ["www", "benches/web"];

/// Options of `cargo xtask supply`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave out what has to be fetched: the advisories, and the signatures of npm packages.
    #[arg(long)]
    offline: bool,
}

/// Checks everything.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let root = &workspace.root;
    process::heading("unsafe code");
    unsafe_code(root)?;
    println!("nowhere but where it is listed");
    process::heading("npm packages");
    for folder in NPM {
        println!("{folder}: {} packages, none with a script", npm_packages(&root.join(folder))?);
    }
    process::heading("packages of Cargo.lock");
    ensure!(
        process::probe("cargo-deny", &["--version"]).is_some(),
        "there is no cargo-deny; `cargo install --locked cargo-deny` brings it"
    );
    let mut deny = Command::new("cargo-deny");
    deny.args(["--locked", "check", "licenses", "bans", "sources"]).current_dir(root);
    process::run(&mut deny)?;
    if !options.offline {
        let mut deny = Command::new("cargo-deny");
        process::run(deny.args(["--locked", "check", "advisories"]).current_dir(root))?;
        let mut audit = Command::new("npm");
        process::run(audit.args(["audit", "signatures"]).current_dir(root.join("www")))?;
    }
    println!("\nnothing found");
    Ok(())
}

/// Fails for unsafe code that is not listed, and for a place on the list that has none.
fn unsafe_code(root: &Path) -> Result<()> {
    let mut found = Vec::new();
    for folder in CODE {
        collect(root, &root.join(folder), &mut found)?;
    }
    let allowed =
        |file: &str, place: &str| if place.ends_with('/') { file.starts_with(place) } else { file == place };
    let strangers: Vec<&String> =
        found.iter().filter(|file| !UNSAFE.iter().any(|(place, _)| allowed(file, place))).collect();
    ensure!(
        strangers.is_empty(),
        "unsafe code where none may be: {strangers:?}; do without it, or list it with its reason"
    );
    for (place, _) in UNSAFE {
        ensure!(
            found.iter().any(|file| allowed(file, place)),
            "{place} has no unsafe code any more; take it off the list"
        );
    }
    Ok(())
}

/// The Rust files below a folder that say `unsafe` as a word of the language, by their paths from the root.
fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "corpus", "artifacts"].contains(&name.as_str()) {
                collect(root, &path, found)?;
            }
        } else if name.ends_with(".rs") && says_unsafe(&fs::read_to_string(&path)?) {
            found.push(path.strip_prefix(root)?.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

/// Whether code has the keyword, outside of comments; names such as `unsafe_code` are other words.
fn says_unsafe(code: &str) -> bool {
    let words = |line: &str| {
        let line = line.split("//").next().unwrap_or_default().to_owned();
        line.split(|of: char| !(of.is_alphanumeric() || of == '_' || of == '-')).any(|word| word == "unsafe")
    };
    code.lines().any(words)
}

/// Packages of benchmarks whose script only asks for donations; `ignore-scripts` keeps it from running.
const SILENCED: [&str; 1] = ["core-js"];

/// Checks the locked packages of a folder, and how they are installed; gives their number.
fn npm_packages(folder: &Path) -> Result<usize> {
    let settings = fs::read_to_string(folder.join(".npmrc")).unwrap_or_default();
    ensure!(
        settings.lines().any(|line| line.trim() == "ignore-scripts=true"),
        "{}/.npmrc lets packages run scripts when they are installed; it needs `ignore-scripts=true`",
        folder.display()
    );
    let path = folder.join("package-lock.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lock: Value =
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let packages =
        lock["packages"].as_object().with_context(|| format!("{} lists no packages", path.display()))?;
    let installed: Vec<(&String, &Value)> = packages.iter().filter(|(name, _)| !name.is_empty()).collect();
    for (name, package) in &installed {
        let known = SILENCED.contains(&name.trim_start_matches("node_modules/"));
        if package["hasInstallScript"].as_bool() == Some(true) && !known {
            bail!("{name} of {} wants to run a script when it is installed", path.display());
        }
        ensure!(
            package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")),
            "{name} of {} has no hash",
            path.display()
        );
        let url = package["resolved"].as_str().unwrap_or("https://registry.npmjs.org/");
        ensure!(
            url.starts_with("https://registry.npmjs.org/"),
            "{name} of {} comes from {url}",
            path.display()
        );
    }
    Ok(installed.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dependencies, sbom};

    #[test]
    fn unsafe_code_stands_only_where_it_is_listed() {
        unsafe_code(&Workspace::load().unwrap().root).unwrap();
    }

    #[test]
    fn the_keyword_is_told_from_names_and_comments() {
        for code in ["unsafe { x() }", "pub unsafe fn f() {}", "unsafe impl A for B {}", "f(unsafe{ x() })"] {
            assert!(says_unsafe(code), "{code}");
        }
        for code in ["// unsafe", "#![deny(unsafe_code)]", "style-src 'unsafe-inline'", "let unsafely = 1;"] {
            assert!(!says_unsafe(code), "{code}");
        }
    }

    #[test]
    fn code_that_is_not_listed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for name in CODE {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("src/new.rs"), "fn f() { unsafe { g() } }").unwrap();
        let error = unsafe_code(folder.path()).unwrap_err().to_string();
        assert!(error.contains("src/new.rs"), "{error}");
    }

    #[test]
    fn nothing_in_the_program_can_speak_to_a_network_but_what_is_asked_to() {
        let workspace = Workspace::load().unwrap();
        let built = dependencies::of_build(&workspace, &sbom::host().unwrap(), None).unwrap();
        let names: Vec<&str> = built.packages.iter().map(|package| package.name.as_str()).collect();
        assert!(names.contains(&"burn") && names.contains(&"clap"), "the program's packages");
        for client in [
            "ureq",
            "reqwest",
            "hyper",
            "curl",
            "isahc",
            "attohttpc",
            "rustls",
            "native-tls",
            "socket2",
            "tokio",
        ] {
            assert!(!names.contains(&client), "{client}");
        }
        let mut speaking = Vec::new();
        collect_words(&workspace.root.join("src"), &["std::net", "TcpStream", "UdpSocket"], &mut speaking)
            .unwrap();
        // `score --ranks env` and `--metrics`, which nobody gives who does not want them.
        for asked_for in ["src/ranks/tcp.rs", "src/cli/watch/address.rs", "src/cli/watch/metrics.rs"] {
            let asked_for = workspace.root.join(asked_for).display().to_string();
            let before = speaking.len();
            speaking.retain(|file| *file != asked_for);
            assert!(speaking.len() < before, "{asked_for} speaks no more: take it off the list");
        }
        assert!(speaking.is_empty(), "{speaking:?}");
    }

    fn collect_words(folder: &Path, words: &[&str], found: &mut Vec<String>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                collect_words(&path, words, found)?;
            } else {
                let text = fs::read_to_string(&path).unwrap_or_default();
                found.extend(
                    words.iter().filter(|word| text.contains(**word)).map(|_| path.display().to_string()),
                );
            }
        }
        Ok(())
    }

    #[test]
    fn no_npm_package_runs_a_script_or_comes_from_elsewhere() {
        let root = Workspace::load().unwrap().root;
        for folder in NPM {
            assert!(npm_packages(&root.join(folder)).unwrap() > 5, "{folder}");
        }
    }

    #[test]
    fn a_package_with_a_script_without_a_hash_or_from_elsewhere_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let lock = |package: &str| {
            let text = format!(r#"{{"packages":{{"":{{}},"node_modules/a":{package}}}}}"#);
            fs::write(folder.path().join("package-lock.json"), text).unwrap();
            npm_packages(folder.path()).map_err(|error| error.to_string())
        };
        assert!(lock(r#"{"integrity":"sha512-x"}"#).unwrap_err().contains("ignore-scripts"));
        fs::write(folder.path().join(".npmrc"), "ignore-scripts=true\n").unwrap();
        assert_eq!(lock(r#"{"integrity":"sha512-x"}"#), Ok(1));
        assert!(lock(r#"{"integrity":"sha512-x","hasInstallScript":true}"#).unwrap_err().contains("script"));
        assert!(lock("{}").unwrap_err().contains("hash"));
        let elsewhere = r#"{"integrity":"sha512-x","resolved":"git+ssh://example.org/a"}"#;
        assert!(lock(elsewhere).unwrap_err().contains("comes from"));
    }
}
