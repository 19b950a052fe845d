//! `cargo xtask dist`: what a release hands out, into dist/.
//!
//! The program of this machine with completions, manual and licences; the npm packages as tarballs; the page as a folder to be
//! served; bills of materials; and SHA256SUMS over all of it. Nothing is built here: what was tested is what is packed. The
//! same builds give the same bytes: files are sorted and have one time.

mod archive;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use sha2::{Digest as _, Sha256};

use self::archive::Member;
use crate::browser;
use crate::dependencies;
use crate::process;
use crate::sbom;
use crate::wasm;
use crate::workspace::Workspace;

const SUMS: &str = "SHA256SUMS";
const SHELLS: [(&str, &str); 4] = [
    ("bash", "tilepress.bash"),
    ("zsh", "_tilepress"),
    ("fish", "tilepress.fish"),
    ("powershell", "_tilepress.ps1"),
];
/// Documents that go with the program.
const DOCUMENTS: [&str; 5] = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Options of `cargo xtask dist`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this part; may be given more than once.
    #[arg(long = "only", value_name = "PART")]
    only: Vec<Part>,
    /// Folder for the results, relative to the repository's root.
    #[arg(long, default_value = "dist")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The program.
    Native,
    /// The npm packages.
    Npm,
    /// The page.
    Site,
}

/// Packs everything, or the parts asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let parts = [Part::Native, Part::Npm, Part::Site];
    let parts: Vec<Part> =
        parts.into_iter().filter(|part| options.only.is_empty() || options.only.contains(part)).collect();
    // Before anything is written: a release is whole, or there is none.
    let missing: Vec<String> = parts.iter().flat_map(|part| missing(&workspace, *part)).collect();
    ensure!(missing.is_empty(), "not built yet: {}", missing.join("; "));

    let out = workspace.root.join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let staging = tempfile::Builder::new().prefix(".packing-").tempdir_in(&out)?;
    for part in parts {
        match part {
            Part::Native => native(&workspace, staging.path())?,
            Part::Npm => npm(&workspace, staging.path())?,
            Part::Site => site(&workspace, staging.path())?,
        }
    }
    for path in files(staging.path())? {
        let name = path.file_name().context("a file has a name")?;
        fs::rename(&path, out.join(name))?;
    }
    drop(staging);
    let sums = sums(&out)?;
    fs::write(out.join(SUMS), &sums)?;
    process::heading(&out.display().to_string());
    print!("{sums}");
    Ok(())
}

fn program(workspace: &Workspace) -> PathBuf {
    workspace.target.join("release").join(format!("tilepress{}", env::consts::EXE_SUFFIX))
}

/// What a part stands on and is not there, with the command that makes it.
fn missing(workspace: &Workspace, part: Part) -> Vec<String> {
    let needed: Vec<(PathBuf, &str)> = match part {
        Part::Native => vec![(program(workspace), "cargo build --release")],
        Part::Npm => ["pkg/web/package.json", "pkg/edge/package.json"]
            .map(|file| (workspace.root.join(file), "cargo xtask wasm"))
            .into(),
        Part::Site => vec![(workspace.root.join("www/dist/index.html"), "cargo xtask page")],
    };
    let absent = needed.into_iter().filter(|(path, _)| !path.is_file());
    absent.map(|(path, command)| format!("{} (`{command}` makes it)", path.display())).collect()
}

/// The program, by itself and with all that belongs beside it.
fn native(workspace: &Workspace, out: &Path) -> Result<()> {
    let (program, target) = (program(workspace), sbom::host()?);
    let version = process::probe(&program, &["--version"])
        .with_context(|| format!("{} does not run on this machine", program.display()))?;
    ensure!(
        version == format!("tilepress {}", workspace.version),
        "{} is {version}, and Cargo.toml says {}; `cargo build --release` makes it anew",
        program.display(),
        workspace.version
    );
    let dependencies = dependencies::of_build(workspace, &target, None)?;
    let name = format!("tilepress-{}-{target}", workspace.version);
    let bill = sbom::bill(workspace, &target, &dependencies)?;

    let mut members = BTreeMap::new();
    let mut add = |path: String, member: Member| members.insert(format!("{name}/{path}"), member);
    let executable = program.file_name().context("a program has a name")?.to_string_lossy().into_owned();
    add(executable, Member { bytes: fs::read(&program)?, executable: true });
    for document in DOCUMENTS {
        let path = workspace.root.join(document);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        add(document.to_owned(), text.into());
    }
    add("THIRD-PARTY.txt".to_owned(), dependencies::third_party(&dependencies)?.into_bytes().into());
    add("tilepress.cdx.json".to_owned(), bill.clone().into_bytes().into());
    for (shell, file) in SHELLS {
        add(format!("completions/{file}"), printed(&program, &["completions", shell])?.into());
    }
    let manual = printed(&program, &["man"])?;
    for command in commands(&String::from_utf8_lossy(&manual)) {
        add(format!("man/tilepress-{command}.1"), printed(&program, &["man", &command])?.into());
    }
    add("man/tilepress.1".to_owned(), manual.into());

    fs::write(out.join(format!("{name}.cdx.json")), bill)?;
    let archive = if cfg!(windows) { archive::zip(&members)? } else { archive::tar_gz(&members)? };
    let extension = if cfg!(windows) { "zip" } else { "tar.gz" };
    fs::write(out.join(format!("{name}.{extension}")), archive)?;
    Ok(())
}

