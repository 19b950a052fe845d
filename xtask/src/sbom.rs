//! `cargo xtask sbom`: bills of materials in CycloneDX's JSON, from what Cargo resolved.
//!
//! `cargo cyclonedx` would need a tool that is built for minutes, and writes a bill for each crate of the workspace; one of a
//! release is a list of what is linked, with hashes, and the same bytes again, which is what is here. That of the page's
//! modules `npm sbom` writes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::dependencies::{self, Dependencies, Package};
use crate::process;
use crate::workspace::Workspace;

/// Options of `cargo xtask sbom`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the bill goes.
    #[arg(long, default_value = "tilepress.cdx.json")]
    out: PathBuf,
    /// Target triple, instead of this machine's.
    #[arg(long)]
    target: Option<String>,
    /// Features of the crate, by comma, instead of the default ones.
    #[arg(long)]
    features: Option<String>,
}

/// Writes the bill of one build.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::load()?;
    let target = options.target.clone().map_or_else(host, Ok)?;
    let dependencies = dependencies::of_build(&workspace, &target, options.features.as_deref())?;
    let text = bill(&workspace, &target, &dependencies)?;
    fs::write(&options.out, text).with_context(|| format!("cannot write {}", options.out.display()))?;
    println!("{}: {} packages", options.out.display(), dependencies.packages.len());
    Ok(())
}

/// The target triple of this machine.
pub(crate) fn host() -> Result<String> {
    let printed = process::probe("rustc", &["-vV"]).context("there is no rustc")?;
    let host = printed.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}

/// The bill: no time and no serial number, which would make two of one build differ.
pub(crate) fn bill(workspace: &Workspace, target: &str, of: &Dependencies) -> Result<String> {
    let lock = dependencies::checksums(&workspace.root)?;
    let own = format!("pkg:cargo/tilepress@{}", workspace.version);
    let component = |package: &Package| -> Value {
        let mut component = json!({
            "type": "library",
            "bom-ref": package.purl(),
            "name": package.name,
            "version": package.version,
            "purl": package.purl(),
        });
        if let Some(license) = &package.license {
            // Some packages still write a slash between alternatives.
            component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
        }
        if let Some(hash) = package.checksum(&lock) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": hash }]);
        }
        if let Some(url) = &package.repository {
            component["externalReferences"] = json!([{ "type": "vcs", "url": url }]);
        }
        component
    };
    let needs: Vec<Value> =
        of.needs.iter().map(|(from, to)| json!({ "ref": from, "dependsOn": to })).collect();
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "tilepress",
                "version": workspace.version,
                "purl": own,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
            "properties": [{ "name": "target", "value": target }],
        },
        "components": of.packages.iter().map(component).collect::<Vec<_>>(),
        "dependencies": needs,
    });
    Ok(format!("{bill:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_names_every_package_once_and_is_the_same_again() {
        let workspace = Workspace::load().unwrap();
        let target = "wasm32-unknown-unknown";
        let write = || {
            bill(&workspace, target, &dependencies::of_build(&workspace, target, Some("web")).unwrap())
                .unwrap()
        };
        let text = write();
        assert_eq!(text, write());
        let bill: Value = serde_json::from_str(&text).unwrap();
        let components = bill["components"].as_array().unwrap();
        let refs: std::collections::BTreeSet<&str> =
            components.iter().map(|component| component["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(refs.len(), components.len());
        let ours = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();
        for needs in bill["dependencies"].as_array().unwrap() {
            let to = needs["dependsOn"].as_array().unwrap().iter().chain([&needs["ref"]]);
            assert!(to.into_iter().all(|of| refs.contains(of.as_str().unwrap()) || of == ours), "{needs}");
        }
    }
}
