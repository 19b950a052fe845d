//! What a build is made of: the packages behind the program and behind each npm package, as Cargo resolved them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::process;
use crate::workspace::{self, Workspace};

/// A package that a build contains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    id: String,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    manifest_path: PathBuf,
    /// Its place in a registry; none of our own.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None where the code itself is linked; `build` and `dev` stay behind.
    kind: Option<String>,
}

/// Packages of one build.
pub(crate) struct Dependencies {
    /// The packages that are linked into it, without tilepress itself, by name and version.
    pub(crate) packages: Vec<Package>,
    /// Packages that each of them, and tilepress, needs, by [`Package::purl`].
    pub(crate) needs: BTreeMap<String, BTreeSet<String>>,
}

impl Package {
    /// Its name for tools that know packages of every language.
    pub(crate) fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    /// BLAKE3 and such say nothing here: the hash that Cargo.lock has of the archive it came in.
    pub(crate) fn checksum<'a>(&self, lock: &'a BTreeMap<(String, String), String>) -> Option<&'a str> {
        self.source.as_ref()?;
        lock.get(&(self.name.clone(), self.version.clone())).map(String::as_str)
    }

    /// The texts of its licence, as its archive has them.
    pub(crate) fn license_texts(&self) -> Result<Vec<String>> {
        let folder = self.manifest_path.parent().context("a manifest lies in a folder")?;
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            if path.is_file()
                && ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"]
                    .iter()
                    .any(|of| name.starts_with(of))
            {
                files.push(path);
            }
        }
        files.sort();
        files.iter().map(|path| Ok(String::from_utf8_lossy(&fs::read(path)?).replace("\r\n", "\n"))).collect()
    }
}

/// What a build for `target` with these features is made of; `None` stands for the default ones.
pub(crate) fn of_build(workspace: &Workspace, target: &str, features: Option<&str>) -> Result<Dependencies> {
    let mut command = Command::new(workspace::cargo());
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
    if let Some(features) = features {
        command.args(["--no-default-features", "--features", features]);
    }
    let text = process::output(command.current_dir(&workspace.root))?;
    linked(&serde_json::from_str(&text).context("cannot read `cargo metadata`")?)
}

/// The packages that are reached from tilepress through what is linked.
fn linked(metadata: &Metadata) -> Result<Dependencies> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let own =
        metadata.packages.iter().find(|package| package.name == "tilepress" && package.source.is_none());
    let own = own.context("`cargo metadata` lists no package named tilepress")?;
    let (mut found, mut needs, mut open) = (BTreeSet::new(), BTreeMap::new(), vec![own.id.as_str()]);
    while let Some(id) = open.pop() {
        let package = packages.get(id).context("a package that is not listed")?;
        if needs.contains_key(&package.purl()) {
            continue;
        }
        let node = nodes.get(id).context("a package that is not resolved")?;
        let linked =
            node.deps.iter().filter(|dependency| dependency.dep_kinds.iter().any(|of| of.kind.is_none()));
        let ids: Vec<&str> = linked.map(|dependency| dependency.pkg.as_str()).collect();
        let purls = ids.iter().filter_map(|id| packages.get(id)).map(|package| package.purl()).collect();
        needs.insert(package.purl(), purls);
        if package.source.is_some() {
            found.insert((*package).clone());
        }
        open.extend(ids);
    }
    Ok(Dependencies { packages: found.into_iter().collect(), needs })
}

/// Hashes of the archives in Cargo.lock, by name and version.
pub(crate) fn checksums(root: &Path) -> Result<BTreeMap<(String, String), String>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        checksum: Option<String>,
    }
    let lock: Lock =
        toml::from_str(&fs::read_to_string(root.join("Cargo.lock"))?).context("cannot read Cargo.lock")?;
    let hashes = lock.package.into_iter().filter_map(|of| Some(((of.name, of.version), of.checksum?)));
    Ok(hashes.collect())
}

/// The texts of all licences, each once, with the packages that are under it.
pub(crate) fn third_party(dependencies: &Dependencies) -> Result<String> {
    let mut list = String::from("tilepress contains the packages below, under the licences that follow.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in &dependencies.packages {
        let name = format!("{} {}", package.name, package.version);
        let license = package.license.as_deref().unwrap_or("see its text");
        list += &format!("{name}: {license}\n");
        for text in package.license_texts()? {
            texts.entry(text.trim().to_owned()).or_default().push(name.clone());
        }
    }
    // By the first package that each is of.
    let mut texts: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, names)| (names, text)).collect();
    texts.sort();
    for (names, text) in texts {
        list += &format!("\n{}\n{}\n\n{text}\n", "-".repeat(80), names.join(", "));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_or_tests_need_is_not_linked() {
        let package = |name: &str, own: bool| {
            let source = if own { "null" } else { r#""registry""# };
            format!(
                r#"{{"name":"{name}","version":"1.0.0","id":"{name}","license":"MIT","repository":null,
                    "manifest_path":"/{name}/Cargo.toml","source":{source}}}"#
            )
        };
        let node = |name: &str, needs: &[(&str, &str)]| {
            let deps: Vec<String> = needs
                .iter()
                .map(|(name, kind)| format!(r#"{{"pkg":"{name}","dep_kinds":[{{"kind":{kind}}}]}}"#))
                .collect();
            format!(r#"{{"id":"{name}","deps":[{}]}}"#, deps.join(","))
        };
        let names = ["linked", "below", "build", "dev"].map(|name| package(name, false)).join(",");
        let nodes = [
            node("tilepress", &[("linked", "null"), ("build", r#""build""#), ("dev", r#""dev""#)]),
            node("linked", &[("below", "null"), ("build", r#""build""#)]),
            node("below", &[]),
        ];
        let text = format!(
            r#"{{"packages":[{},{names}],"resolve":{{"nodes":[{}]}}}}"#,
            package("tilepress", true),
            nodes.join(",")
        );
        let found = linked(&serde_json::from_str(&text).unwrap()).unwrap();
        let names: Vec<&str> = found.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["below", "linked"]);
        assert_eq!(
            found.needs["pkg:cargo/tilepress@1.0.0"],
            BTreeSet::from(["pkg:cargo/linked@1.0.0".to_owned()])
        );
    }

    #[test]
    fn every_package_from_elsewhere_has_a_hash_in_the_lock_file() {
        let workspace = Workspace::load().unwrap();
        let lock = checksums(&workspace.root).unwrap();
        let edge = of_build(&workspace, "wasm32-unknown-unknown", Some("web")).unwrap();
        assert!(edge.packages.len() > 20, "{} packages", edge.packages.len());
        for package in &edge.packages {
            assert_eq!(package.checksum(&lock).map(str::len), Some(64), "{}", package.purl());
            assert!(package.license.is_some(), "{}", package.purl());
        }
        assert!(!edge.packages.iter().any(|package| package.name == "burn"), "the edge layer has no engine");
    }
}