/// What the program prints; the same on every machine, however it is configured there.
fn printed(program: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let text = process::output(Command::new(program).args(arguments))?;
    ensure!(!text.is_empty(), "`tilepress {}` printed nothing", arguments.join(" "));
    Ok(text.into_bytes())
}

/// The commands that the program's page of the manual refers to: `tilepress\-score(1)`.
fn commands(manual: &str) -> Vec<String> {
    let names = manual.lines().filter_map(|line| line.strip_prefix("tilepress\\-")?.strip_suffix("(1)"));
    names.map(|name| name.replace("\\-", "-")).collect()
}

/// The npm packages that are built, as `npm publish` takes them.
fn npm(workspace: &Workspace, out: &Path) -> Result<()> {
    for (folder, features) in wasm::built(&workspace.root)? {
        let mut command = Command::new("npm");
        command.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(out).arg(&folder);
        process::run(command.current_dir(&workspace.root))?;
        let dependencies = dependencies::of_build(workspace, "wasm32-unknown-unknown", Some(&features))?;
        let bill = sbom::bill(workspace, "wasm32-unknown-unknown", &dependencies)?;
        let name = folder.file_name().context("a package lies in a folder")?.to_string_lossy();
        fs::write(out.join(format!("tilepress-{}-npm-{name}.cdx.json", workspace.version)), bill)?;
    }
    Ok(())
}

/// The page, and the bill of the modules that it was made with.
fn site(workspace: &Workspace, out: &Path) -> Result<()> {
    let name = format!("tilepress-{}-site", workspace.version);
    let dist = workspace.root.join("www/dist");
    let mut members = BTreeMap::new();
    for path in files_below(&dist)? {
        let inside = path.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        members.insert(format!("{name}/{inside}"), Member::from(fs::read(&path)?));
    }
    fs::write(out.join(format!("{name}.tar.gz")), archive::tar_gz(&members)?)?;

    browser::install_modules(&workspace.root)?;
    let mut command = Command::new("npm");
    command.args(["sbom", "--sbom-format=cyclonedx", "--package-lock-only"]);
    let text = process::output(command.current_dir(workspace.root.join("www")))?;
    let mut bill: serde_json::Value = serde_json::from_str(&text).context("cannot read `npm sbom`")?;
    // Made up anew and read off the clock; the rest depends on the lock file alone.
    if let Some(fields) = bill.as_object_mut() {
        fields.remove("serialNumber");
    }
    if let Some(metadata) = bill["metadata"].as_object_mut() {
        metadata.remove("timestamp");
    }
    fs::write(out.join(format!("{name}.cdx.json")), format!("{bill:#}\n"))?;
    Ok(())
}

/// SHA-256 of every file of a folder, as `sha256sum -c` reads them.
fn sums(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for path in files(folder)? {
        let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        if name != SUMS {
            let hash = Sha256::digest(fs::read(&path)?);
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            text += &format!("{hash}  {name}\n");
        }
    }
    Ok(text)
}

/// Files that lie in a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        files.push(entry?.path());
    }
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = files(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(files_below(&path)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_the_commands() {
        let manual = ".TH tilepress 1\n.SH SUBCOMMANDS\n.TP\ntilepress\\-score(1)\nTrain\n.TP\ntilepress\\-two\\-words(1)\n";
        assert_eq!(commands(manual), ["score", "two-words"]);
    }

    /// `npm sbom` refuses a package without a version.
    #[test]
    fn the_page_has_the_version_of_the_crate() {
        let root = Workspace::load().unwrap().root;
        let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
        let cargo: toml::Value = toml::from_str(&read("Cargo.toml")).unwrap();
        let page: serde_json::Value = serde_json::from_str(&read("www/package.json")).unwrap();
        assert_eq!(cargo["workspace"]["package"]["version"].as_str(), page["version"].as_str());
    }

    #[test]
    fn a_part_that_is_not_built_is_named_with_the_command_that_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace {
            root: folder.path().to_owned(),
            target: folder.path().join("target"),
            version: "1.2.3".to_owned(),
            rust_version: (1, 95),
        };
        let said = |part| missing(&workspace, part).join("; ");
        assert!(said(Part::Native).contains("`cargo build --release` makes it"));
        assert!(said(Part::Npm).contains("pkg") && said(Part::Npm).contains("`cargo xtask wasm`"));
        fs::create_dir_all(folder.path().join("www/dist")).unwrap();
        assert!(said(Part::Site).contains("`cargo xtask page`"));
        fs::write(folder.path().join("www/dist/index.html"), "").unwrap();
        assert_eq!(said(Part::Site), "");
    }

    #[test]
    fn sums_are_those_of_sha256sum_and_leave_themselves_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "abc").unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        fs::write(folder.path().join(SUMS), "old").unwrap();
        assert_eq!(
            sums(folder.path()).unwrap(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n"
        );
    }
}
